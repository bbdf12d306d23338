import { sql } from 'kysely'

/** A notification `n` as a sentence: of its actor `u`, its task `t` and the task's project `p`. */
export const messageOf = sql<string>`u.name || case n.type when 'task_assigned' then ' assigned you ' when 'ball_received' then ' put the ball in your court: ' when 'mentioned' then ' mentioned you on '
      when 'commented' then ' commented on ' else ' changed the status of ' end || p.code || '-' || t.number || ' ' || t.title
      || case when n.event_count > 1 then ' (' || n.event_count || ' times lately)' else '' end`
