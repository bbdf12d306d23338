import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { newId } from '../../shared/ids.js'
import type { Purpose } from './templates.js'

/** E-mails of one purpose that an address gets in an hour: nobody's mailbox is filled by a stranger. */
export const MOST_IN_AN_HOUR = 5

/**
 * Asks for an e-mail with a one-time link. Whether there is anybody of that address is looked at when it is sent: until then
 * an address that is known and one that is not are the same row.
 */
export async function requestMail (db: Db, { purpose, email, invitedBy = null }: { purpose: Purpose, email: string, invitedBy?: string | null }): Promise<void> {
  await sql`
    insert into account_mails (id, purpose, email, invited_by)
    select ${newId()}::uuid, ${purpose}::text, ${email}::citext, ${invitedBy}::uuid
    where (select count(*) from account_mails where email = ${email}::citext and purpose = ${purpose} and created_at > now() - interval '1 hour') < ${MOST_IN_AN_HOUR}::int
    on conflict (email, purpose) where state = 'waiting' do nothing`.execute(db)
}

export interface ClaimedMail { id: string, purpose: Purpose, email: string, invited_by: string | null, attempts: number }

/** Takes e-mails that are due. One that nobody tells the end of is due again after its lease. */
export async function claimMails (db: Db, { limit, leaseSeconds }: { limit: number, leaseSeconds: number }): Promise<ClaimedMail[]> {
  const { rows } = await sql<ClaimedMail>`
    update account_mails m set attempts = m.attempts + 1, due_at = now() + ${leaseSeconds}::int * interval '1 second'
    from (select id from account_mails where state = 'waiting' and due_at <= now() order by due_at limit ${limit} for update skip locked) d
    where m.id = d.id returning m.id, m.purpose, m.email::text, m.invited_by, m.attempts`.execute(db)
  return rows
}

export async function endMail (db: Db, id: string, state: 'sent' | 'skipped' | 'failed', error?: string): Promise<void> {
  await db.updateTable('account_mails').set({ state, error: error?.slice(0, 2000) ?? null }).where('id', '=', id).where('state', '=', 'waiting').execute()
}

/** Lets e-mails be tried again after so many seconds. @param free when it was not their fault: then it does not count as an attempt */
export async function retryMails (db: Db, ids: string[], { seconds, error, free = false }: { seconds: number, error: string, free?: boolean }): Promise<void> {
  await sql`
    update account_mails set due_at = now() + ${seconds}::int * interval '1 second', error = ${error.slice(0, 2000)}, attempts = attempts - ${free ? 1 : 0}::int
    where id = any(${ids}::uuid[]) and state = 'waiting'`.execute(db)
}

/** Forgets e-mails that were asked for so many days ago. @returns how many */
export async function expireMails (db: Db, days: number): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('account_mails').where('created_at', '<', sql<string>`now() - ${days}::int * interval '1 day'`).executeTakeFirst()
  return Number(numDeletedRows)
}
