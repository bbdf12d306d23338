import { sql, type RawBuilder, type SqlBool } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { keyset, keysetOfEach, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { isAny } from '../shared/sql.js'
import { inTransaction, lookAgain } from '../shared/transaction.js'
import { mayInProject, projectAllows, seesOnlyOwnProjects, visibleProject, visibleProjects } from '../shared/visibility.js'
import { taskKey } from '../tasks/index.js'
import type { CreateGuestLink, GuestLink, states } from './schemas.js'

export type GuestLinkRow = Static<typeof GuestLink>
type State = (typeof states)[number]

/** What one must be allowed in a project to show it and its tasks to guests: nobody shows what they may not read themselves. */
const neededToShow = ['projects:share', 'projects:read', 'tasks:read'] as const

/** Whether who made a link `g`, the person `u`, may show what it shows, the project `p` or the task `t` in it. */
const isTheirsToShow = sql<boolean>`(p.deleted_at is null and t.deleted_at is null and u.is_active and ${sql.join(neededToShow.map((one) => projectAllows(sql.ref('g.created_by'), one)), sql` and `)})`

/** What a link is in each state: exactly one of them. */
const isIn: Record<State, RawBuilder<SqlBool>> = {
  revoked: sql`g.revoked_at is not null`,
  expired: sql`(g.revoked_at is null and g.expires_at <= now())`,
  live: sql`(g.revoked_at is null and g.expires_at > now() and ${isTheirsToShow})`,
  suspended: sql`(g.revoked_at is null and g.expires_at > now() and not ${isTheirsToShow})`
}
const state = sql<State>`case when ${isIn.revoked} then 'revoked' when ${isIn.expired} then 'expired' when ${isTheirsToShow} then 'live' else 'suspended' end`

const columns = [
  sql<string>`g.id`.as('id'), sql`g.name`.as('name'),
  sql`jsonb_build_object('id', p.id, 'code', p.code, 'name', p.name)`.as('project'),
  sql`case when t.id is not null then jsonb_build_object('id', t.id, 'key', ${taskKey}, 'title', t.title) end`.as('task'),
  state.as('state'),
  sql`jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email)`.as('created_by'),
  sql`g.created_at`.as('created_at'), sql`g.expires_at`.as('expires_at'), sql`g.revoked_at`.as('revoked_at'), sql`g.last_used_at`.as('last_used_at')
]
const orders: Record<string, Order> = { created_at: { by: sql`g.created_at`, type: 'timestamptz' } }

/** What a list shows: links to which projects and what is in them, to which tasks, and in which states. */
export interface GuestLinkFilter { project?: string[], task?: string[], state?: string[] }

const links = (db: Db) => db.selectFrom('guest_links as g').innerJoin('projects as p', 'p.id', 'g.project_id').leftJoin('tasks as t', 't.id', 'g.task_id').innerJoin('users as u', 'u.id', 'g.created_by')

const filtered = (db: Db, actor: Actor, { project, task, state: wanted }: GuestLinkFilter) => links(db)
  .where(visibleProject(actor, { deletedToo: true }))
  .$if(project !== undefined, (qb) => qb.where(isAny('g.project_id', 'uuid', project ?? [])))
  .$if(task !== undefined, (qb) => qb.where(isAny('g.task_id', 'uuid', task ?? [])))
  .$if(wanted !== undefined, (qb) => qb.where((eb) => eb.or((wanted ?? []).map((one) => isIn[one as State]))))

/**
 * One page of the links into projects that the person may share, whoever made them, and one row more when there is a next
 * page. What their makers may is asked for those alone: for all links PostgreSQL would first read every member of every project.
 */
export function listGuestLinks (db: Db, { actor, filter, page }: { actor: Actor, filter: GuestLinkFilter, page: PageRequest }): Promise<(GuestLinkRow & Keyed)[]> {
  const direction = page.sort?.startsWith('-') === true ? 'desc' : 'asc'
  const walk = () => keyset(filtered(db, actor, filter).select('g.id'), orders, sql`g.id`, page)
  const ofOwn = () => keysetOfEach<Keyed>(visibleProjects(actor, { deletedToo: true }), (project) => walk().where('g.project_id', '=', project), orders, page)
  return db.with((cte) => cte('page').materialized(), () => seesOnlyOwnProjects(actor) ? sql<Keyed>`(${ofOwn()})` : sql<Keyed>`${walk()}`)
    .selectFrom('page').innerJoin('guest_links as g', 'g.id', 'page.id').innerJoin('projects as p', 'p.id', 'g.project_id').leftJoin('tasks as t', 't.id', 'g.task_id').innerJoin('users as u', 'u.id', 'g.created_by')
    .select(columns).select('page.sort_key').orderBy('g.created_at', direction).orderBy('g.id', direction)
    .$castTo<GuestLinkRow & Keyed>().execute()
}

export async function countGuestLinks (db: Db, { actor, filter }: { actor: Actor, filter: GuestLinkFilter }): Promise<number> {
  const { total } = await filtered(db, actor, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/** A link that was made, or why it was not: `missing` is a permission that one needs there. */
export type Created = { link: GuestLinkRow } | { refused: 'unknown' | 'too_many' } | { refused: 'forbidden', missing: string }

/** Makes a link to what the person sees, when they have fewer than `most` that are good. */
export function createGuestLink (db: Db, { id, actor, hash, values, most }: { id: string, actor: Actor, hash: Buffer, values: CreateGuestLink, most: number }): Promise<Created> {
  const { name, project_id: projectId = null, task_id: taskId = null, expires_at: expires } = values
  const missing = sql`case ${sql.join(neededToShow.map((one) => sql`when not ${mayInProject(actor, one)} then ${one}`), sql` `)} end`
  const target = taskId === null
    ? sql`select p.id as project_id, null::uuid as task_id, ${missing} as missing from projects p where p.id = ${projectId}::uuid and ${visibleProject(actor)}`
    // The key keeps a task where it is until the link is there; who waits for one that is moving looks again where it went.
    : sql`select p.id as project_id, t.id as task_id, ${missing} as missing from tasks t join projects p on p.id = t.project_id where t.id = ${taskId}::uuid and t.deleted_at is null and ${visibleProject(actor)} for key share of t`
  return inTransaction(db, async (trx) => {
    // Two at once are counted one after the other: the second statement sees what the first to come has added.
    await sql`select from users where id = ${actor.id} for no key update`.execute(trx)
    const row = await lookAgain(async () => (await sql<{ made: boolean, missing: string | null }>`
      with target as materialized (${target}), made as (
        insert into guest_links (id, project_id, task_id, name, secret_hash, created_by, expires_at)
        select ${id}::uuid, project_id, task_id, ${name}, ${hash}::bytea, ${actor.id}::uuid, ${expires}::timestamptz from target
        where missing is null and (${links(trx).select((eb) => eb.fn.countAll().as('count')).where('g.created_by', '=', actor.id).where(isIn.live)}) < ${most}
        returning id
      )
      select exists (select from made) as made, missing from target`.execute(trx)).rows[0])
    if (row === undefined) return { refused: 'unknown' }
    if (row.missing !== null) return { refused: 'forbidden', missing: row.missing }
    if (!row.made) return { refused: 'too_many' }
    return { link: await links(trx).select(columns).where('g.id', '=', id).$castTo<GuestLinkRow>().executeTakeFirstOrThrow() }
  })
}

/**
 * Revokes a link, from the next request on.
 * @returns what it was, or undefined when there is none in a project that the person may share which was not revoked before
 */
export async function revokeGuestLink (db: Db, { id, actor }: { id: string, actor: Actor }): Promise<{ name: string, created_by: string, project_id: string, task_id: string | null } | undefined> {
  // Who waits for a task that is moving does so here: the next statement sees the link in the project where it went.
  await sql`select from guest_links where id = ${id} for no key update`.execute(db)
  const { rows: [row] } = await sql<{ name: string, created_by: string, project_id: string, task_id: string | null }>`
    update guest_links g set revoked_at = clock_timestamp(), revoked_by = ${actor.id}::uuid from projects p
    where g.id = ${id} and g.revoked_at is null and p.id = g.project_id and ${visibleProject(actor, { deletedToo: true })}
    returning g.name, g.created_by, g.project_id, g.task_id`.execute(db)
  return row
}

/** A link as whoever comes by it finds it. */
export interface FoundLink {
  id: string
  secret_hash: Buffer
  state: State
  name: string
  expires_at: string
  created_by: string
  project_id: string
  task_id: string | null
  project: { code: string, name: string, description: string | null, status: string | null }
}

/** The link of an id, good or not, and what it says of its project. */
export function findGuestLink (db: Db, id: string): Promise<FoundLink | undefined> {
  return links(db)
    .select(['g.id', 'g.secret_hash', 'g.name', 'g.expires_at', 'g.created_by', 'g.project_id', 'g.task_id', state.as('state')])
    .select(sql`jsonb_build_object('code', p.code, 'name', p.name, 'description', case when g.task_id is null then p.description end, 'status', case when g.task_id is null then p.status end)`.as('project'))
    .where('g.id', '=', id).$castTo<FoundLink>().executeTakeFirst()
}

/** Whether a link is good now, in SQL. */
export const isGood = (db: Db, id: string) => sql<SqlBool>`exists (${links(db).where('g.id', '=', id).where(isIn.live)})`

/** Writes down that a link was used, unless another instance has just done so, or its task is moving: no guest waits for that, nor keeps a connection. */
export async function noteUse (db: Db, { id, at, everyMs }: { id: string, at: Date, everyMs: number }): Promise<void> {
  await sql`update guest_links set last_used_at = ${at} where id = any(array(
    select id from guest_links where id = ${id} and (last_used_at is null or last_used_at <= ${at}::timestamptz - ${everyMs} * interval '1 millisecond') for no key update skip locked))`.execute(db)
}
