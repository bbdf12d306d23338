import { sql } from 'kysely'

/** A notification `n` as a sentence: of its actor `u`, its task `t` and the task's project `p`. */
export const messageOf = sql<string>`case n.type when 'ball_unacknowledged' then 'You have not acknowledged the ball in your court: '
    when 'ball_overdue' then case when n.user_id = n.actor_id then 'The ball that you passed is overdue: ' else 'The ball in your court is overdue: ' end
    when 'task_overdue' then 'Overdue: ' when 'task_idle' then 'Nothing has happened for a week: '
    else u.name || case n.type when 'task_assigned' then ' assigned you ' when 'ball_received' then ' put the ball in your court: ' when 'ball_nudged' then ' reminds you of the ball in your court: '
      when 'mentioned' then ' mentioned you on ' when 'commented' then ' commented on ' else ' changed the status of ' end end || p.code || '-' || t.number || ' ' || t.title
    || case when n.event_count > 1 then ' (' || n.event_count || ' times lately)' else '' end`
