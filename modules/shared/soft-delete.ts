import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { Forbidden, NotFound } from '../../plugins/errors.js'
import { stale } from './etags.js'
import { newId } from './ids.js'
import { lookAgain } from './transaction.js'

/** What of a domain a soft delete touches. */
export interface SoftDeletable {
  /** The table, under the alias `x`; it has version, updated_at, deleted_at and deleted_by. */
  table: string
  entityType: string
  /** Joins that end in the project `p`, for visibility. */
  joins: RawBuilder<unknown>
  projectId: RawBuilder<unknown>
  taskId: RawBuilder<unknown>
  /** What must stay where it is until the end: 'for key share of' an alias of the joins. */
  keeps?: RawBuilder<unknown>
  /** What else changes with the row `x`, at the time `w.at`: ', column = value'. */
  also?: RawBuilder<unknown>
}

export interface SoftDelete {
  id: string
  deleted: boolean
  /** Whether the person may see the row. */
  visible: Expression<SqlBool>
  /** Who sees it may also delete it, unless this says otherwise: a condition on `x`, and the permission that makes up for it. */
  unless?: { may: Expression<SqlBool>, permission: string }
  versions?: number[]
  actorId: string
  /** The CTEs that record the events. */
  record: RawBuilder<unknown>
}

/**
 * Deletes a row softly, or brings it back, and records the event, in one statement.
 * @throws NotFound when there is none in the other state that the person may see; Forbidden when it is not theirs to
 * delete; Stale when it is at another version
 */
export async function setDeleted (db: Db, what: SoftDeletable, { id, deleted, visible, unless, versions, actorId, record }: SoftDelete): Promise<void> {
  const row = await lookAgain(async () => (await sql<{ version: number, may: boolean, done: boolean }>`
    with locked as materialized (
      select x.id, x.version, x.updated_at, ${what.projectId} as project_id, ${what.taskId} as task_id, ${unless?.may ?? sql`true`} as may
      from ${sql.table(what.table)} x ${what.joins}
      where x.id = ${id} and (x.deleted_at is null) = ${deleted} and ${visible} for update of x ${what.keeps ?? sql``}
    ), wanted as materialized (
      select *, greatest(clock_timestamp(), updated_at + interval '1 microsecond') as at from locked
      where may and (${versions ?? null}::int[] is null or version = any(${versions ?? null}::int[]))
    ), after as (
      update ${sql.table(what.table)} x set deleted_at = ${deleted ? sql`w.at` : sql`null`}, deleted_by = ${deleted ? sql`${actorId}::uuid` : sql`null`},
        updated_at = w.at, version = x.version + 1 ${what.also ?? sql``}
      from wanted w where x.id = w.id returning x.id, x.version
    ), event as (
      select ${newId()}::uuid as event_id, w.at, ${what.entityType}::text as entity_type, w.id as entity_id,
        ${deleted ? 'deleted' : 'restored'}::text as action, w.project_id, w.task_id, a.version, '{}'::jsonb as changes, '{}'::jsonb as data
      from wanted w join after a on a.id = w.id
    ), ${record}
    select l.version, l.may, a.id is not null as done from locked l left join after a on a.id = l.id`.execute(db)).rows[0])
  if (row === undefined) throw new NotFound(what.entityType)
  if (!row.may) throw new Forbidden(unless?.permission ?? '')
  if (!row.done) throw stale(row.version)
}
