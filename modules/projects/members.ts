import createError from '@fastify/error'
import { sql } from 'kysely'
import { allowedInProjects, type Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { withMembers } from '../../plugins/errors.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { refuseBeyond, type OnRecord } from '../shared/grants.js'
import { newId } from '../shared/ids.js'
import { inTransaction } from '../shared/transaction.js'
import { visibleProject } from '../shared/visibility.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import type { Static } from 'typebox'
import type { Member } from './schemas.js'

export type MemberRow = Static<typeof Member>
const UnknownRole = createError('EDEN_UNKNOWN_ROLE', 'role names no role', 422)

const orders: Record<string, Order> = { name: { by: sql`lower(u.name)`, type: 'text' } }

const ofProject = (db: Db, projectId: string, actor: Actor) => db.selectFrom('project_members as pm')
  .innerJoin('users as u', 'u.id', 'pm.user_id').innerJoin('projects as p', 'p.id', 'pm.project_id')
  .where('pm.project_id', '=', projectId).where(visibleProject(actor))

/** One page of the people on a project, and one row more when there is a next page. */
export function listMembers (db: Db, { projectId, actor, page }: { projectId: string, actor: Actor, page: PageRequest }) {
  const members = ofProject(db, projectId, actor).select(['u.id', 'u.name', 'u.email', 'pm.role', 'pm.created_at'])
  return keyset(members, orders, sql`u.id`, page).$castTo<MemberRow & Keyed>().execute()
}

export async function countMembers (db: Db, { projectId, actor }: { projectId: string, actor: Actor }): Promise<number> {
  const { total } = await ofProject(db, projectId, actor).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export function findMember (db: Db, { projectId, userId }: { projectId: string, userId: string }) {
  return db.selectFrom('project_members as pm').innerJoin('users as u', 'u.id', 'pm.user_id')
    .select(['u.id', 'u.name', 'u.email', 'pm.role', 'pm.created_at'])
    .where('pm.project_id', '=', projectId).where('pm.user_id', '=', userId).$castTo<MemberRow>().executeTakeFirst()
}

/** A change of who is on a project. */
interface Membership { projectId: string, userId: string, actor: Actor, origin: Origin, record: OnRecord }

/**
 * Nobody gives or takes a role in a project that allows more there than they may do themselves. Locks what that depends on until the
 * transaction ends: the roles, the project, the person.
 * @param role the role to give; none to take the one that they have
 * @returns the role that the person has
 * @throws UnknownRole; GrantExceedsOwn
 */
async function judge (trx: Db, { projectId, userId, actor }: Membership, role?: string): Promise<string | undefined> {
  await trx.selectFrom('projects').select('id').where('id', '=', projectId).forNoKeyUpdate().execute()
  const before = (await trx.selectFrom('project_members').select('role').where('project_id', '=', projectId).where('user_id', '=', userId).executeTakeFirst())?.role
  const slugs = [before, role].filter((slug) => slug !== undefined)
  const locked = await trx.selectFrom('roles').select('slug').where('slug', '=', sql<string>`any(${slugs})`).orderBy('slug').forShare().execute()
  if (role !== undefined && !locked.some(({ slug }) => slug === role)) throw withMembers(new UnknownRole(), { errors: [{ path: 'role', message: 'names no role' }] })
  await trx.selectFrom('users').select('id').where('id', '=', userId).forNoKeyUpdate().execute()
  const { rows: [row] } = await sql<{ own: string[], asked: string[] }>`
    select array(${allowedInProjects(actor.id, sql`m.project_id = ${projectId}`)}) as own, array(
      select c.code from roles r join role_permissions rp on rp.role_id = r.id join permissions c on c.code = rp.permission_code
      where r.slug = any(${slugs}) and c.in_projects) as asked`.execute(trx)
  const own = (row?.own ?? []).filter((code) => actor.scopes?.includes(code) ?? true)
  refuseBeyond([...actor.permissions, ...own], row?.asked ?? [])
  return before
}

/**
 * Puts a person on a project, or gives them another role there, and records the event; what was so before is no change.
 * @throws UnknownRole; GrantExceedsOwn
 */
export async function setMember (db: Db, { role, ...membership }: Membership & { role: string }): Promise<void> {
  const { projectId, userId, origin, record } = membership
  await inTransaction(db, async (trx) => {
    const before = await judge(trx, membership, role)
    const { rows } = await sql`
      with after as (
        insert into project_members (project_id, user_id, role, added_by) values (${projectId}, ${userId}, ${role}, ${origin.actorId})
        on conflict (project_id, user_id) do update set role = excluded.role, version = project_members.version + 1, updated_at = clock_timestamp()
        where project_members.role <> excluded.role
        returning role
      ), event as (
        select ${newId()}::uuid as event_id, clock_timestamp() as at, 'project' as entity_type, p.id as entity_id,
          ${before === undefined ? 'member_added' : 'member_changed'}::text as action, p.id as project_id, null::uuid as task_id, p.version,
          jsonb_build_object('member_role', jsonb_build_array(${before ?? null}::text, a.role)) as changes, jsonb_build_object('user_id', ${userId}::uuid) as data
        from after a join projects p on p.id = ${projectId}
      ), ${recordEvents(origin)}
      select from after`.execute(trx)
    if (rows.length > 0) await record(trx, { event: 'project_role_changed', targetType: 'user', targetId: userId, details: { project_id: projectId, from: before, to: role } })
  })
}

/**
 * Takes a person off a project and records the event.
 * @returns whether they were on it
 * @throws GrantExceedsOwn
 */
export function removeMember (db: Db, membership: Membership): Promise<boolean> {
  const { projectId, userId, origin, record } = membership
  return inTransaction(db, async (trx) => {
    const before = await judge(trx, membership)
    if (before === undefined) return false
    await sql`
      with gone as (
        delete from project_members where project_id = ${projectId} and user_id = ${userId} returning role
      ), event as (
        select ${newId()}::uuid as event_id, clock_timestamp() as at, 'project' as entity_type, p.id as entity_id, 'member_removed' as action,
          p.id as project_id, null::uuid as task_id, p.version, jsonb_build_object('member_role', jsonb_build_array(g.role, null)) as changes,
          jsonb_build_object('user_id', ${userId}::uuid) as data
        from gone g join projects p on p.id = ${projectId}
      ), ${recordEvents(origin)}
      select from gone`.execute(trx)
    await record(trx, { event: 'project_role_changed', targetType: 'user', targetId: userId, details: { project_id: projectId, from: before } })
    return true
  })
}
