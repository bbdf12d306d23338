import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'

/** What companies and contacts have in common: a table whose rows are added and changed field by field, as events. */
export interface Kept {
  table: 'companies' | 'contacts'
  entityType: 'company' | 'contact'
  /** The fields that a change may set, and their types. */
  fields: Record<string, 'text' | 'citext'>
}

const fieldsOf = ({ fields }: Kept, alias: string): RawBuilder<unknown> =>
  sql`jsonb_build_object(${sql.join(Object.keys(fields).flatMap((field) => [sql.lit(field), sql.ref(`${alias}.${field}`)]))})`
const recordOf = ({ fields }: Kept): RawBuilder<unknown> => sql.raw(Object.entries(fields).map(([field, type]) => `${field} ${type}`).join(', '))
const namesOf = ({ fields }: Kept): RawBuilder<unknown> => sql.raw(Object.keys(fields).join(', '))

/** What an event of `from` (id, version, at) says. */
const event = ({ entityType }: Kept, action: string, changes: RawBuilder<unknown>, from: RawBuilder<unknown>) => sql`
  event as (
    select ${newId()}::uuid as event_id, at, ${entityType}::text as entity_type, id as entity_id, ${action}::text as action, null::uuid as project_id,
      null::uuid as task_id, version, ${changes} as changes, '{}'::jsonb as data
    from ${from}
  )`

/**
 * Adds a row and records the event, in one statement.
 * @param companyId the company that it belongs to, which must be there and stay until this is done
 * @returns its id, or undefined when there is no such company
 */
export async function addRecord (db: Db, kept: Kept, { values, companyId, origin }: { values: object, companyId?: string, origin: Origin }): Promise<string | undefined> {
  const id = newId()
  const { rows } = await sql`
    with owner as materialized (
      ${companyId === undefined ? sql`select null::uuid as id` : sql`select id from companies where id = ${companyId} and deleted_at is null for key share`}
    ), after as (
      insert into ${sql.table(kept.table)} (id, ${companyId === undefined ? sql`` : sql`company_id, `}${namesOf(kept)}, created_at, updated_at)
      select ${id}::uuid, ${companyId === undefined ? sql`` : sql`o.id, `}n.*, m.at, m.at
      from owner o, (select clock_timestamp() as at) m, jsonb_to_record(${JSON.stringify(values)}::jsonb) as n (${recordOf(kept)})
      returning *, created_at as at
    ), ${event(kept, 'created', sql`jsonb_changes('{}', jsonb_strip_nulls(${fieldsOf(kept, 'after')}))`, sql`after`)}, ${recordEvents(origin)}
    select from after`.execute(db)
  return rows.length > 0 ? id : undefined
}

/**
 * Changes a row and records the event, in one statement; a change that changes nothing records nothing.
 * @returns its version now and whether that was one of `versions`, or undefined when there is no such row
 */
export async function changeRecord (db: Db, kept: Kept, { id, set, versions, origin }: { id: string, set: object, versions?: number[], origin: Origin }): Promise<{ version: number, fresh: boolean } | undefined> {
  const table = sql.table(kept.table)
  const { rows: [row] } = await sql<{ version: number, fresh: boolean }>`
    with locked as materialized (
      select x.*, ${versions ?? null}::int[] is null or x.version = any(${versions ?? null}::int[]) as fresh,
        greatest(clock_timestamp(), x.updated_at + interval '1 microsecond') as at
      from ${table} x where x.id = ${id} and x.deleted_at is null for no key update of x
    ), after as (
      update ${table} x set (${namesOf(kept)}, updated_at, version) = (select n.*, l.at, l.version + 1 from jsonb_to_record(${fieldsOf(kept, 'l')} || ${JSON.stringify(set)}::jsonb) as n (${recordOf(kept)}))
      from locked l
      where x.id = l.id and l.fresh and ${fieldsOf(kept, 'l')} || ${JSON.stringify(set)}::jsonb <> ${fieldsOf(kept, 'l')}
      returning x.id, x.version, l.at, jsonb_changes(${fieldsOf(kept, 'l')}, ${fieldsOf(kept, 'x')}) as changes
    ), ${event(kept, 'updated', sql`changes`, sql`after`)}, ${recordEvents(origin)}
    select fresh, coalesce((select version from after), version) as version from locked`.execute(db)
  return row
}
