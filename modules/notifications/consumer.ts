import { sql } from 'kysely'
import type { Consumer } from '../../plugins/events.js'
import type { Db } from '../../plugins/database/index.js'
import { newId } from '../shared/ids.js'
import { projectVisibleTo } from '../shared/visibility.js'
import { gatherEmails } from './emails/queries.js'
import { coalesce, COALESCE_MS, onePerPerson, type Standing, type Telling, type Told } from './rules.js'

export const CONSUMER = 'notifications'
/** Who waits for notifications listens here; the payload is whom they are for, or ALL. */
export const CHANNEL = 'eden_notifications'
export const ALL = '*'
/** A payload holds less than 8,000 bytes. */
const MOST_NAMED = 200
/** Events of one round: enough to keep up with bulk changes, little enough to hold in memory. */
const BATCH = 2000

/** What time did, in somebody's name: it may tell them too. */
const byTheClock = sql.raw("'ball_unacknowledged', 'ball_overdue', 'task_overdue', 'task_idle'")

interface Row extends Told { position: number, actor_id: string, project_id: string, comment_id: string | null }

/** Where the consumer stands, and where a round of at most BATCH events ends. */
async function nextRound (db: Db, upTo: number): Promise<{ from: number, to: number }> {
  const cursor = await db.selectFrom('event_cursors').select('position').where('consumer', '=', CONSUMER).executeTakeFirst()
  const from = cursor?.position ?? 0
  return { from, to: Math.min(from + BATCH, upTo) }
}

/**
 * Whom the events of a round concern: who is assigned a task, whose court the ball came to, who is mentioned, who is
 * reminded or told that time is up, who watched the task by then. Never who acted, unless time did, nobody who has left or may not see the project, and of nothing that they turned off.
 */
async function concerns (db: Db, { from, to }: { from: number, to: number }): Promise<Row[]> {
  const { rows } = await sql<Row>`
    select c.type, c.user_id, e.position, a.id as event_id, a.created_at as at, a.actor_id, a.project_id, a.task_id,
      case when a.entity_type = 'comment' then a.entity_id end as comment_id
    from event_positions e
    cross join lateral (select * from activity_log a where a.created_at = e.event_at and a.id = e.event_id limit 1) a
    cross join lateral (
      select 'task_assigned' as type, (a.changes -> 'assignee_id' ->> 1)::uuid as user_id where a.entity_type = 'task'
      union all
      select 'ball_received', (a.changes -> 'ball_in_court' ->> 1)::uuid where a.entity_type = 'task'
      union all
      select a.action, m.value::uuid from jsonb_array_elements_text(case when a.entity_type = 'task' and a.action in ('ball_nudged', ${byTheClock}) then a.data -> 'to' end) m
      union all
      select 'mentioned', m.value::uuid from jsonb_array_elements_text(case when a.entity_type = 'comment' then a.data -> 'mentions' end) m
      union all
      select case when a.entity_type = 'comment' then 'commented' else 'task_changed' end, w.user_id from task_watchers w
      where w.task_id = a.task_id and w.created_at <= a.created_at
        and ((a.entity_type = 'task' and a.action = 'status_changed') or (a.entity_type = 'comment' and a.action = 'created'))
    ) c
    join users u on u.id = c.user_id and u.is_active
    join projects p on p.id = a.project_id
    where e.position > ${from} and e.position <= ${to} and (c.user_id <> a.actor_id or a.action in (${byTheClock}))
      and ${projectVisibleTo(sql.ref('c.user_id'))}
      and not exists (select from notification_preferences f where f.user_id = c.user_id and f.type = c.type and f.channel = 'in_app' and not f.is_on)
    order by e.position`.execute(db)
  return rows
}

/** The notifications that may take up what is to be told: of each person, kind and task the newest, unread and young. */
async function standing (db: Db, rows: Row[]): Promise<Standing[]> {
  const earliest = new Map<string, Row>()
  for (const row of rows) {
    const key = `${row.user_id} ${row.type} ${row.task_id}`
    if (!earliest.has(key)) earliest.set(key, row)
  }
  const wanted = JSON.stringify([...earliest.values()].map(({ user_id: user, type, task_id: task, at }) => ({ user_id: user, type, task_id: task, at })))
  const found = await sql<Standing>`
    select n.id, n.user_id, n.type, n.task_id, n.created_at
    from jsonb_to_recordset(${wanted}::jsonb) as k (user_id uuid, type text, task_id uuid, at timestamptz)
    cross join lateral (
      select * from notifications n where n.user_id = k.user_id and n.type = k.type and n.task_id = k.task_id and n.read_at is null
        and n.created_at > k.at - make_interval(secs => ${COALESCE_MS / 1000})
      order by n.created_at desc, n.id desc limit 1
    ) n`.execute(db)
  return found.rows
}

/**
 * Writes the rows, moves the cursor and wakes whose they are, in one statement, if the cursor still stands where it stood:
 * else another instance did it. What was read since we looked takes nothing up any more: then the row is a new one.
 * Rows are locked in the order of their ids, as by who marks all of theirs as read.
 */
async function deliver (db: Db, { from, to }: { from: number, to: number }, { rows, users, emailDelayMs }: { rows: Telling<Row>[], users: string[] } & NotifierOptions): Promise<void> {
  const input = JSON.stringify(rows.map((row) => ({ ...row, id: newId() })))
  await sql`
    with moved as (
      insert into event_cursors (consumer, position) values (${CONSUMER}, ${to})
      on conflict (consumer) do update set position = excluded.position where event_cursors.position = ${from}
      returning consumer
    ), n as materialized (
      select n.* from moved, jsonb_to_recordset(${input}::jsonb) as n (id uuid, onto uuid, user_id uuid, type text, event_id uuid, position bigint, actor_id uuid,
        project_id uuid, task_id uuid, comment_id uuid, event_count int, began_at timestamptz, at timestamptz)
    ), locked as materialized (
      select o.id from notifications o where o.id in (select onto from n) and o.read_at is null order by o.id for no key update of o
    ), updated as (
      update notifications o set event_id = n.event_id, position = n.position, actor_id = n.actor_id, comment_id = n.comment_id, updated_at = n.at,
        event_count = o.event_count + n.event_count
      from n, locked l where o.id = n.onto and o.id = l.id
      returning o.id
    ), inserted as (
      insert into notifications (id, user_id, type, event_id, position, actor_id, project_id, task_id, comment_id, event_count, created_at, updated_at)
      select n.id, n.user_id, n.type, n.event_id, n.position, n.actor_id, n.project_id, n.task_id, n.comment_id, n.event_count, n.began_at, n.at
      from n where not exists (select from updated o where o.id = n.onto)
      on conflict on constraint notifications_once_per_event do nothing
      returning id, user_id, type, created_at
    )${emailDelayMs === undefined ? sql`` : sql`, ${gatherEmails(emailDelayMs)}`}
    select pg_notify(${CHANNEL}, ${users.length > MOST_NAMED ? ALL : users.join()}) from moved where ${users.length} > 0`.execute(db)
}

interface NotifierOptions {
  /** How long an e-mail gathers; without it there are none. */
  emailDelayMs?: number
}

/**
 * Turns events into notifications, from where the last round ended up to a position.
 * @param told called on this instance with whose notifications were written, also where nothing listens
 */
export const notifier = (told: (users: string[]) => void, { emailDelayMs }: NotifierOptions = {}): Consumer => async (db, upTo) => {
  for (;;) {
    const round = await nextRound(db, upTo)
    if (round.from >= upTo) return
    const rows = onePerPerson(await concerns(db, round))
    const users = [...new Set(rows.map(({ user_id: id }) => id))]
    await deliver(db, round, { rows: rows.length === 0 ? [] : coalesce(rows, await standing(db, rows)), users, emailDelayMs })
    if (users.length > 0) told(users)
  }
}
