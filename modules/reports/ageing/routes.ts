import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { reportAnswers, sendReport } from '../answer.js'
import { ageing } from './queries.js'
import { Ageing, AgeingQuery } from './schemas.js'
import { anyProject } from '../../shared/project-scope.js'

export const ageingRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/tasks/ageing', {
    config: { permission: 'reports:read', inProject: anyProject },
    schema: { operationId: 'reportTaskAgeing', summary: 'How old open work is, and how long it has been where it is', tags: ['reports'], querystring: AgeingQuery, response: reportAnswers(Ageing) }
  }, async (request, reply) => {
    const { actor, query: { format: _format, ...query } } = request
    return sendReport(request, reply, { name: 'ageing', row: Ageing, lines: await ageing(app.db, { actor, now: app.clock() }, query) })
  })
}
