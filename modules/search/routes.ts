import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { anyProject } from '../shared/project-scope.js'
import { problems, ref } from '../shared/schemas.js'
import { search } from './queries.js'
import { SearchHit, SearchQuery } from './schemas.js'

export const searchRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/search', {
    config: { permission: 'tasks:read', inProject: anyProject },
    schema: { operationId: 'search', summary: 'Find projects, tasks and comments, the best first', tags: ['search'], querystring: SearchQuery, response: { 200: Type.Array(ref(SearchHit)), ...problems } }
  }, ({ query, actor }) => search(app.db, query, actor))
}
