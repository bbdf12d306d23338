import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { projectVisibleTo } from '../../shared/visibility.js'
import { messageOf } from '../message.js'
import { emailedByDefault } from '../rules.js'

/**
 * The end of the statement that writes notifications: CTEs that put each new one (`inserted`: id, user_id, type, created_at)
 * into an e-mail of its person's, in the same statement. The e-mail that gathers takes it up, else a new one begins to: due
 * after the delay, or at the person's time of day in their zone, and then no earlier than the day after the last one.
 */
export const gatherEmails = (delayMs: number): RawBuilder<unknown> => sql`
    wants_mail as (
      select i.id, i.user_id, i.created_at, u.timezone, coalesce(s.email_mode, 'instant') as mode, coalesce(s.daily_at, time '07:00') as daily_at,
        i.created_at at time zone u.timezone as local
      from inserted i join users u on u.id = i.user_id
      left join notification_settings s on s.user_id = i.user_id
      left join notification_preferences f on f.user_id = i.user_id and f.type = i.type and f.channel = 'email'
      where coalesce(s.email_mode, 'instant') <> 'off' and coalesce(f.is_on, i.type = any(${emailedByDefault}::text[]))
    ), first_of_each as (
      select distinct on (user_id) w.*, case when mode = 'daily' then d.day end as day
      from wants_mail w
      cross join lateral (select local::date + (local::time >= daily_at)::int as next) n
      cross join lateral (
        select greatest(n.next, (select max(e.day) + 1 from notification_emails e where e.user_id = w.user_id and e.mode = 'daily' and e.state in ('sending', 'sent', 'failed'))) as day
      ) d
      order by user_id, w.created_at, w.id
    ), gathered as (
      insert into notification_emails (id, user_id, mode, day, due_at)
      select id, user_id, mode, day, case when mode = 'daily' then (day + daily_at) at time zone timezone else created_at + make_interval(secs => ${delayMs / 1000}) end
      from first_of_each order by user_id
      -- Whoever sends it just now has it locked: then it gathers no more, and a new one begins.
      on conflict (user_id, mode) where state = 'gathering' do update set mode = excluded.mode
      returning id, user_id
    ), enclosed as (
      insert into notification_email_items (notification_id, email_id) select w.id, g.id from wants_mail w join gathered g on g.user_id = w.user_id
    )`

/** An e-mail that this process sends now, or lets others try again after the lease. */
export interface Claimed { id: string, attempts: number }

/**
 * Takes e-mails that are due. Those of people in whose zone it is quiet now are put off until it is not.
 * @param leaseSeconds after which an e-mail that nobody told the end of is due again
 */
export async function claimEmails (db: Db, { now, limit, leaseSeconds }: { now: Date, limit: number, leaseSeconds: number }): Promise<{ claimed: Claimed[], postponed: number }> {
  const { rows: [row] } = await sql<{ claimed: Claimed[], postponed: number }>`
    with due as materialized (
      select e.id, u.timezone, s.quiet_from, s.quiet_to, ${now}::timestamptz at time zone u.timezone as local
      from notification_emails e join users u on u.id = e.user_id left join notification_settings s on s.user_id = e.user_id
      where e.state in ('gathering', 'sending') and e.due_at <= ${now} order by e.due_at limit ${limit} for update of e skip locked
    ), quiet as (
      select id, (local::date + (local::time >= quiet_to)::int + quiet_to) at time zone timezone as until from due
      where case when quiet_from < quiet_to then local::time >= quiet_from and local::time < quiet_to else local::time >= quiet_from or local::time < quiet_to end
    ), postponed as (
      update notification_emails e set due_at = greatest(q.until, ${now}::timestamptz + interval '1 minute') from quiet q where e.id = q.id returning e.id
    ), claimed as (
      update notification_emails e set state = 'sending', attempts = e.attempts + 1, due_at = ${now}::timestamptz + make_interval(secs => ${leaseSeconds})
      from due d where e.id = d.id and not exists (select from quiet q where q.id = d.id) returning e.id, e.attempts, e.created_at
    )
    select (select coalesce(json_agg(json_build_object('id', id, 'attempts', attempts) order by created_at, id), '[]') from claimed) as claimed,
      (select count(*) from postponed)::int as postponed`.execute(db)
  return row as NonNullable<typeof row>
}

/** What an e-mail tells, as of now: not what was read, deleted or hidden meanwhile. */
export interface EmailContent {
  id: string
  mode: 'instant' | 'daily'
  person: { name: string, email: string, timezone: string, locale: string }
  items: { task_id: string, message: string, at: string }[]
  /** How many there are; `items` has the first of them. */
  total: number
}

/** What claimed e-mails tell, those with nothing left to tell left out. */
export async function findContents (db: Db, ids: string[], mostItems: number): Promise<EmailContent[]> {
  const { rows } = await sql<EmailContent>`
    with told as (
      select i.email_id, n.task_id, coalesce(n.updated_at, n.created_at) as at, ${messageOf} as message,
        row_number() over (partition by i.email_id order by n.created_at, n.id) as no, count(*) over (partition by i.email_id)::int as total
      from notification_email_items i join notifications n on n.id = i.notification_id
      join users u on u.id = n.actor_id join tasks t on t.id = n.task_id join projects p on p.id = n.project_id
      where i.email_id = any(${ids}::uuid[]) and n.read_at is null and t.deleted_at is null and p.deleted_at is null and ${projectVisibleTo(sql.ref('n.user_id'))}
    )
    select e.id, e.mode, json_build_object('name', who.name, 'email', who.email, 'timezone', who.timezone, 'locale', who.locale) as person, told.total,
      json_agg(json_build_object('task_id', told.task_id, 'message', told.message, 'at', told.at) order by told.no) as items
    from notification_emails e
    join users who on who.id = e.user_id and who.is_active
    left join notification_settings s on s.user_id = e.user_id
    join told on told.email_id = e.id and told.no <= ${mostItems}
    where e.id = any(${ids}::uuid[]) and coalesce(s.email_mode, 'instant') <> 'off'
    group by e.id, who.id, told.total`.execute(db)
  return rows
}

/** Notes the end of e-mails that were claimed. */
export async function endEmails (db: Db, ids: string[], end: { state: 'sent', at: Date } | { state: 'skipped' } | { state: 'failed', error: string }): Promise<void> {
  if (ids.length === 0) return
  await db.updateTable('notification_emails')
    .set({ state: end.state, sent_at: end.state === 'sent' ? end.at.toISOString() : null, error: end.state === 'failed' ? end.error.slice(0, 2000) : null })
    .where('id', '=', sql<string>`any(${ids}::uuid[])`).where('state', '=', 'sending').execute()
}

/** Lets e-mails be tried again at a time. @param free when it was not their fault: then it does not count as an attempt */
export async function retryEmails (db: Db, ids: string[], { at, error, free = false }: { at: Date, error: string, free?: boolean }): Promise<void> {
  await db.updateTable('notification_emails')
    .set((eb) => ({ due_at: at.toISOString(), error: error.slice(0, 2000), attempts: free ? eb('attempts', '-', 1) : eb.ref('attempts') }))
    .where('id', '=', sql<string>`any(${ids}::uuid[])`).where('state', '=', 'sending').execute()
}

/** Forgets e-mails that ended so long ago. @returns how many */
export async function expireEmails (db: Db, days: number): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('notification_emails')
    .where('created_at', '<', sql<string>`now() - make_interval(days => ${days}::int)`).where('state', 'in', ['sent', 'skipped', 'failed']).executeTakeFirst()
  return Number(numDeletedRows)
}
