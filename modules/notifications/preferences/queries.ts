import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { kinds } from '../rules.js'
import type { NotificationPreferences, SetNotificationPreferences } from '../schemas.js'

type Preferences = Static<typeof NotificationPreferences>

/** What a person wants to be told; what they never spoke of is on. */
export async function findPreferences (db: Db, userId: string): Promise<Preferences> {
  const rows = await db.selectFrom('notification_preferences').select(['type', 'is_on']).where('user_id', '=', userId).where('channel', '=', 'in_app').execute()
  const said = new Map(rows.map(({ type, is_on: isOn }) => [type, isOn]))
  return Object.fromEntries(kinds.map((kind) => [kind, { in_app: said.get(kind) ?? true }])) as Preferences
}

/** Replaces what a person wants to be told. Rows are written in one order, so that two such requests do not wait for each other. */
export async function setPreferences (db: Db, userId: string, asked: SetNotificationPreferences): Promise<void> {
  const rows = JSON.stringify(kinds.map((type, ord) => ({ ord, type, is_on: asked[type]?.in_app ?? true })))
  await sql`
    insert into notification_preferences (user_id, type, channel, is_on)
    select ${userId}::uuid, type, 'in_app', is_on from jsonb_to_recordset(${rows}::jsonb) as r (ord int, type text, is_on boolean) order by ord
    on conflict (user_id, type, channel) do update set is_on = excluded.is_on, updated_at = clock_timestamp()
    where notification_preferences.is_on <> excluded.is_on`.execute(db)
}
