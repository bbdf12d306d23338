import type { FastifyInstance } from 'fastify'
import type { Config } from '../../../plugins/config.js'
import type { Db } from '../../../plugins/database/index.js'
import { blamesServer, mayPassLater, type Mailer } from '../../../plugins/mail.js'
import { onNobodysBehalf } from '../../../plugins/request-context.js'
import { makeLink } from '../links/queries.js'
import { newToken } from '../tokens.js'
import { claimMails, endMail, retryMails, type ClaimedMail } from './queries.js'
import { renderLetter, type Purpose } from './templates.js'

const BATCH = 20
const LEASE_SECONDS = 300
const MOST_ATTEMPTS = 6

export const minutesOf = (purpose: Purpose, { PASSWORD_RESET_MINUTES: reset, INVITATION_HOURS: invitation }: Config): number => purpose === 'invitation' ? invitation * 60 : reset

interface Post { db: Db, mailer: Mailer, config: Config }
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Sends the e-mails with one-time links that are due. Each try has a link of its own, and the one before dies: of what is sent
 * twice the later is good.
 * @throws when the server is not there or refuses us: those e-mails wait a minute, at no cost to them
 */
export async function sendDueMails ({ db, mailer, config, signal }: Post & { signal?: AbortSignal }): Promise<{ sent: number, skipped: number, failed: number }> {
  const done = { sent: 0, skipped: 0, failed: 0 }
  while (signal?.aborted !== true) {
    const claimed = await claimMails(db, { limit: BATCH, leaseSeconds: LEASE_SECONDS })
    if (claimed.length === 0) break
    for (const [n, mail] of claimed.entries()) {
      const outcome = await sendOne({ db, mailer, config }, mail)
      if (outcome instanceof Error) {
        await retryMails(db, claimed.slice(n).map(({ id }) => id), { seconds: 60, error: outcome.message, free: true })
        throw outcome
      }
      done[outcome]++
    }
  }
  return done
}

/** @returns what became of it, or what is the matter with the server */
async function sendOne ({ db, mailer, config }: Post, { id, purpose, email, invited_by: invitedBy, attempts }: ClaimedMail): Promise<'sent' | 'skipped' | 'failed' | Error> {
  const token = newToken()
  const minutes = minutesOf(purpose, config)
  const person = await makeLink(db, { by: { email }, purpose, token, minutes, invitedBy })
  if (person === undefined) {
    await endMail(db, id, 'skipped') // nobody of that address, or nothing to be had by the link
    return 'skipped'
  }
  try {
    await mailer.send({ to: { name: person.name, address: person.email }, messageId: `${id}.${attempts}`, ...renderLetter({ purpose, token, minutes, app: config.APP_URL, ...person }) })
  } catch (error) {
    if (blamesServer(error)) return new Error(`the SMTP server: ${messageOf(error)}`)
    if (mayPassLater(error) && attempts < MOST_ATTEMPTS) await retryMails(db, [id], { seconds: 2 ** attempts * 60, error: messageOf(error) })
    else await endMail(db, id, 'failed', messageOf(error))
    return 'failed'
  }
  await endMail(db, id, 'sent')
  return 'sent'
}

/**
 * Sends what is due soon after it was asked for, outside of any request: how long an answer takes tells nothing. What a
 * process that ends leaves, or fails, the job sends.
 * @returns what to call when something was asked for
 */
export function createPostman (app: FastifyInstance): () => void {
  const { db, mailer, config } = app
  let again = false
  let round: Promise<void> | undefined
  async function go (): Promise<void> {
    do {
      again = false
      await sendDueMails({ db, mailer, config }).catch((err) => app.log.warn({ err }, 'e-mails with links were not sent: the job tries again'))
    } while (again)
    round = undefined
  }
  app.addHook('onClose', () => round)
  return () => {
    again = true
    round ??= new Promise<void>((resolve) => { onNobodysBehalf(() => setImmediate(() => { go().then(resolve, resolve) })) })
  }
}
