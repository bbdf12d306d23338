import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { Refused, type BearerKind } from './bearers.js'
import { addressOf } from '../proxies.js'
import { notOftener } from '../seldom.js'
import { secretTokens } from './secret-token-form.js'

/** How exactly `last_used_at` is kept: a use within a minute of one that was written down is not. */
const USE_MS = 60_000
const PREFIX = 'eden_pat_'
/** What personal access tokens look like. */
export const apiTokens = secretTokens(PREFIX)

/** Personal access tokens. That the row is there, live, and of this hash, `findActor` sees, with the person in one statement. */
export const apiTokenKind: BearerKind = {
  claims: (token) => token.startsWith(PREFIX),
  prove (token) {
    const { id, hash } = apiTokens.read(token) ?? {}
    if (id === undefined || hash === undefined) throw new Refused('malformed token')
    return { by: { tokenHash: hash.toString('hex') }, apiTokenId: id }
  }
}

/**
 * Writes down when and from where a token was last used: after the answer, at most once a minute for a token, and only
 * when the request went well. That it cannot be written is no reason to refuse anything.
 */
export function noteUses (app: FastifyInstance): void {
  const notes = notOftener(USE_MS)
  const writing = new Set<Promise<unknown>>()

  app.addHook('onResponse', async (request, reply) => {
    const id = request.proof?.apiTokenId
    if (id === undefined || reply.statusCode >= 400) return
    const now = app.clock()
    if (!notes.isDue(id, now)) return
    notes.done(id, now)
    const at = now.toISOString()
    // Another instance may just have done so; it is enough.
    const write = sql`update api_tokens set last_used_at = ${at}, last_used_ip = ${addressOf(request)}
      where id = ${id} and (last_used_at is null or last_used_at <= ${at}::timestamptz - ${USE_MS} * interval '1 millisecond')`.execute(app.db)
      .catch((err: unknown) => { app.log.debug({ err }, 'the use of a personal access token could not be noted') })
      .finally(() => writing.delete(write))
    writing.add(write)
  })
  app.addHook('onClose', async () => { await Promise.all(writing) })
}
