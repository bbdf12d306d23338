import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { NotFound, withMembers } from '../../plugins/errors.js'
import type { Origin } from '../activity/index.js'
import { stale } from '../shared/etags.js'
import { visibleProject } from '../shared/visibility.js'
import { changeTasks, type Outcome } from './change.js'
import { MergeConflict } from './errors.js'
import type { View } from './queries.js'
import type { TaskFields } from './schemas.js'

/** The same instant in two spellings is no conflict, nor are two writers who want the same. */
function isSame (field: string, a: unknown, b: unknown): boolean {
  if (field === 'due_at' && typeof a === 'string' && typeof b === 'string') return Date.parse(a) === Date.parse(b)
  return isDeepStrictEqual(a, b)
}

/**
 * Changes a task on the base of an older version: fields that nobody changed since are applied; one that someone else
 * changed to something else refuses the whole with base, yours and theirs. The row is locked before the log is read, so
 * that no change can come in between.
 */
export function mergeTask (db: Db, { id, baseVersion, set, versions, view, origin }: { id: string, baseVersion: number, set: TaskFields, versions?: number[], view: View, origin: Origin }): Promise<Outcome> {
  return db.transaction().execute(async (trx) => {
    const { rows: [locked] } = await sql<{ version: number }>`
      select t.version from tasks t join projects p on p.id = t.project_id
      where t.id = ${id} and t.deleted_at is null and ${visibleProject(view.actor)} for update of t`.execute(trx)
    if (locked === undefined) throw new NotFound('task')
    if (baseVersion > locked.version) throw stale(locked.version)

    const { rows: changed } = await sql<{ field: string, base: unknown, theirs: unknown }>`
      select c.key as field, (array_agg(c.value -> 0 order by a.version))[1] as base, (array_agg(c.value -> 1 order by a.version desc))[1] as theirs
      from activity_log a, jsonb_each(a.changes) c
      where a.entity_type = 'task' and a.entity_id = ${id} and a.version > ${baseVersion}
      group by c.key`.execute(trx)
    const conflicts = changed
      .filter(({ field, theirs }) => field in set && !isSame(field, theirs, set[field as keyof TaskFields]))
      .map(({ field, base, theirs }) => [field, { base, yours: set[field as keyof TaskFields], theirs }] as const)
    if (conflicts.length > 0) {
      throw withMembers(new MergeConflict(conflicts.map(([field]) => field).join(', ')), {
        conflicts: Object.fromEntries(conflicts),
        current_version: locked.version,
        errors: conflicts.map(([path]) => ({ path, message: 'was changed by someone else since' }))
      })
    }
    const [outcome] = await changeTasks(trx, { changes: [{ id, set, versions }], view, origin })
    return outcome as Outcome
  })
}
