import { sql } from 'kysely'
import type { Consumer } from '../../plugins/events.js'
import type { Db } from '../../plugins/database/index.js'
import { newId } from '../shared/ids.js'
import { onePerPerson, type Concern } from './rules.js'

const CONSUMER = 'notifications'
/** Events of one round: enough to keep up with bulk changes, little enough to hold in memory. */
const BATCH = 2000

interface Row extends Concern { at: string, actor_id: string, project_id: string, task_id: string, comment_id: string | null }

/** Where the consumer stands, and where a round of at most BATCH events ends. */
async function nextRound (db: Db, upTo: number): Promise<{ from: number, to: number }> {
  const cursor = await db.selectFrom('event_cursors').select('position').where('consumer', '=', CONSUMER).executeTakeFirst()
  const from = cursor?.position ?? 0
  return { from, to: Math.min(from + BATCH, upTo) }
}

/**
 * Whom the events of a round concern: who is assigned a task, whose court the ball came to, who is mentioned. Never who
 * acted, and nobody who has left or may not see the project.
 */
async function concerns (db: Db, { from, to }: { from: number, to: number }): Promise<Row[]> {
  const { rows } = await sql<Row>`
    select c.type, c.user_id, a.id as event_id, a.created_at as at, a.actor_id, a.project_id, a.task_id,
      case when a.entity_type = 'comment' then a.entity_id end as comment_id
    from event_positions e
    cross join lateral (select * from activity_log a where a.created_at = e.event_at and a.id = e.event_id limit 1) a
    cross join lateral (
      select 'task_assigned' as type, (a.changes -> 'assignee_id' ->> 1)::uuid as user_id where a.entity_type = 'task'
      union all
      select 'ball_received', (a.changes -> 'ball_in_court' ->> 1)::uuid where a.entity_type = 'task'
      union all
      select 'mentioned', m.value::uuid from jsonb_array_elements_text(case when a.entity_type = 'comment' then a.data -> 'mentions' end) m
    ) c
    join users u on u.id = c.user_id and u.is_active
    join projects p on p.id = a.project_id
    where e.position > ${from} and e.position <= ${to} and c.user_id <> a.actor_id
      and (p.visibility = 'company'
        or exists (select from project_members m where m.project_id = p.id and m.user_id = c.user_id)
        or exists (select from user_roles r join role_permissions rp on rp.role_id = r.role_id
          where r.user_id = c.user_id and rp.permission_code = 'projects:read_all'))
    order by e.position`.execute(db)
  return rows
}

/** Writes the rows and moves the cursor in one statement, if it still stands where it stood: else another instance did it. */
async function deliver (db: Db, { from, to }: { from: number, to: number }, rows: Row[]): Promise<void> {
  const input = JSON.stringify(rows.map((row) => ({ ...row, id: newId() })))
  await sql`
    with moved as (
      insert into event_cursors (consumer, position) values (${CONSUMER}, ${to})
      on conflict (consumer) do update set position = excluded.position where event_cursors.position = ${from}
      returning consumer
    )
    insert into notifications (id, user_id, type, event_id, actor_id, project_id, task_id, comment_id, created_at)
    select n.id, n.user_id, n.type, n.event_id, n.actor_id, n.project_id, n.task_id, n.comment_id, n.at
    from moved, jsonb_to_recordset(${input}::jsonb) as n (id uuid, user_id uuid, type text, event_id uuid, actor_id uuid, project_id uuid,
      task_id uuid, comment_id uuid, at timestamptz)
    on conflict on constraint notifications_once_per_event do nothing`.execute(db)
}

/** Turns events into notifications, from where the last round ended up to a position. */
export const notify: Consumer = async (db, upTo) => {
  for (;;) {
    const round = await nextRound(db, upTo)
    if (round.from >= upTo) return
    await deliver(db, round, onePerPerson(await concerns(db, round)))
  }
}
