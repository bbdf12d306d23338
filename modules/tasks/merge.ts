import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { NotFound, withMembers } from '../../plugins/errors.js'
import type { Origin } from '../activity/index.js'
import { stale } from '../shared/etags.js'
import { lookAgain } from '../shared/transaction.js'
import { visibleProject } from '../shared/visibility.js'
import { changeTasks, wholeCourt, type Outcome } from './change.js'
import { taskFields, taskRecord } from './columns.js'
import { MergeConflict } from './errors.js'
import { lockFamilies } from './families.js'
import type { View } from './queries.js'
import type { TaskFields, TaskSet } from './schemas.js'

/**
 * Changes a task on the base of an older version: fields that nobody changed since are applied; one that someone else
 * changed to something else refuses the whole with base, yours and theirs; two writers who want the same value, in whatever
 * spelling, do not conflict. The row is locked before the log is read, so
 * that no change can come in between; and families before the row, as by everyone who gives a task a parent.
 */
export function mergeTask (db: Db, { id, baseVersion, set: asked, versions, view, origin }: { id: string, baseVersion: number, set: TaskFields, versions?: number[], view: View, origin: Origin }): Promise<Outcome> {
  const set = wholeCourt(asked)
  return db.transaction().execute(async (trx) => {
    // As it is locked by what follows, and before the log is: whoever adds a partition to the log locks the two in this order.
    await sql`lock table tasks in row exclusive mode`.execute(trx)
    if ('parent_id' in set) await sql`${lockFamilies(sql`select project_id from tasks where id = ${id}`)}`.execute(trx)
    const locked = await lookAgain(async () => (await sql<{ version: number }>`
      select t.version from tasks t join projects p on p.id = t.project_id
      where t.id = ${id} and t.deleted_at is null and ${visibleProject(view.actor)} for no key update of t`.execute(trx)).rows[0])
    if (locked === undefined) throw new NotFound('task')
    if (baseVersion > locked.version) throw stale(locked.version)

    const { rows: changed } = await sql<{ field: string, base: unknown, theirs: unknown, same: boolean }>`
      select c.key as field, (array_agg(c.value -> 0 order by a.version))[1] as base, (array_agg(c.value -> 1 order by a.version desc))[1] as theirs,
        (array_agg(c.value -> 1 order by a.version desc))[1] = w.wanted -> c.key as same
      from activity_log a, jsonb_each(a.changes) c, (select ${taskFields('n')} from jsonb_to_record(${JSON.stringify(set)}::jsonb) as n ${taskRecord}) w (wanted)
      where a.entity_type = 'task' and a.entity_id = ${id} and a.version > ${baseVersion}
      group by c.key, w.wanted`.execute(trx)
    const conflicts = changed
      .filter(({ field, same }) => field in set && !same)
      .map(({ field, base, theirs }) => [field, { base, yours: set[field as keyof TaskSet], theirs }] as const)
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
