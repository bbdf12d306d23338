import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { emailedByDefault, kinds } from '../rules.js'
import type { NotificationPreferences, SetNotificationPreferences } from '../schemas.js'

type Preferences = Static<typeof NotificationPreferences>

/** As it is for who never said anything. */
const defaults: Omit<Preferences, 'types'> = { email: 'instant', daily_at: '07:00', quiet_hours: null }
const defaultOf = (kind: typeof kinds[number]) => ({ in_app: true, email: emailedByDefault.includes(kind) })

/** What a person wants to be told. */
export async function findPreferences (db: Db, userId: string): Promise<Preferences> {
  const { rows: [row] } = await sql<{ said: Record<string, Record<string, boolean>>, settings: Omit<Preferences, 'types'> | null }>`
    select (
        select coalesce(jsonb_object_agg(type, channels), '{}') from (
          select type, jsonb_object_agg(channel, is_on) as channels from notification_preferences where user_id = ${userId} group by type
        ) of_type
      ) as said,
      (
        select jsonb_build_object('email', email_mode, 'daily_at', to_char(daily_at, 'HH24:MI'),
          'quiet_hours', case when quiet_from is not null then jsonb_build_object('from', to_char(quiet_from, 'HH24:MI'), 'to', to_char(quiet_to, 'HH24:MI')) end)
        from notification_settings where user_id = ${userId}
      ) as settings`.execute(db)
  const types = Object.fromEntries(kinds.map((kind) => [kind, { ...defaultOf(kind), ...row?.said[kind] }])) as Preferences['types']
  return { types, ...defaults, ...row?.settings }
}

/**
 * Replaces what a person wants to be told, in one statement. Their settings are written first, and rows in one order, so that
 * two such requests take turns and the last one's whole answer is what holds.
 */
export async function setPreferences (db: Db, userId: string, { types = {}, ...asked }: SetNotificationPreferences): Promise<void> {
  const { email, daily_at: dailyAt, quiet_hours: quiet } = { ...defaults, ...asked }
  const rows = JSON.stringify(kinds.flatMap((type) => Object.entries({ ...defaultOf(type), ...types[type] }).map(([channel, isOn]) => ({ type, channel, is_on: isOn })))
    .map((row, ord) => ({ ord, ...row })))
  await sql`
    with settings as (
      insert into notification_settings (user_id, email_mode, daily_at, quiet_from, quiet_to)
      values (${userId}, ${email}, ${dailyAt}::time, ${quiet?.from ?? null}::time, ${quiet?.to ?? null}::time)
      on conflict (user_id) do update set email_mode = excluded.email_mode, daily_at = excluded.daily_at, quiet_from = excluded.quiet_from, quiet_to = excluded.quiet_to, updated_at = clock_timestamp()
      returning user_id
    )
    insert into notification_preferences (user_id, type, channel, is_on)
    select s.user_id, r.type, r.channel, r.is_on from settings s, jsonb_to_recordset(${rows}::jsonb) as r (ord int, type text, channel text, is_on boolean) order by ord
    on conflict (user_id, type, channel) do update set is_on = excluded.is_on, updated_at = clock_timestamp()
    where notification_preferences.is_on <> excluded.is_on`.execute(db)
}
