import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { workingSeconds } from '../../shared/working-time.js'
import { COMPANY_POLICY } from './policy.js'

export type ReminderStage = 'ball_unacknowledged' | 'ball_overdue'

/** A reminder that a hold has not had yet, although it is time: who is told, and after how much working time. */
export interface DueReminder { task_id: string, hold_no: number, stage: ReminderStage, to: string[], worked_seconds: number }

/**
 * The reminders that are due, for holds of ours: of open tasks in active projects, not paused. A hold is unacknowledged
 * when its working time, without pauses, reaches what the policy says for the task's priority, unless people took the ball
 * themselves; it is overdue after the time that its handover named, or without one when its working time reaches the
 * policy's. Of an unacknowledged one the holder is told, of an overdue one also who passed the ball.
 */
const due = (now: Date): RawBuilder<unknown> => sql`
  select h.task_id, h.no as hold_no, s.stage, w.worked_seconds, h.expected_by, t.last_activity_at, coalesce(h.passed_by, t.created_by) as actor_id,
    array_remove(array[h.user_id, case when s.stage = 'ball_overdue' and h.passed_by <> h.user_id then h.passed_by end], null) as "to"
  from tasks t join projects p on p.id = t.project_id and p.deleted_at is null and p.status = 'active'
  join ball_holds h on h.task_id = t.id and h.no = t.ball_no
  join ball_policy_rules r on r.policy_id = ${COMPANY_POLICY} and r.priority = t.priority
  cross join unnest(array['ball_unacknowledged', 'ball_overdue']) s (stage)
  cross join lateral (
    select ${workingSeconds(sql`h.started_at`, sql`${now}::timestamptz`)}
      - coalesce((select sum(${workingSeconds(sql`b.started_at`, sql`b.ended_at`)}) from ball_pauses b where b.task_id = h.task_id and b.hold_no = h.no), 0) as worked_seconds
  ) w
  where t.is_open and t.deleted_at is null and t.ball_in_court is not null and t.ball_paused_since is null
    and not exists (select from ball_reminders d where d.task_id = h.task_id and d.hold_no = h.no and d.stage = s.stage)
    and case s.stage
      when 'ball_unacknowledged' then h.acknowledged_at is null and h.passed_by is distinct from h.user_id and w.worked_seconds >= r.acknowledge_within_s
      else case when h.expected_by is not null then h.expected_by <= ${now} else w.worked_seconds >= r.act_within_s end
    end`

/** The reminders that are due at a moment, as they would be recorded; the holds that have waited longest come first. */
export async function dueReminders (db: Db, now: Date): Promise<DueReminder[]> {
  const { rows } = await sql<DueReminder>`
    select task_id, hold_no, stage, "to", worked_seconds from (${due(now)}) d order by worked_seconds desc, task_id, stage`.execute(db)
  return rows
}

/** The most reminders of one statement: what is left is for the next. */
const BATCH = 500

/**
 * Records the reminders that are due, each as an event that tells those concerned, exactly once for each hold and stage
 * however many do it at once, and whatever is killed when: the event and the row that says it was recorded are one
 * statement. A task that somebody is changing, or has changed since the statement began, is left to the next time, so that
 * nobody is reminded of what they have just done. A reminder is no activity: a stalled task stays stalled.
 * @param requestId what the log says it came from: the run of a job
 * @returns how many were recorded; call again while there are any
 */
export async function recordReminders (db: Db, { now, requestId }: { now: Date, requestId: string }): Promise<number> {
  const ids = Array.from({ length: BATCH }, newId)
  const { rows } = await sql`
    with due as materialized (
      select * from (${due(now)}) d order by worked_seconds desc limit ${BATCH}
    ), locked as materialized (
      select d.*, t.project_id, t.version from due d join tasks t on t.id = d.task_id
      where t.ball_no = d.hold_no and t.last_activity_at = d.last_activity_at and t.ball_paused_since is null and t.deleted_at is null
      for no key update of t skip locked
    ), recorded as (
      insert into ball_reminders (task_id, hold_no, stage, recorded_at) select task_id, hold_no, stage, clock_timestamp() from locked
      on conflict (task_id, hold_no, stage) do nothing
      returning task_id, stage, recorded_at
    ), event as (
      select (${ids}::uuid[])[row_number() over (order by r.recorded_at, r.task_id, r.stage)] as event_id, r.recorded_at as at, 'task' as entity_type, l.task_id as entity_id, l.stage as action, l.project_id, l.task_id, l.version, l.actor_id,
        '{}'::jsonb as changes, jsonb_strip_nulls(jsonb_build_object('to', l."to", 'worked_seconds', l.worked_seconds, 'expected_by', l.expected_by)) as data
      from recorded r join locked l on l.task_id = r.task_id and l.stage = r.stage
    ), ${recordEvents({ requestId })}
    select from recorded`.execute(db)
  return rows.length
}
