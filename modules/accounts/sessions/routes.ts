import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { recordAudit } from '../../../plugins/audit/record.js'
import { SELF } from '../../../plugins/auth/index.js'
import { NotFound } from '../../../plugins/errors.js'
import { Deleted, IdParams, NoQuery, problems, ref } from '../../shared/schemas.js'
import { inTransaction } from '../../shared/transaction.js'
import { RefreshFailed } from '../errors.js'
import { EndedSessions, Refresh, Session, SignedIn, SignOut } from '../schemas.js'
import { lifetimesOf, needSecret, signedIn } from '../signed-in.js'
import { endSession, endSessionOf, endSessions, listSessions, refreshSession } from './queries.js'

const tags = ['accounts']

export const sessionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const lifetimes = lifetimesOf(app.config)

  /**
   * Ends a session of the signed-in person, on record. Whoever signed out is out on every instance when the answer leaves.
   * @returns whether there was one to end
   */
  async function signOut (request: FastifyRequest, id: string): Promise<boolean> {
    const hasEnded = await inTransaction(app.db, async (trx) => {
      const wasThere = await endSession(trx, { id, userId: request.actor.id, reason: 'signed_out' })
      if (wasThere) await recordAudit(trx, request, { event: 'signed_out', targetType: 'session', targetId: id })
      return wasThere
    })
    if (hasEnded) await app.actors.settled()
    return hasEnded
  }

  // Answers with secrets: no Idempotency-Key, whose answers are kept. A repetition gets the same refresh token for some seconds.
  app.post('/auth/refresh', {
    schema: { operationId: 'refreshSession', summary: 'A new pair of tokens for a refresh token', tags, body: Refresh, querystring: NoQuery, response: { 200: ref(SignedIn), ...problems } }
  }, async (request, reply) => {
    needSecret(app)
    const refreshed = await inTransaction(app.db, async (trx) => {
      const result = await refreshSession(trx, request.body.refresh_token, lifetimes)
      // Nobody knows who came: not on record as the person's doing.
      if (result.outcome === 'reused') await recordAudit(trx, request, { event: 'refresh_reused', targetType: 'session', targetId: result.sessionId, details: { user: result.user.id } })
      return result
    })
    if (refreshed.outcome === 'reused') await app.actors.settled()
    if (refreshed.outcome !== 'rotated') throw new RefreshFailed()
    reply.header('cache-control', 'no-store')
    return signedIn(app, refreshed, refreshed.user)
  })

  // Repeating it is doing it once: no Idempotency-Key is needed.
  app.post('/auth/logout', {
    preValidation: async (request) => { request.body ??= {} }, // the access token may be all there is
    schema: { operationId: 'signOut', summary: 'End the session of the refresh token, else of the access token', tags, body: SignOut, querystring: NoQuery, response: { 200: ref(EndedSessions), ...problems } }
  }, async (request, reply) => {
    const { refresh_token: token } = request.body
    if (token !== undefined) {
      const ended = await inTransaction(app.db, async (trx) => {
        const session = await endSessionOf(trx, token)
        if (session !== undefined) await recordAudit(trx, request, { event: 'signed_out', actorId: session.user_id, targetType: 'session', targetId: session.id })
        return session
      })
      if (ended !== undefined) await app.actors.settled()
      return { ended_sessions: ended === undefined ? 0 : 1 }
    }
    await app.signIn(request, reply)
    const { proof: { sessionId } } = request
    const hasEnded = sessionId !== undefined && await signOut(request, sessionId)
    return { ended_sessions: hasEnded ? 1 : 0 }
  })

  app.post('/auth/logout-all', {
    config: { permission: SELF },
    schema: { operationId: 'signOutEverywhere', summary: 'End all my sessions', tags, querystring: NoQuery, response: { 200: ref(EndedSessions), ...problems } }
  }, async (request) => {
    const { actor } = request
    const ended = await inTransaction(app.db, async (trx) => {
      const sessions = await endSessions(trx, { userId: actor.id, reason: 'signed_out_everywhere' })
      await recordAudit(trx, request, { event: 'signed_out_everywhere', targetType: 'user', targetId: actor.id, details: { sessions } })
      return sessions
    })
    await app.actors.settled()
    return { ended_sessions: ended }
  })

  app.get('/me/sessions', {
    config: { permission: SELF },
    schema: { operationId: 'listMySessions', summary: 'Where I am signed in', tags, querystring: NoQuery, response: { 200: Type.Array(ref(Session)), ...problems } }
  }, async ({ actor, proof }) => {
    const sessions = await listSessions(app.db, actor.id)
    return sessions.map((session) => ({ ...session, current: session.id === proof.sessionId }))
  })

  app.delete('/me/sessions/:id', {
    config: { permission: SELF },
    schema: { operationId: 'endMySession', summary: 'End one of my sessions', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { params: { id } } = request
    if (!await signOut(request, id)) throw new NotFound('session')
    return { deleted: true as const, id }
  })
}
