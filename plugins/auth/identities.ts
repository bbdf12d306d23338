import { sql } from 'kysely'
import type { Db } from '../database/index.js'
import type { Identity } from './actor.js'

/** What came of linking: who was linked, or why nobody: nobody of us has that address, or they or the subject are linked already. */
export type Linking = { linked: string } | 'nobody' | 'taken'

/**
 * Links whom another issuer knows to the active person who has their address: once, whoever else is doing the same, and
 * never a person who is linked to another account of that issuer already. One statement.
 */
export async function linkIdentity (db: Db, { issuer, subject }: Identity, email: string): Promise<Linking> {
  const { rows: [row] } = await sql<{ known: boolean, linked: string | null }>`
    with person as (
      select id, email from users where email = ${email}::citext and is_active
    ), linked as (
      insert into user_identities (issuer, subject, user_id, email) select ${issuer}, ${subject}, id, email from person
      on conflict do nothing returning user_id
    )
    select exists (select from person) as known, (select user_id from linked) as linked`.execute(db)
  if (row?.known !== true) return 'nobody'
  return row.linked === null ? 'taken' : { linked: row.linked }
}
