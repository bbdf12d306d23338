import { sql, type ExpressionBuilder } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import type { DB } from '../../plugins/database/types.generated.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'
import type { Static } from 'typebox'
import type { UpdateMe, User } from './schemas.js'

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

/**
 * Changes what a person may change of themselves, and records the event, in one statement.
 * @returns the version after the change, or undefined when `versions` does not have the current one
 */
export async function updateUser (db: Db, { id, set, versions, origin }: { id: string, set: UpdateMe, versions?: number[], origin: Origin }) {
  const fields = (alias: string) => sql`jsonb_build_object('name', ${sql.ref(alias)}.name, 'job_title', ${sql.ref(alias)}.job_title, 'phone', ${sql.ref(alias)}.phone,
    'timezone', ${sql.ref(alias)}.timezone, 'locale', ${sql.ref(alias)}.locale)`
  const { rows: [row] } = await sql<{ version: number }>`
    with locked as materialized (
      select * from users u where id = ${id} and (${versions ?? null}::int[] is null or version = any(${versions ?? null}::int[])) for update
    ), wanted as materialized (
      select l.id, n.*, ${fields('l')} as old, ${fields('n')} as new, greatest(clock_timestamp(), l.updated_at + interval '1 microsecond') as at
      from locked l, jsonb_to_record(${fields('l')} || ${JSON.stringify(set)}::jsonb) as n (name text, job_title text, phone text, timezone text, locale text)
    ), after as (
      update users u set name = w.name, job_title = w.job_title, phone = w.phone, timezone = w.timezone, locale = w.locale, updated_at = w.at, version = u.version + 1
      from wanted w where u.id = w.id and w.old <> w.new returning u.id, u.version
    ), event as (
      select ${newId()}::uuid as event_id, w.at, 'user' as entity_type, a.id as entity_id, 'updated' as action, null::uuid as project_id,
        null::uuid as task_id, a.version, jsonb_changes(w.old, w.new) as changes, '{}'::jsonb as data
      from after a join wanted w on w.id = a.id
    ), ${recordEvents(origin)}
    select coalesce(a.version, l.version) as version from locked l left join after a on a.id = l.id`.execute(db)
  return row?.version
}

/** What each permission of the caller means. */
export function describePermissions (db: Db, codes: string[]) {
  return db.selectFrom('permissions').select(['code', 'description']).where('code', '=', sql<string>`any(${codes})`).orderBy('code').execute()
}
