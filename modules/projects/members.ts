import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'
import { visibleProject } from '../shared/visibility.js'
import type { Actor } from '../../plugins/auth/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import type { Static } from 'typebox'
import type { Member } from './schemas.js'

export type MemberRow = Static<typeof Member>

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

/**
 * Puts a person on a project, or gives them another role there, and records the event. The project is locked first, so
 * that the event tells the role that was given just before.
 */
export async function setMember (db: Db, { projectId, userId, role, origin }: { projectId: string, userId: string, role: string, origin: Origin }): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom('projects').select('id').where('id', '=', projectId).forNoKeyUpdate().execute()
    await sql`
      with before as (
        select role from project_members where project_id = ${projectId} and user_id = ${userId}
      ), after as (
        insert into project_members (project_id, user_id, role, added_by) values (${projectId}, ${userId}, ${role}, ${origin.actorId})
        on conflict (project_id, user_id) do update set role = excluded.role, version = project_members.version + 1, updated_at = clock_timestamp()
        where project_members.role <> excluded.role
        returning role
      ), event as (
        select ${newId()}::uuid as event_id, clock_timestamp() as at, 'project' as entity_type, p.id as entity_id,
          case when b.role is null then 'member_added' else 'member_changed' end as action, p.id as project_id, null::uuid as task_id, p.version,
          jsonb_build_object('member_role', jsonb_build_array(b.role, a.role)) as changes, jsonb_build_object('user_id', ${userId}::uuid) as data
        from after a left join before b on true join projects p on p.id = ${projectId}
      ), ${recordEvents(origin)}
      select from after`.execute(trx)
  })
}

/**
 * Takes a person off a project and records the event, in one statement.
 * @returns whether they were on it
 */
export async function removeMember (db: Db, { projectId, userId, origin }: { projectId: string, userId: string, origin: Origin }): Promise<boolean> {
  const { rows } = await sql`
    with gone as (
      delete from project_members where project_id = ${projectId} and user_id = ${userId} returning role
    ), event as (
      select ${newId()}::uuid as event_id, clock_timestamp() as at, 'project' as entity_type, p.id as entity_id, 'member_removed' as action,
        p.id as project_id, null::uuid as task_id, p.version, jsonb_build_object('member_role', jsonb_build_array(g.role, null)) as changes,
        jsonb_build_object('user_id', ${userId}::uuid) as data
      from gone g join projects p on p.id = ${projectId}
    ), ${recordEvents(origin)}
    select from gone`.execute(db)
  return rows.length > 0
}
