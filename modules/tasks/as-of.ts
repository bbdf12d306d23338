import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { visibleProject } from '../shared/visibility.js'
import { taskOf, taskRecord, type TaskRow } from './columns.js'
import type { View } from './queries.js'

/** What the clock says of a task is no activity. */
const reminders = sql.raw("'ball_unacknowledged', 'ball_overdue', 'task_overdue', 'task_idle'")

/** A task that is done or closed needs nobody: whether the status in the log, before (0) or after (1) an event, is such a one. */
const finished = (side: 0 | 1) => sql`coalesce(a.changes -> 'status' ->> ${sql.lit(side)} in ('done', 'closed'), false)`

/**
 * The task as it was at a time, rebuilt from the log in one statement: each field has the value that its last event by then
 * gave it, and the times are those of the events. What its log does not tell is as it is now: project and number, how far the
 * subtasks are, and who may see it. A time that has not come yet is now.
 * @param asOf an RFC 3339 time
 * @returns undefined when there was no such task then, when it was deleted then, or when the person may not see it
 */
export async function findTaskAsOf (db: Db, { id, view: { actor, now }, asOf }: { id: string, view: View, asOf: string }): Promise<TaskRow | undefined> {
  const { rows: [task] } = await sql<TaskRow>`
    with a as materialized (
      select a.* from activity_log a where a.task_id = ${id} and a.created_at <= ${asOf}::timestamptz
    ), fields as (
      -- Of a key that comes again jsonb keeps the last value.
      select jsonb_object_agg(c.key, c.value -> 1 order by a.version) as fields
      from a, jsonb_each(a.changes) c where a.entity_type = 'task'
    ), times as (
      select max(a.version) as version, max(a.created_at) filter (where a.action not in ('ball_acknowledged', 'ball_nudged', 'checklist_reordered', ${reminders})) as updated_at,
        max(a.created_at) filter (where a.action = 'created' or a.changes ?| array['ball_in_court', 'ball_company_id', 'ball_contact_id'] or (a.changes ? 'status' and ${finished(0)} <> ${finished(1)})) as ball_since,
        max(a.created_at) filter (where ${finished(1)} and not ${finished(0)}) as finished_at,
        bool_or(a.action = 'created') as is_whole,
        coalesce((array_agg(a.action order by a.version desc) filter (where a.action in ('deleted', 'restored')))[1] = 'deleted', false) as was_deleted
      from a where a.entity_type = 'task'
    ), active as (
      select max(a.created_at) as at from a
      where a.entity_type = 'task' and a.action not in (${reminders}) or a.entity_type = 'checklist_item' or (a.entity_type = 'comment' and a.action in ('created', 'updated'))
    ), t as (
      select own.id, own.project_id, own.number, own.created_by, own.created_at, null::timestamptz as deleted_at,
        f.*, f.status not in ('done', 'closed') as is_open, times.version, times.updated_at, times.ball_since,
        case when f.status in ('done', 'closed') then times.finished_at end as closed_at, active.at as last_activity_at
      from tasks own, fields, times, active, jsonb_to_record(fields.fields) as f ${taskRecord}
      where own.id = ${id} and times.is_whole and not times.was_deleted
    )
    select ${taskOf(Date.parse(asOf) < now.getTime() ? asOf : now)} from t join projects p on p.id = t.project_id where ${visibleProject(actor)}`.execute(db)
  return task
}
