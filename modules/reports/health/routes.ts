import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { reportAnswers, sendReport } from '../answer.js'
import { projectHealth } from './queries.js'
import { ProjectHealth, HealthQuery } from './schemas.js'
import { anyProject } from '../../shared/project-scope.js'

export const healthRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/projects/health', {
    config: { permission: 'reports:read', inProject: anyProject },
    schema: { operationId: 'reportProjectHealth', summary: 'How each project is doing', tags: ['reports'], querystring: HealthQuery, response: reportAnswers(ProjectHealth) }
  }, async (request, reply) => {
    const { actor, query: { format: _format, ...query } } = request
    return sendReport(request, reply, { name: 'project-health', row: ProjectHealth, lines: await projectHealth(app.db, { actor, now: app.clock() }, query) })
  })
}
