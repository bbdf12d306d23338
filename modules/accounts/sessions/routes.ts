import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { SELF } from '../../../plugins/auth/index.js'
import { NotFound } from '../../../plugins/errors.js'
import { Deleted, IdParams, NoQuery, problems, ref } from '../../shared/schemas.js'
import { RefreshFailed } from '../errors.js'
import { EndedSessions, Refresh, Session, SignedIn, SignOut } from '../schemas.js'
import { lifetimesOf, needPerson, needSecret, signedIn } from '../signed-in.js'
import { endSession, endSessionOf, endSessions, listSessions, refreshSession } from './queries.js'

const tags = ['accounts']

export const sessionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const lifetimes = lifetimesOf(app.config)

  // Answers with secrets: no Idempotency-Key, whose answers are kept. A repetition gets the same refresh token for some seconds.
  app.post('/auth/refresh', {
    schema: { operationId: 'refreshSession', summary: 'A new pair of tokens for a refresh token', tags, body: Refresh, querystring: NoQuery, response: { 200: ref(SignedIn), ...problems } }
  }, async (request, reply) => {
    needSecret(app)
    const refreshed = await refreshSession(app.db, request.body.refresh_token, lifetimes)
    if (refreshed.outcome === 'reused') app.security(request, 'refresh_reused', { target: refreshed.user.id, session: refreshed.sessionId })
    if (refreshed.outcome !== 'rotated') throw new RefreshFailed()
    reply.header('cache-control', 'no-store')
    return signedIn(app, refreshed, refreshed.user)
  })

  // Repeating it is doing it once: no Idempotency-Key is needed.
  app.post('/auth/logout', {
    preValidation: async (request) => { request.body ??= {} }, // the access token may be all there is
    schema: { operationId: 'signOut', summary: 'End the session of the refresh token, else of the access token', tags, body: SignOut, querystring: NoQuery, response: { 200: ref(EndedSessions), ...problems } }
  }, async (request) => {
    const { refresh_token: token } = request.body
    if (token !== undefined) {
      const ended = await endSessionOf(app.db, token)
      if (ended !== undefined) app.security(request, 'signed_out', { target: ended.user_id, session: ended.id })
      return { ended_sessions: ended === undefined ? 0 : 1 }
    }
    await app.signIn(request)
    const { actor, proof: { sessionId } } = request
    const hasEnded = sessionId !== undefined && await endSession(app.db, { id: sessionId, userId: actor.id, reason: 'signed_out' })
    if (hasEnded) app.security(request, 'signed_out', { session: sessionId })
    return { ended_sessions: hasEnded ? 1 : 0 }
  })

  app.post('/auth/logout-all', {
    config: { permission: SELF },
    schema: { operationId: 'signOutEverywhere', summary: 'End all my sessions', tags, querystring: NoQuery, response: { 200: ref(EndedSessions), ...problems } }
  }, async (request) => {
    needPerson(request)
    const ended = await endSessions(app.db, { userId: request.actor.id, reason: 'signed_out_everywhere' })
    app.security(request, 'signed_out_everywhere', { sessions: String(ended) })
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
    needPerson(request)
    const { actor, params: { id } } = request
    if (!await endSession(app.db, { id, userId: actor.id, reason: 'signed_out' })) throw new NotFound('session')
    app.security(request, 'signed_out', { session: id })
    return { deleted: true as const, id }
  })
}
