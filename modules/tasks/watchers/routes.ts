import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotFound } from '../../../plugins/errors.js'
import { idIs } from '../../shared/project-scope.js'
import { Deleted, Id, IdParams, NoQuery, problems, ref } from '../../shared/schemas.js'
import { unwatch, watch } from './queries.js'

const tags = ['tasks']
const Watching = Type.Object({ watching: Type.Literal(true), task_id: Id })

export const watcherRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.put('/tasks/:id/watch', {
    config: { permission: 'tasks:read', inProject: idIs('task') },
    schema: { operationId: 'watchTask', summary: 'Keep an eye on a task', tags, params: IdParams, querystring: NoQuery, response: { 200: Watching, ...problems } }
  }, async ({ actor, params: { id } }) => {
    if (!await watch(app.db, { taskId: id, actor })) throw new NotFound('task')
    return { watching: true as const, task_id: id }
  })

  app.delete('/tasks/:id/watch', {
    config: { permission: 'tasks:read', inProject: idIs('task') },
    schema: { operationId: 'unwatchTask', summary: 'Keep an eye on a task no more', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async ({ actor, params: { id } }) => {
    if (!await unwatch(app.db, { taskId: id, actor })) throw new NotFound('task')
    return { deleted: true as const, id }
  })
}
