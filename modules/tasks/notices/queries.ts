import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { STALLED_AFTER_DAYS } from '../rules.js'

/** The most of each kind in one statement: what is left is for the next. */
const BATCH = 250
/** What is overdue or idle for longer than this was told of when it was new, or is from before anybody was told. */
const LOOK_BACK_DAYS = 7

/**
 * Records, each as an event that tells those concerned, which tasks have become overdue, and which idle: once for each due
 * date, and once for each time that something happened last, however many do it at once. The event and the row that says
 * it was recorded are one statement. A task that somebody is changing, or has changed since the statement began, is left to
 * the next time. Told are the assignee and who holds the ball, of a task that nobody has whoever made it; not of projects that are on
 * hold, and of no idleness while the ball is paused.
 * @param requestId what the log says it came from: the run of a job
 * @returns how many of each were recorded; call again while there are any
 */
export async function recordNotices (db: Db, { now, requestId }: { now: Date, requestId: string }): Promise<{ overdue: number, idle: number }> {
  const ids = Array.from({ length: 2 * BATCH }, newId)
  const open = sql`t.is_open and t.deleted_at is null and exists (select from projects p where p.id = t.project_id and p.deleted_at is null and p.status = 'active')`
  const { rows: [row] } = await sql<{ overdue: number, idle: number }>`
    with due as materialized (
      (select t.id, 'task_overdue' as kind, t.due_at as since from tasks t
        where ${open} and t.due_sort < ${now} and t.due_sort >= ${now}::timestamptz - make_interval(days => ${LOOK_BACK_DAYS})
          and not exists (select from task_notices n where n.task_id = t.id and n.kind = 'task_overdue' and n.since = t.due_at)
        order by t.due_sort, t.id limit ${BATCH})
      union all
      (select t.id, 'task_idle', t.last_activity_at from tasks t
        where ${open} and t.ball_paused_since is null
          and t.last_activity_at <= ${now}::timestamptz - make_interval(days => ${STALLED_AFTER_DAYS})
          and t.last_activity_at > ${now}::timestamptz - make_interval(days => ${STALLED_AFTER_DAYS + LOOK_BACK_DAYS})
          and not exists (select from task_notices n where n.task_id = t.id and n.kind = 'task_idle' and n.since = t.last_activity_at)
        order by t.last_activity_at, t.id limit ${BATCH})
    ), locked as materialized (
      select d.kind, d.since, t.id, t.project_id, t.version, t.created_by,
        case when num_nonnulls(t.assignee_id, t.ball_in_court) = 0 then array[t.created_by] else array(select distinct w from unnest(array[t.assignee_id, t.ball_in_court]) w where w is not null) end as "to"
      from due d join tasks t on t.id = d.id
      where t.is_open and t.deleted_at is null and d.since = case d.kind when 'task_overdue' then t.due_at else t.last_activity_at end
      for no key update of t skip locked
    ), recorded as (
      insert into task_notices as n (task_id, kind, since, recorded_at) select id, kind, since, clock_timestamp() from locked order by id, kind
      on conflict (task_id, kind) do update set since = excluded.since, recorded_at = excluded.recorded_at where n.since <> excluded.since
      returning n.task_id, n.kind, n.recorded_at
    ), event as (
      select (${ids}::uuid[])[row_number() over (order by r.recorded_at, r.task_id, r.kind)] as event_id, r.recorded_at as at, 'task' as entity_type, l.id as entity_id, l.kind as action,
        l.project_id, l.id as task_id, l.version, l.created_by as actor_id, '{}'::jsonb as changes, jsonb_build_object('to', l."to", 'since', l.since) as data
      from recorded r join locked l on l.id = r.task_id and l.kind = r.kind
    ), ${recordEvents({ requestId })}
    select count(*) filter (where kind = 'task_overdue') as overdue, count(*) filter (where kind = 'task_idle') as idle from recorded`.execute(db)
  return row as NonNullable<typeof row>
}
