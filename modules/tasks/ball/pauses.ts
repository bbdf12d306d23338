import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { lookAgain } from '../../shared/transaction.js'
import { visibleProject } from '../../shared/visibility.js'
import type { View } from '../queries.js'

/** What became of it: whether somebody has the ball, whether it was paused before, and whether that has changed. */
export interface Paused { is_held: boolean, was_paused: boolean, done: boolean }

/**
 * Pauses the current hold of a task's ball, or lets it go on, and records the event, in one statement. The task says
 * since when it is paused, under its lock; the pause itself may be newer than the statement's snapshot, and is ended by
 * `on conflict`, which sees it all the same.
 * @param reason why it is paused; undefined to let it go on
 * @returns undefined when there is no such task to see
 */
export async function setPaused (db: Db, { taskId, reason, view, origin }: { taskId: string, reason?: string, view: View, origin: Origin }): Promise<Paused | undefined> {
  const pauses = reason !== undefined
  const pause = pauses
    ? sql`insert into ball_pauses (task_id, hold_no, started_at, reason, paused_by) select id, ball_no, at, ${reason}::text, ${origin.actorId}::uuid from wanted`
    : sql`
      insert into ball_pauses (task_id, hold_no, started_at, ended_at, reason, paused_by) select id, ball_no, ball_paused_since, at, '-', ${origin.actorId}::uuid from wanted
      on conflict (task_id, started_at) do update set ended_at = excluded.ended_at`
  return lookAgain(async () => (await sql<Paused>`
    with locked as materialized (
      select t.id, t.project_id, t.ball_no, t.ball_paused_since, t.updated_at, t.ball_in_court is not null or t.ball_company_id is not null as is_held
      from tasks t join projects p on p.id = t.project_id
      where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(view.actor)} for no key update of t
    ), wanted as materialized (
      select *, greatest(clock_timestamp(), updated_at + interval '1 microsecond') as at from locked where is_held and (ball_paused_since is null) = ${pauses}
    ), pause as (
      ${pause}
    ), after as (
      update tasks t set ball_paused_since = ${pauses ? sql`w.at` : sql`null`}, updated_at = w.at, last_activity_at = greatest(t.last_activity_at, w.at), version = t.version + 1
      from wanted w where t.id = w.id
      returning t.version, t.ball_paused_since
    ), event as (
      select ${newId()}::uuid as event_id, w.at, 'task' as entity_type, w.id as entity_id, ${pauses ? 'ball_paused' : 'ball_resumed'}::text as action, w.project_id, w.id as task_id,
        a.version, jsonb_build_object('ball_paused_since', jsonb_build_array(w.ball_paused_since, a.ball_paused_since)) as changes,
        jsonb_strip_nulls(jsonb_build_object('reason', ${reason ?? null}::text)) as data
      from wanted w, after a
    ), ${recordEvents(origin)}
    select is_held, ball_paused_since is not null as was_paused, exists (select from after) as done from locked`.execute(db)).rows[0])
}
