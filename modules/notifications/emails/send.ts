import type { Db } from '../../../plugins/database/index.js'
import { blamesServer, mayPassLater, type Mailer } from '../../../plugins/mail.js'
import { claimEmails, endEmails, findContents, retryEmails, type Claimed, type EmailContent } from './queries.js'
import { renderEmail } from './templates.js'

const BATCH = 50
/** What an e-mail lists; of more it says how many. */
const MOST_ITEMS = 50
/** Longer than a batch takes with a server that answers slowly. */
const LEASE_SECONDS = 600
const MOST_ATTEMPTS = 8
const MINUTE_MS = 60_000

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Sends the notification e-mails that are due. One that was handed over and then not noted, because the process was killed
 * in between, is sent again after its lease, with the same Message-ID: exactly once is not to be had from SMTP.
 * @returns how many were sent, had nothing left to tell, were put off until it is not quiet, and failed
 * @throws when the server is not there, refuses us, or is overloaded: those e-mails wait a minute, at no cost to them
 */
export async function sendDueEmails ({ db, mailer, now, app, signal }: { db: Db, mailer: Mailer, now: Date, app: string, signal?: AbortSignal }): Promise<{ sent: number, skipped: number, postponed: number, failed: number }> {
  const done = { sent: 0, skipped: 0, postponed: 0, failed: 0 }
  while (signal?.aborted !== true) {
    const { claimed, postponed } = await claimEmails(db, { now, limit: BATCH, leaseSeconds: LEASE_SECONDS })
    done.postponed += postponed
    if (claimed.length === 0 && postponed === 0) break
    const contents = new Map((await findContents(db, claimed.map(({ id }) => id), MOST_ITEMS)).map((content) => [content.id, content]))
    const empty = claimed.filter(({ id }) => !contents.has(id)).map(({ id }) => id)
    await endEmails(db, empty, { state: 'skipped' })
    done.skipped += empty.length
    const rest = claimed.filter(({ id }) => contents.has(id))
    // One after the other, each noted at once: what is cut off here is sent again, so it is to be one at most.
    for (const [n, one] of rest.entries()) {
      const outcome = await sendOne({ db, mailer, now, app }, one, contents.get(one.id) as EmailContent)
      if (outcome instanceof Error) {
        await retryEmails(db, rest.slice(n).map(({ id }) => id), { at: new Date(now.getTime() + MINUTE_MS), error: outcome.message, free: true })
        throw outcome
      }
      done[outcome]++
    }
  }
  return done
}

/** @returns what became of it, or what is the matter with the server */
async function sendOne ({ db, mailer, now, app }: { db: Db, mailer: Mailer, now: Date, app: string }, { id, attempts }: Claimed, content: EmailContent): Promise<'sent' | 'failed' | Error> {
  try {
    await mailer.send({ to: { name: content.person.name, address: content.person.email }, messageId: id, ...renderEmail(content, app) })
  } catch (error) {
    if (blamesServer(error)) return new Error(`the SMTP server: ${messageOf(error)}`)
    if (mayPassLater(error) && attempts < MOST_ATTEMPTS) await retryEmails(db, [id], { at: new Date(now.getTime() + 2 ** attempts * MINUTE_MS), error: messageOf(error) })
    else await endEmails(db, [id], { state: 'failed', error: messageOf(error) })
    return 'failed'
  }
  await endEmails(db, [id], { state: 'sent', at: now })
  return 'sent'
}
