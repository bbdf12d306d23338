import createError from '@fastify/error'
import { sql, type ExpressionBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../plugins/database/index.js'
import type { DB } from '../../plugins/database/types.generated.js'
import { NotFound } from '../../plugins/errors.js'
import { isUuid } from '../../plugins/validation.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { refuseBeyond, type OnRecord } from '../shared/grants.js'
import { stale } from '../shared/etags.js'
import { newId } from '../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { inTransaction } from '../shared/transaction.js'
import { AdministratorWhole, SystemRole } from './rules.js'
import type { CreateRole, Role, UpdateRole } from './schemas.js'

export type RoleRow = Static<typeof Role>
const UnknownPermission = createError<[string]>('EDEN_UNKNOWN_PERMISSION', 'permissions: there is no %s', 422)

const columns = ['id', 'slug', 'name', 'description', 'is_system', 'version', 'created_at', 'updated_at'] as const
const orders: Record<string, Order> = { name: { by: sql`lower(name)`, type: 'text' } }

const allowed = (eb: ExpressionBuilder<DB, 'roles'>) => eb.fn<string[]>('array', [
  eb.selectFrom('role_permissions').whereRef('role_id', '=', 'roles.id').select('permission_code').orderBy('permission_code')
]).as('permissions')

/** Everything that a role may allow. */
export const listPermissions = (db: Db) => db.selectFrom('permissions').select(['code', 'description']).orderBy('code').execute()

/** One page of the roles, and one row more when there is a next page. */
export function listRoles (db: Db, page: PageRequest) {
  return keyset(db.selectFrom('roles').select(columns).select(allowed), orders, sql`id`, page).$castTo<RoleRow & Keyed>().execute()
}

export async function countRoles (db: Db): Promise<number> {
  const { total } = await db.selectFrom('roles').select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export const findRole = (db: Db, id: string) => db.selectFrom('roles').select(columns).select(allowed).where('id', '=', id).$castTo<RoleRow>().executeTakeFirst()

/**
 * A role, locked until the transaction ends: nobody gives it while somebody changes what it allows. Locked first and read
 * then: a statement that waited would still see what the role allowed before.
 */
async function lockRole (trx: Db, which: { id: string } | { slug: string }, mode: 'update' | 'share'): Promise<RoleRow | undefined> {
  const locked = await trx.selectFrom('roles').select('id')
    .$call((qb) => 'id' in which ? qb.where('id', '=', which.id) : qb.where('slug', '=', which.slug))
    .$call((qb) => mode === 'update' ? qb.forUpdate() : qb.forShare()).executeTakeFirst()
  return locked === undefined ? undefined : findRole(trx, locked.id)
}

/** @throws UnknownPermission for a code that there is not; GrantExceedsOwn for one that the caller does not hold */
async function refuseUnheld (db: Db, own: string[], asked: string[]): Promise<void> {
  const beyond = asked.filter((code) => !own.includes(code))
  if (beyond.length === 0) return
  const known = new Set((await listPermissions(db)).map(({ code }) => code))
  const unknown = beyond.filter((code) => !known.has(code))
  if (unknown.length > 0) throw new UnknownPermission(unknown.join(', '))
  refuseBeyond(own, beyond)
}

const fields = (role: Pick<RoleRow, 'slug' | 'name' | 'description' | 'permissions'>) => ({ slug: role.slug, name: role.name, description: role.description, permissions: role.permissions })

/** Adds a role and records the event. @param own what the caller holds: more cannot be given */
export async function createRole (db: Db, { values, own, origin, record }: { values: CreateRole, own: string[], origin: Origin, record: OnRecord }): Promise<RoleRow> {
  const { slug, name, description = '' } = values
  const permissions = [...values.permissions ?? []].sort() // as a role has them: what a later event says it had is what this one says
  await refuseUnheld(db, own, permissions)
  const id = newId()
  return inTransaction(db, async (trx) => {
    await sql`
    with after as (
      insert into roles (id, slug, name, description, created_at, updated_at)
      select ${id}::uuid, ${slug}, ${name}, ${description}, at, at from (select clock_timestamp() as at) moment
      returning id, version, created_at
    ), allowed as (
      insert into role_permissions (role_id, permission_code) select a.id, code from after a, unnest(${permissions}::text[]) code
    ), event as (
      select ${newId()}::uuid as event_id, created_at as at, 'role' as entity_type, id as entity_id, 'created' as action, null::uuid as project_id, null::uuid as task_id,
        version, jsonb_changes('{}', ${JSON.stringify(fields({ slug, name, description, permissions }))}::jsonb) as changes, '{}'::jsonb as data
      from after
    ), ${recordEvents(origin)}
    select from after`.execute(trx)
    await record(trx, { event: 'role_changed', targetType: 'role', targetId: id, details: { change: 'added', slug, permissions } })
    return await findRole(trx, id) as RoleRow
  })
}

/**
 * Changes a role and records the event. The role is locked first, so that what it allows is what was looked at; a change
 * that changes nothing records nothing.
 * @param own what the caller holds: neither what the role allowed nor what it is to allow can be more
 */
export function updateRole (db: Db, { id, set, own, versions, origin, record }: { id: string, set: UpdateRole, own: string[], versions?: number[], origin: Origin, record: OnRecord }): Promise<RoleRow> {
  return inTransaction(db, async (trx) => {
    const before = await lockRole(trx, { id }, 'update')
    if (before === undefined) throw new NotFound('role')
    if (versions !== undefined && !versions.includes(before.version)) throw stale(before.version)
    const after = { ...before, ...set, permissions: [...set.permissions ?? before.permissions].sort() }
    refuseBeyond(own, before.permissions)
    await refuseUnheld(trx, own, after.permissions)
    if (before.slug === 'admin' && before.is_system && before.permissions.some((code) => !after.permissions.includes(code))) throw new AdministratorWhole()
    if (JSON.stringify(fields(before)) === JSON.stringify(fields(after))) return before
    await sql`
      with after as (
        update roles set name = ${after.name}, description = ${after.description}, version = version + 1,
          updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
        where id = ${id} returning id, version, updated_at
      ), taken as (
        delete from role_permissions where role_id = ${id} and permission_code <> all(${after.permissions}::text[])
      ), given as (
        insert into role_permissions (role_id, permission_code) select id, code from after, unnest(${after.permissions}::text[]) code
        on conflict do nothing
      ), event as (
        select ${newId()}::uuid as event_id, updated_at as at, 'role' as entity_type, id as entity_id, 'updated' as action, null::uuid as project_id, null::uuid as task_id,
          version, jsonb_changes(${JSON.stringify(fields(before))}::jsonb, ${JSON.stringify(fields(after))}::jsonb) as changes, jsonb_build_object('role_name', ${after.name}::text) as data
        from after
      ), ${recordEvents(origin)}
      select from after`.execute(trx)
    const [given, taken] = [after.permissions.filter((code) => !before.permissions.includes(code)), before.permissions.filter((code) => !after.permissions.includes(code))]
    await record(trx, { event: 'role_changed', targetType: 'role', targetId: id, details: { change: 'changed', slug: before.slug, given, taken } })
    return await findRole(trx, id) as RoleRow
  })
}

/** Deletes a role that nobody holds (a foreign key sees to that) and records the event. */
export function deleteRole (db: Db, { id, own, versions, origin, record }: { id: string, own: string[], versions?: number[], origin: Origin, record: OnRecord }): Promise<void> {
  return inTransaction(db, async (trx) => {
    const role = await lockRole(trx, { id }, 'update')
    if (role === undefined) throw new NotFound('role')
    if (versions !== undefined && !versions.includes(role.version)) throw stale(role.version)
    refuseBeyond(own, role.permissions)
    if (role.is_system) throw new SystemRole()
    await sql`
      with gone as (
        delete from roles where id = ${id} returning id, version
      ), event as (
        select ${newId()}::uuid as event_id, clock_timestamp() as at, 'role' as entity_type, id as entity_id, 'deleted' as action, null::uuid as project_id, null::uuid as task_id,
          version, jsonb_changes(${JSON.stringify(fields(role))}::jsonb, '{"slug": null, "name": null, "description": null, "permissions": null}') as changes, '{}'::jsonb as data
        from gone
      ), ${recordEvents(origin)}
      select from gone`.execute(trx)
    await record(trx, { event: 'role_changed', targetType: 'role', targetId: id, details: { change: 'deleted', slug: role.slug } })
  })
}

/**
 * Gives a person a role, or takes it, and records the event; what was so before is no change. The person's version counts
 * it, for their roles are part of them.
 * @param own what the caller holds: neither can be given or taken what allows more
 * @returns the id of the role
 */
export function setUserRole (db: Db, { userId, role: which, held, own, origin, record }: { userId: string, role: string, held: boolean, own: string[], origin: Origin, record: OnRecord }): Promise<string> {
  return inTransaction(db, async (trx) => {
    const role = await lockRole(trx, isUuid(which) ? { id: which } : { slug: which }, 'share')
    if (role === undefined) throw new NotFound('role')
    const user = await trx.selectFrom('users').select('id').where('id', '=', userId).forNoKeyUpdate().executeTakeFirst()
    if (user === undefined) throw new NotFound('user')
    refuseBeyond(own, role.permissions)
    const { rows } = await sql`
      with changed as (
        ${held
          ? sql`insert into user_roles (user_id, role_id) values (${userId}, ${role.id}) on conflict do nothing returning user_id`
          : sql`delete from user_roles where user_id = ${userId} and role_id = ${role.id} returning user_id`}
      ), after as (
        update users u set version = u.version + 1, updated_at = greatest(clock_timestamp(), u.updated_at + interval '1 microsecond')
        from changed c where u.id = c.user_id returning u.id, u.version, u.updated_at
      ), event as (
        select ${newId()}::uuid as event_id, updated_at as at, 'user' as entity_type, id as entity_id, ${held ? 'role_given' : 'role_taken'}::text as action,
          null::uuid as project_id, null::uuid as task_id, version,
          jsonb_build_object('role', ${held ? sql`jsonb_build_array(null, ${role.slug}::text)` : sql`jsonb_build_array(${role.slug}::text, null)`}) as changes,
          jsonb_build_object('user_id', id, 'role_id', ${role.id}::uuid, 'role_name', ${role.name}::text) as data
        from after
      ), ${recordEvents(origin)}
      select from after`.execute(trx)
    if (rows.length > 0) await record(trx, { event: held ? 'role_given' : 'role_taken', targetType: 'user', targetId: userId, details: { role: role.slug } })
    return role.id
  })
}
