import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { recordAudit } from '../../plugins/audit/index.js'
import { apiTokens } from '../../plugins/auth/api-tokens.js'
import { SELF } from '../../plugins/auth/index.js'
import { NotFound, raise } from '../../plugins/errors.js'
import { newId } from '../shared/ids.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { Deleted, IdParams, NoQuery, problems, ref } from '../shared/schemas.js'
import { countApiTokens, createApiToken, listApiTokens, listHeldApiTokens, listHeldInProjects, revokeApiToken } from './queries.js'
import { checkApiToken, TooManyTokens } from './rules.js'
import { ApiToken, CreateApiToken, HeldApiToken, NewApiToken, State } from './schemas.js'

const tags = ['tokens']
const listQuery = { ...pageParameters(['created_at'], '-created_at'), state: Type.Optional(Type.Array(State)) }
const OwnQuery = Type.Object(listQuery, { additionalProperties: false })
const AnyonesQuery = Type.Object({ ...listQuery, user_id: Type.Optional(Type.String({ format: 'uuid', description: 'who holds them' })) }, { additionalProperties: false })

// A token is no way to more tokens: whoever finds one cannot make another that outlives it, or look for those beside it.
const byPersonOnly = { permission: SELF, tokens: false }

export const tokenRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const revoke = (request: FastifyRequest, which: Parameters<typeof revokeApiToken>[1]) => app.db.transaction().execute(async (trx) => {
    const { user_id: holder, name } = await revokeApiToken(trx, which) ?? raise(new NotFound('token'))
    await recordAudit(trx, request, { event: 'token_revoked', targetType: 'api_token', targetId: which.id, details: { name, holder } })
  })

  app.get('/tokens', {
    config: byPersonOnly,
    schema: { operationId: 'listTokens', summary: 'My personal access tokens', tags, querystring: OwnQuery, response: { 200: Type.Array(ref(ApiToken)), ...problems } }
  }, async (request, reply) => {
    const { state, count, ...page } = request.query
    const filter = { holder: request.actor.id, state }
    const [rows, total] = await Promise.all([listApiTokens(app.db, { filter, page }), count === true ? countApiTokens(app.db, filter) : undefined])
    return sendPage(request, reply, rows, total)
  })

  // Not once by an Idempotency-Key: answers are kept for repetitions, and this one is a secret.
  app.post('/tokens', {
    config: byPersonOnly,
    schema: { operationId: 'createToken', summary: 'Make a personal access token; it is shown this once', tags, querystring: NoQuery, body: CreateApiToken, response: { 201: ref(NewApiToken), ...problems } }
  }, async (request, reply) => {
    const { actor, body } = request
    const { API_TOKEN_MAX_DAYS: maxDays, API_TOKENS_PER_PERSON: most } = app.config
    const held = body.scopes.every((scope) => actor.permissions.includes(scope)) ? actor.permissions : [...actor.permissions, ...await listHeldInProjects(app.db, actor.id)]
    checkApiToken(body, { permissions: held, now: app.clock(), maxDays })
    const id = newId()
    const { token, hash } = apiTokens.make(id)
    const row = await app.db.transaction().execute(async (trx) => {
      const added = await createApiToken(trx, { id, holder: actor.id, hash, values: body, most }) ?? raise(new TooManyTokens(most))
      await recordAudit(trx, request, { event: 'token_created', targetType: 'api_token', targetId: id, details: { name: body.name, scopes: body.scopes.join(' '), expires_at: body.expires_at } })
      return added
    })
    reply.code(201).headers({ location: `/api/tokens/${id}`, 'cache-control': 'no-store' })
    return { ...row, token }
  })

  app.delete('/tokens/:id', {
    config: byPersonOnly,
    schema: { operationId: 'revokeToken', summary: 'Revoke one of my personal access tokens, at once', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id } } = request
    await revoke(request, { id, by: actor.id, holder: actor.id })
    return { deleted: true as const, id }
  })

  app.get('/admin/tokens', {
    config: { permission: 'users:write' },
    schema: { operationId: 'listAllTokens', summary: 'Everybody\'s personal access tokens', tags, querystring: AnyonesQuery, response: { 200: Type.Array(ref(HeldApiToken)), ...problems } }
  }, async (request, reply) => {
    const { state, user_id: holder, count, ...page } = request.query
    const filter = { holder, state }
    const [rows, total] = await Promise.all([listHeldApiTokens(app.db, { filter, page }), count === true ? countApiTokens(app.db, filter) : undefined])
    return sendPage(request, reply, rows, total)
  })

  app.delete('/admin/tokens/:id', {
    config: { permission: 'users:write' },
    schema: { operationId: 'revokeAnyToken', summary: 'Revoke anybody\'s personal access token, at once', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id } } = request
    await revoke(request, { id, by: actor.id })
    return { deleted: true as const, id }
  })
}
