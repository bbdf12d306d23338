import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { lookAgain } from '../../shared/transaction.js'
import { visibleProject } from '../../shared/visibility.js'
import type { View } from '../queries.js'
import { NUDGE_AGAIN_AFTER_MINUTES } from '../rules.js'

/** What became of a nudge: in whose court the ball is, and whether they are told; if not, in how many seconds they may be. */
export interface Nudged { court: 'nobodys' | 'outside' | 'own' | 'theirs', done: boolean, wait_seconds: number | null }

/**
 * Reminds whoever holds a task's ball, by an event that tells them, in one statement. The same person reminds of the same
 * hold once in a while only: their row of `ball_nudges` is the gate, which requests at once pass one by one.
 * @returns undefined when there is no such task to see
 */
export async function nudge (db: Db, { taskId, note, view, origin }: { taskId: string, note?: string, view: View, origin: Origin }): Promise<Nudged | undefined> {
  const pause = sql`interval '${sql.raw(String(NUDGE_AGAIN_AFTER_MINUTES))} minutes'`
  return lookAgain(async () => (await sql<Nudged>`
    with locked as materialized (
      select t.id, t.project_id, t.version, t.ball_no, t.ball_in_court,
        case when t.ball_company_id is not null then 'outside' when t.ball_in_court is null then 'nobodys' when t.ball_in_court = ${origin.actorId}::uuid then 'own' else 'theirs' end as court
      from tasks t join projects p on p.id = t.project_id
      where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(view.actor)} for no key update of t
    ), moment as materialized (
      select *, clock_timestamp() as at from locked
    ), passed as (
      insert into ball_nudges (task_id, user_id, hold_no, nudged_at) select id, ${origin.actorId}::uuid, ball_no, at from moment where court = 'theirs'
      on conflict (task_id, user_id) do update set hold_no = excluded.hold_no, nudged_at = excluded.nudged_at
        where ball_nudges.hold_no <> excluded.hold_no or ball_nudges.nudged_at <= excluded.nudged_at - ${pause}
      returning task_id
    ), touched as (
      update tasks t set last_activity_at = greatest(t.last_activity_at, l.at) from moment l, passed where t.id = l.id
    ), event as (
      select ${newId()}::uuid as event_id, l.at, 'task' as entity_type, l.id as entity_id, 'ball_nudged' as action, l.project_id, l.id as task_id, l.version,
        '{}'::jsonb as changes, jsonb_strip_nulls(jsonb_build_object('to', jsonb_build_array(l.ball_in_court), 'note', ${note ?? null}::text)) as data
      from moment l, passed
    ), ${recordEvents(origin)}
    select l.court, exists (select from passed) as done, greatest(ceil(extract(epoch from n.nudged_at + ${pause} - l.at)), 1)::int as wait_seconds
    from moment l left join ball_nudges n on n.task_id = l.id and n.user_id = ${origin.actorId}`.execute(db)).rows[0])
}
