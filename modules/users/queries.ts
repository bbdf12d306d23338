import { sql, type ExpressionBuilder } from 'kysely'
import { allowedInProjects, type Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import type { DB } from '../../plugins/database/types.generated.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { GrantExceedsOwn, heldBeyond, type OnRecord } from '../shared/grants.js'
import { newId } from '../shared/ids.js'
import { inTransaction } from '../shared/transaction.js'
import { visibleProject } from '../shared/visibility.js'
import type { Static } from 'typebox'
import type { CreateUser, UpdateUser, User } from './schemas.js'

export type UserRow = Static<typeof User>

const columns = ['id', 'email', 'name', 'job_title', 'phone', 'department', 'timezone', 'locale', 'is_active', 'version', 'created_at', 'updated_at'] as const

const orders: Record<string, Order> = { name: { by: sql`lower(name)`, type: 'text' } }

/** The slugs of the roles that a row of `users` holds. */
const roles = (eb: ExpressionBuilder<DB, 'users'>) => eb.fn<string[]>('array', [
  eb.selectFrom('user_roles').innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .whereRef('user_roles.user_id', '=', 'users.id').select('slug').orderBy('slug')
]).as('roles')

export interface UserFilter { department?: string[], active?: boolean }

const filtered = (db: Db, { department, active }: UserFilter) => db.selectFrom('users')
  .$if(department !== undefined, (qb) => qb.where('department', '=', sql<string>`any(${department})`))
  .$if(active !== undefined, (qb) => qb.where('is_active', '=', active as boolean))

/** One page of people, and one row more when there is a next page. */
export function listUsers (db: Db, { filter, page }: { filter: UserFilter, page: PageRequest }) {
  return keyset(filtered(db, filter).select(columns).select(roles), orders, sql`id`, page).$castTo<UserRow & Keyed>().execute()
}

export async function countUsers (db: Db, filter: UserFilter): Promise<number> {
  const { total } = await filtered(db, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export function findUser (db: Db, id: string) {
  return db.selectFrom('users').select(columns).select(roles).where('id', '=', id).$castTo<UserRow>().executeTakeFirst()
}

const fields = (alias: string) => sql`jsonb_build_object('email', ${sql.ref(alias)}.email, 'name', ${sql.ref(alias)}.name, 'job_title', ${sql.ref(alias)}.job_title,
  'phone', ${sql.ref(alias)}.phone, 'department', ${sql.ref(alias)}.department, 'timezone', ${sql.ref(alias)}.timezone, 'locale', ${sql.ref(alias)}.locale,
  'is_active', ${sql.ref(alias)}.is_active)`
const typed = sql.raw('email citext, name text, job_title text, phone text, department text, timezone text, locale text, is_active boolean')
const names = sql.raw('email, name, job_title, phone, department, timezone, locale, is_active')

/** Adds a person, who may do nothing yet, and records the event. */
export function createUser (db: Db, { id = newId(), values, origin, record }: { id?: string, values: CreateUser, origin: Origin, record: OnRecord }): Promise<UserRow> {
  return inTransaction(db, async (trx) => {
    await sql`
    with after as (
      insert into users (id, ${names}, created_at, updated_at)
      select ${id}::uuid, n.*, m.at, m.at
      from (select clock_timestamp() as at) m, jsonb_to_record(${JSON.stringify({ timezone: 'America/Toronto', locale: 'en-CA', is_active: true, ...values })}::jsonb) as n (${typed})
      returning *
    ), event as (
      select ${newId()}::uuid as event_id, a.created_at as at, 'user' as entity_type, a.id as entity_id, 'created' as action, null::uuid as project_id,
        null::uuid as task_id, a.version, jsonb_changes('{}', jsonb_strip_nulls(${fields('a')})) as changes, '{}'::jsonb as data
      from after a
    ), ${recordEvents(origin)}
    select from after`.execute(trx)
    await record(trx, { event: 'person_changed', targetType: 'user', targetId: id, details: { change: 'added', email: values.email } })
    return await findUser(trx, id) as UserRow
  })
}

export interface UserChange {
  id: string
  set: UpdateUser
  versions?: number[]
  origin: Origin
  /** What whoever changes somebody else holds: who holds more gets no other address from them, and is neither sent away nor let in again. */
  own?: string[]
  record?: OnRecord
}

/**
 * Locks a person's row. An address is a key: who changes it keeps away whatever refers to that person, such as what they do
 * themselves. So it is locked as a whole at once, and with it what the event refers to, in one order for all.
 */
async function lockPerson (trx: Db, { id, whole, actorId }: { id: string, whole: boolean, actorId: string }): Promise<void> {
  const lock = (one: string) => trx.selectFrom('users').select('id').where('id', '=', one)
  if (whole) {
    const person = id.toLowerCase()
    for (const one of [...new Set([person, actorId])].sort()) await (one === person ? lock(one).forUpdate() : lock(one).forKeyShare()).execute()
  } else await lock(id).forNoKeyUpdate().execute()
}

/**
 * Changes a person and records the event; a change that changes nothing records nothing. The row is locked first: whoever
 * waited for it sees the roles that were given meanwhile.
 * @returns the version after the change, or undefined when `versions` does not have the current one or there is nobody
 * @throws GrantExceedsOwn when the change is beyond what the caller holds
 */
export function updateUser (db: Db, { id, set, versions, origin, own, record }: UserChange): Promise<number | undefined> {
  return inTransaction(db, async (trx) => {
    await lockPerson(trx, { id, whole: set.email !== undefined, actorId: origin.actorId })
    const { rows: [row] } = await sql<{ version: number, beyond: string[], reach: Record<string, unknown[]> | null }>`
      with locked as materialized (
        select u.*, ${fields('u')} as old, ${fields('u')} || ${JSON.stringify(set)}::jsonb as new from users u
        where id = ${id} and (${versions ?? null}::int[] is null or version = any(${versions ?? null}::int[]))
      ), judged as materialized (
        select l.*, case when ${own !== undefined} and (old -> 'email', old -> 'is_active') is distinct from (new -> 'email', new -> 'is_active')
          then ${heldBeyond(sql.ref('l.id'), own ?? [])} else '{}' end as beyond
        from locked l
      ), wanted as materialized (
        select j.id, n.*, j.old, j.new, greatest(clock_timestamp(), j.updated_at + interval '1 microsecond') as at
        from judged j, jsonb_to_record(j.new) as n (${typed}) where j.beyond = '{}'
      ), after as (
        update users u set (${names}, updated_at, version) = (select w.email, w.name, w.job_title, w.phone, w.department, w.timezone, w.locale, w.is_active, w.at, u.version + 1)
        from wanted w where u.id = w.id and w.old <> w.new returning u.id, u.version
      ), event as (
        select ${newId()}::uuid as event_id, w.at, 'user' as entity_type, a.id as entity_id, 'updated' as action, null::uuid as project_id,
          null::uuid as task_id, a.version, jsonb_changes(w.old, w.new) as changes, '{}'::jsonb as data
        from after a join wanted w on w.id = a.id
      ), ${recordEvents(origin)}
      select coalesce(a.version, j.version) as version, j.beyond,
        case when a.id is not null and (old -> 'email', old -> 'is_active') is distinct from (new -> 'email', new -> 'is_active') then
          jsonb_changes(jsonb_build_object('email', old -> 'email', 'is_active', old -> 'is_active'), jsonb_build_object('email', new -> 'email', 'is_active', new -> 'is_active')) end as reach
      from judged j left join after a on a.id = j.id`.execute(trx)
    if (row !== undefined && row.beyond.length > 0) throw new GrantExceedsOwn(row.beyond.join(', '))
    if (row?.reach != null) await record?.(trx, { event: 'person_changed', targetType: 'user', targetId: id, details: { change: row.reach } })
    return row?.version
  })
}

/** What the caller may do, and what that means: in the company or, with what a role there adds, in a project. @returns undefined when they see no such project */
export async function describePermissions (db: Db, { actor, project }: { actor: Actor, project?: string }) {
  const { rows: [row] } = await sql<{ permissions: { code: string, description: string }[] }>`
    select coalesce((
      select jsonb_agg(jsonb_build_object('code', c.code, 'description', c.description) order by c.code) from permissions c
      where c.code = any(${actor.permissions}::text[])
        or (c.code = any(array(${allowedInProjects(actor.id, sql`m.project_id = ${project ?? null}`)})) and c.code = any(coalesce(${actor.scopes ?? null}::text[], array[c.code])))
    ), '[]') as permissions
    where ${project ?? null}::uuid is null or exists (select from projects p where p.id = ${project ?? null} and ${visibleProject(actor)})`.execute(db)
  return row?.permissions
}
