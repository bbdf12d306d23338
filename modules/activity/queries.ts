import { sql, type Expression, type SqlBool } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { isAny } from '../shared/sql.js'
import { visibleProject, visibleProjects } from '../shared/visibility.js'
import type { ActivityEvent, Change } from './schemas.js'
import { sentenceOf } from './sentences.js'

const orders: Record<string, Order> = { at: { by: sql`a.created_at`, type: 'timestamptz' } }

export interface ActivityFilter {
  entity_type?: string[]
  entity_id?: string
  actor?: string
  action?: string[]
  project?: string
  task?: string
  from?: string
  to?: string
}

/** Whether the person may read the events that are in no project: who has more than a role in projects. */
const seesCompanyEvents = ({ byProjectRole }: Actor): boolean => byProjectRole === undefined

/** Events of projects that the person may see, deleted ones too: a log tells of deletions; and the company's. */
const isVisible = (actor: Actor): Expression<SqlBool> => seesCompanyEvents(actor)
  ? sql<SqlBool>`(a.project_id is null or ${visibleProject(actor, { deletedToo: true })})`
  : visibleProject(actor, { deletedToo: true })

const filtered = (db: Db, actor: Actor, f: ActivityFilter) => db.selectFrom('activity_log as a')
  .leftJoin('projects as p', 'p.id', 'a.project_id')
  .where(isVisible(actor))
  .$if(f.entity_type !== undefined, (qb) => qb.where(isAny('a.entity_type', 'text', f.entity_type ?? [])))
  .$if(f.entity_id !== undefined, (qb) => qb.where('a.entity_id', '=', f.entity_id as string))
  .$if(f.actor !== undefined, (qb) => qb.where('a.actor_id', '=', f.actor as string))
  .$if(f.action !== undefined, (qb) => qb.where(isAny('a.action', 'text', f.action ?? [])))
  .$if(f.project !== undefined, (qb) => qb.where('a.project_id', '=', f.project as string))
  .$if(f.task !== undefined, (qb) => qb.where('a.task_id', '=', f.task as string))
  .$if(f.from !== undefined, (qb) => qb.where('a.created_at', '>=', f.from as string))
  .$if(f.to !== undefined, (qb) => qb.where('a.created_at', '<', f.to as string))

/** The names of the people whom an event is about: who had something and who has it, outside parties too, who was added, mentioned or told. */
const peopleIn = sql<Record<string, string>>`(
  select coalesce(jsonb_object_agg(who.id, who.name), '{}') from (
    select o.id, o.name from companies o where a.changes ? 'ball_company_id' and o.id in ((a.changes -> 'ball_company_id' ->> 0)::uuid, (a.changes -> 'ball_company_id' ->> 1)::uuid)
    union all
    select c.id, c.name from contacts c where a.changes ? 'ball_contact_id' and c.id in ((a.changes -> 'ball_contact_id' ->> 0)::uuid, (a.changes -> 'ball_contact_id' ->> 1)::uuid)
    union all
    select u.id, u.name from users u where u.id = any(array(
    select x.id::uuid from unnest(array[a.changes -> 'assignee_id' ->> 0, a.changes -> 'assignee_id' ->> 1, a.changes -> 'ball_in_court' ->> 0,
      a.changes -> 'ball_in_court' ->> 1, a.data ->> 'user_id']) x (id) where x.id is not null
    union all
    select m.id::uuid from jsonb_array_elements_text(coalesce(a.data -> 'mentions', a.data -> 'to')) m (id)))) who)`

/** One page of the log, and one row more when there is a next page. One statement. */
export async function listActivity (db: Db, { actor, filter, page }: { actor: Actor, filter: ActivityFilter, page: PageRequest }) {
  const events = await keyset(filtered(db, actor, filter).innerJoin('users as u', 'u.id', 'a.actor_id')
    .select(['a.id', 'a.created_at as at', 'a.entity_type', 'a.entity_id', 'a.action', 'a.project_id', 'a.task_id', 'a.version', 'a.changes', 'a.data', 'a.request_id'])
    .select(sql<{ id: string, name: string, email: string }>`jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email)`.as('actor'))
    .select(peopleIn.as('people')),
  orders, sql`a.id`, page).$castTo<Omit<Static<typeof ActivityEvent>, 'sentence'> & Keyed & { people: Record<string, string> }>().execute()
  return events.map((event) => ({ ...event, sentence: sentenceOf(event) }))
}

export async function countActivity (db: Db, { actor, filter }: { actor: Actor, filter: ActivityFilter }): Promise<number> {
  const { total } = await filtered(db, actor, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/** Whether the person may read the log of this task, deleted or not. */
export async function seesTask (db: Db, actor: Actor, id: string): Promise<boolean> {
  const { rows } = await sql`select from tasks t join projects p on p.id = t.project_id where t.id = ${id} and ${visibleProject(actor, { deletedToo: true })}`.execute(db)
  return rows.length > 0
}

/** Whether the person may read the log of this project, deleted or not. */
export async function seesProject (db: Db, actor: Actor, id: string): Promise<boolean> {
  const { rows } = await sql`select from projects p where p.id = ${id} and ${visibleProject(actor, { deletedToo: true })}`.execute(db)
  return rows.length > 0
}

/** What happened after a position, in the order of positions. The log's partition is found by the event's time. */
export async function listChanges (db: Db, { actor, after, limit }: { actor: Actor, after: number, limit: number }): Promise<Static<typeof Change>[]> {
  const eventsWhere = (condition: Expression<SqlBool>) => sql`
    select e.position, a.* from event_positions e
    -- 'limit' keeps this a look-up per position, in the one partition that has the event: a join would read the whole log.
    cross join lateral (select * from activity_log a where a.created_at = e.event_at and a.id = e.event_id limit 1) a
    left join projects p on p.id = a.project_id
    where e.position > ${after} and ${condition} order by e.position limit ${limit}`
  // Whoever sees nothing but few projects finds the next events of each: those of all would be read past what they do not see.
  const events = seesCompanyEvents(actor)
    ? sql`(${eventsWhere(isVisible(actor))})`
    : sql`(${visibleProjects(actor, { deletedToo: true })}) own cross join lateral (${eventsWhere(sql<SqlBool>`e.project_id = own.id`)})`
  const { rows } = await sql<Static<typeof Change>>`
    select a.position, a.entity_type || '.' || a.action as type, a.entity_type, a.entity_id, a.project_id, a.created_at as at,
      jsonb_build_object('action', a.action, 'actor_id', a.actor_id, 'task_id', a.task_id, 'version', a.version, 'changes', a.changes,
        'detail', a.data, 'request_id', a.request_id) as data
    from ${events} a order by a.position limit ${limit}`.execute(db)
  return rows
}
