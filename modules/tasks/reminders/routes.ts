import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { originOf } from '../../activity/index.js'
import { sendVersioned, stale, versionsOf } from '../../shared/etags.js'
import { anyProject } from '../../shared/project-scope.js'
import { IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { findPolicy, setPolicy } from './policy.js'
import { BallPolicy, SetBallPolicy } from './schemas.js'

const tags = ['ball']

export const policyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/ball-policy', {
    config: { permission: 'tasks:read', inProject: anyProject },
    schema: { operationId: 'getBallPolicy', summary: 'What is expected of whoever has a ball', tags, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(BallPolicy), ...problems } }
  }, async (request, reply) => sendVersioned(request, reply, await findPolicy(app.db)))

  app.put('/ball-policy', {
    config: { permission: 'settings:write' },
    schema: { operationId: 'setBallPolicy', summary: 'Set it; what has been reminded of is not reminded of again', tags, headers: IfMatch, body: SetBallPolicy, querystring: NoQuery, response: { 200: ref(BallPolicy), ...problems } }
  }, async (request, reply) => {
    const { fresh, version } = await setPolicy(app.db, { rules: request.body, versions: versionsOf(request.headers['if-match']), origin: originOf(request) })
    if (!fresh) throw stale(version)
    return sendVersioned(request, reply, await findPolicy(app.db))
  })
}
