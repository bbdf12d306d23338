import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { reportAnswers, sendReport } from '../answer.js'
import { workload } from './queries.js'
import { Workload, WorkloadQuery } from './schemas.js'
import { anyProject } from '../../shared/project-scope.js'

export const workloadRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/workload', {
    config: { permission: 'reports:read', inProject: anyProject },
    schema: { operationId: 'reportWorkload', summary: 'What each person has on their plate', tags: ['reports'], querystring: WorkloadQuery, response: reportAnswers(Workload) }
  }, async (request, reply) => {
    const { actor, query: { format: _format, ...query } } = request
    return sendReport(request, reply, { name: 'workload', row: Workload, lines: await workload(app.db, { actor, now: app.clock() }, query) })
  })
}
