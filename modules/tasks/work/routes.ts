import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { anyProject } from '../../shared/project-scope.js'
import { problems, ref } from '../../shared/schemas.js'
import { myWork } from './queries.js'
import { Work, WorkQuery } from './schemas.js'

export const workRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/me/work', {
    config: { permission: 'tasks:read', inProject: anyProject },
    schema: { operationId: 'getMyWork', summary: 'What waits for me: my court first', tags: ['tasks'], querystring: WorkQuery, response: { 200: ref(Work), ...problems } }
  }, ({ actor, query: { limit = 20 } }) => myWork(app.db, { view: { actor, now: app.clock() }, limit }))
}
