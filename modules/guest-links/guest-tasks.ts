import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../plugins/database/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { isAny } from '../shared/sql.js'
import { holderOf, isOverdue, progress, taskKey } from '../tasks/index.js'
import { isGood } from './queries.js'
import type { GuestTask } from './schemas.js'

/** A row of a page, which also has the id that the next page goes on from: the schema of the answer leaves it out. */
export type GuestTaskRow = Static<typeof GuestTask> & Keyed

/** What a link shows: a task where it is, or all of a project, as long as the link is good. */
export interface Shown { id: string, project_id: string, task_id: string | null, status?: string[] }

const orders: Record<string, Order> = {
  updated_at: { by: sql`t.updated_at`, type: 'timestamptz' },
  created_at: { by: sql`t.created_at`, type: 'timestamptz' },
  due_at: { by: sql`t.due_sort`, type: 'timestamptz' }
}

/** Who holds the ball: of what colleagues see of them, this much. */
const holder = sql`(select jsonb_build_object('kind', h -> 'kind', 'name', h -> 'name', 'company', h -> 'company' -> 'name')
  from (select ${holderOf('t.ball_in_court', 't.ball_company_id', 't.ball_contact_id')} as h) held where h is not null)`

const shown = (db: Db, { id, project_id: projectId, task_id: taskId, status }: Shown) => db.selectFrom('tasks as t').innerJoin('projects as p', 'p.id', 't.project_id')
  .where('t.project_id', '=', projectId).where('t.deleted_at', 'is', null).where(isGood(db, id))
  .$if(taskId !== null, (qb) => qb.where('t.id', '=', taskId as string))
  .$if(status !== undefined, (qb) => qb.where(isAny('t.status', 'text', status ?? [])))

/** One page of the tasks that a link shows, and one row more when there is a next page. What is selected here, guests get. */
export function listGuestTasks (db: Db, { show, now, page }: { show: Shown, now: Date, page: PageRequest }): Promise<GuestTaskRow[]> {
  const query = shown(db, show)
    .select(['t.id', 't.title', 't.description', 't.status', 't.priority', 't.ball_since', 't.due_at', 't.closed_at', 't.created_at', 't.updated_at'])
    .select([
      taskKey.as('key'),
      sql`(select u.name from users u where u.id = t.assignee_id)`.as('assignee'),
      holder.as('ball_holder'),
      isOverdue(now).as('is_overdue'),
      progress().as('subtasks')
    ])
  return keyset(query, orders, sql`t.id`, page).$castTo<GuestTaskRow>().execute()
}

export async function countGuestTasks (db: Db, show: Shown): Promise<number> {
  const { total } = await shown(db, show).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}
