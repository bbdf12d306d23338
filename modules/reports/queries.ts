import { sql, type SqlBool } from 'kysely'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { cursorAfter, keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { priorities, statuses } from '../tasks/index.js'
import type { Static } from 'typebox'
import { conditions, type ReportFilter } from './filters.js'
import { counts } from './ledger/counts.js'
import { created } from './ledger/created.js'
import type { OverdueTask } from './schemas.js'

/** How many tasks there are in each status; every status has its line. */
export async function tasksByStatus (db: Db, actor: Actor, filter: ReportFilter) {
  const { rows } = await sql<{ status: (typeof statuses)[number], count: number }>`
    select s.status, coalesce(c.count, 0) as count
    from unnest(${[...statuses]}::text[]) with ordinality s (status, ord)
    left join (${counts(actor, 'status', filter)}) c on c.key = s.status
    order by s.ord`.execute(db)
  return rows
}

/** How many tasks there are of each priority; every priority has its line. */
export async function tasksByPriority (db: Db, actor: Actor, filter: ReportFilter) {
  const { rows } = await sql<{ priority: (typeof priorities)[number], count: number }>`
    select s.priority, coalesce(c.count, 0) as count
    from unnest(${[...priorities]}::text[]) with ordinality s (priority, ord)
    left join (${counts(actor, 'priority', filter)}) c on c.key = s.priority
    order by s.ord`.execute(db)
  return rows
}

/** In whose court the balls of the open tasks are, the fullest court first. */
export async function tasksByBall (db: Db, actor: Actor, filter: ReportFilter) {
  const { rows } = await sql<{ owner: string, count: number }>`
    select coalesce(u.email, o.name, 'unassigned') as owner, c.count
    from (${counts(actor, 'holder', filter)}) c left join users u on c.key = 'user:' || u.id left join companies o on c.key = 'company:' || o.id
    where c.count <> 0
    order by c.count desc, owner`.execute(db)
  return rows
}

const orders: Record<string, Order> = { due_at: { by: sql`t.due_sort`, type: 'timestamptz' } }

const overdue = (db: Db, actor: Actor, now: Date, filter: ReportFilter) => db.selectFrom('tasks as t').innerJoin('projects as p', 'p.id', 't.project_id')
  .where(sql<SqlBool>`t.is_open and t.due_sort < ${now} and ${conditions(actor, filter)}`)

/** One page of the open tasks that are due before now, the longest overdue first, and one row more when there is a next page. */
export function overdueTasks (db: Db, { actor, now, filter, page }: { actor: Actor, now: Date, filter: ReportFilter, page: PageRequest }) {
  const tasks = overdue(db, actor, now, filter).leftJoin('users as u', 'u.id', 't.ball_in_court').leftJoin('companies as o', 'o.id', 't.ball_company_id')
    .select(['t.id', 't.title', 't.priority', 't.due_at', 'p.name as project_name', sql<string>`coalesce(u.email, o.name, 'unassigned')`.as('owner')])
  return keyset(tasks, orders, sql`t.id`, page).$castTo<Static<typeof OverdueTask> & Keyed>().execute()
}

/** How many rows are read at a time for a file. */
const BATCH = 1000

/**
 * All overdue tasks, some at a time. Each batch is a statement of its own that goes on where the one before ended: a slow
 * reader neither holds a connection nor keeps PostgreSQL from cleaning up. What is finished or put off meanwhile, before
 * its turn, is left out; nothing comes twice unless its due time is changed.
 */
export async function * allOverdueTasks (db: Db, { sort, ...asked }: { actor: Actor, now: Date, filter: ReportFilter, sort?: string }): AsyncGenerator<Static<typeof OverdueTask>[]> {
  for (let cursor: string | undefined, more = true; more;) {
    const rows = await overdueTasks(db, { ...asked, page: { limit: BATCH, sort, cursor } })
    more = rows.length > BATCH
    if (more) rows.pop()
    const last = rows.at(-1)
    if (last !== undefined) cursor = cursorAfter(last, sort)
    yield rows
  }
}

export async function countOverdueTasks (db: Db, { actor, now, filter }: { actor: Actor, now: Date, filter: ReportFilter }): Promise<number> {
  const { total } = await overdue(db, actor, now, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/**
 * How many tasks were created on each of the last days, today last; a day begins at midnight where the person is.
 * @param days how many days, today included
 */
export async function createdPerDay (db: Db, { actor, now, days, filter }: { actor: Actor, now: Date, days: number, filter: ReportFilter }) {
  const zone = actor.timezone
  const today = sql`(${now}::timestamptz at time zone ${zone})::date`
  // By its own date, not between two midnights: where clocks go back at midnight, there are two of those. The window is a day
  // wider on both sides.
  const window = { from: sql`(${today} - ${days}::int)::timestamp at time zone ${zone}`, until: sql`(${today} + 2)::timestamp at time zone ${zone}` }
  const { rows } = await sql<{ day: string, tasks_created: number }>`
    with counts as (
      select (c.at at time zone ${zone})::date as day, sum(c.count) as count from (${created(actor, filter, window)}) c
      group by 1
    )
    select d.day, coalesce(c.count, 0) as tasks_created
    from (select ${today} - n as day from generate_series(0, ${days}::int - 1) n) d left join counts c using (day)
    order by d.day`.execute(db)
  return rows
}
