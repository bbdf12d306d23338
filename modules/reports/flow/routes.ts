import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { reportAnswers, sendReport } from '../answer.js'
import { ballFlow } from './queries.js'
import { BallFlow, FlowQuery } from './schemas.js'
import { anyProject } from '../../shared/project-scope.js'

export const flowRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/ball/flow', {
    config: { permission: 'reports:read', inProject: anyProject },
    schema: { operationId: 'reportBallFlow', summary: 'How long people and departments hold the ball', tags: ['reports'], querystring: FlowQuery, response: reportAnswers(BallFlow) }
  }, async (request, reply) => {
    const { actor, query: { format: _format, ...query } } = request
    return sendReport(request, reply, { name: 'ball-flow', row: BallFlow, lines: await ballFlow(app.db, { actor, now: app.clock() }, query) })
  })
}
