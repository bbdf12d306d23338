import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import type { Purpose } from '../mails/templates.js'
import { hashOf } from '../tokens.js'

/** Whom a link is for. */
export interface Recipient { id: string, email: string, name: string, inviter: string | null }

/**
 * Makes a one-time link for an active person: one who has a password may reset it, one who has none may be invited. The one
 * before, of the same purpose, dies.
 * @returns undefined when there is no such person
 */
export async function makeLink (db: Db, { by, purpose, token, minutes, invitedBy = null }: { by: { email: string } | { id: string }, purpose: Purpose, token: string, minutes: number, invitedBy?: string | null }): Promise<Recipient | undefined> {
  const { rows: [row] } = await sql<Recipient>`
    with person as (
      select u.id, u.email::text, u.name from users u left join user_credentials c on c.user_id = u.id
      where ${'email' in by ? sql`u.email = ${by.email}::citext` : sql`u.id = ${by.id}`} and u.is_active and (c.user_id is null) = (${purpose}::text = 'invitation')
    ), link as (
      insert into account_links (token_hash, user_id, purpose, expires_at)
      select ${hashOf(token)}::bytea, id, ${purpose}::text, now() + ${minutes}::int * interval '1 minute' from person
      on conflict (user_id, purpose) where used_at is null do update set token_hash = excluded.token_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
    )
    select id, email, name, (select name from users where id = ${invitedBy}::uuid) as inviter from person`.execute(db)
  return row
}

const isGood = sql<boolean>`used_at is null and expires_at > clock_timestamp()`

/** Whose link this is, as long as it is good. */
export function findLink (db: Db, token: string, purpose: Purpose) {
  return db.selectFrom('account_links').innerJoin('users', 'users.id', 'account_links.user_id').select(['users.id', 'email', 'name'])
    .where('token_hash', '=', hashOf(token)).where('purpose', '=', purpose).where(isGood).where('is_active', '=', true).executeTakeFirst()
}

/**
 * Uses a link up for a new password; of several who come with it one gets it. Other links of the person die.
 * @returns whose it is, or undefined when it is not good any more
 */
export async function redeemLink (db: Db, { token, purpose, passwordHash }: { token: string, purpose: Purpose, passwordHash: string }): Promise<string | undefined> {
  const { rows: [row] } = await sql<{ user_id: string }>`
    with link as (
      update account_links set used_at = clock_timestamp() where token_hash = ${hashOf(token)} and purpose = ${purpose} and ${isGood}
        and exists (select from users where id = user_id and is_active) returning user_id
    ), others as (
      delete from account_links l using link where l.user_id = link.user_id and l.used_at is null and l.token_hash <> ${hashOf(token)}
    )
    insert into user_credentials (user_id, password_hash) select user_id, ${passwordHash}::text from link
    on conflict (user_id) do update set password_hash = excluded.password_hash, changed_at = clock_timestamp() returning user_id`.execute(db)
  return row?.user_id
}

/** Forgets links that are over, after so many days. @returns how many */
export async function expireLinks (db: Db, days: number): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('account_links').where('expires_at', '<', sql<string>`now() - ${days}::int * interval '1 day'`).executeTakeFirst()
  return Number(numDeletedRows)
}
