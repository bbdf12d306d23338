import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'

/**
 * Gives a person another password in place of the one that was checked; links that were sent before die.
 * @returns false when it is not that one any more
 */
export async function changePassword (db: Db, { userId, from, to }: { userId: string, from: string, to: string }): Promise<boolean> {
  const { rows } = await sql`
    with locked as materialized (
      -- Links before the password, as by who comes with one.
      select token_hash from account_links where user_id = ${userId} and used_at is null order by token_hash for update
    ), changed as (
      update user_credentials set password_hash = ${to}, changed_at = clock_timestamp() from (select count(*) from locked) l
      where user_id = ${userId} and password_hash = ${from} returning user_id
    ), links as (
      delete from account_links l using changed c where l.user_id = c.user_id and l.used_at is null
    )
    select from changed`.execute(db)
  return rows.length > 0
}
