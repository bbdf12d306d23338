import createError from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import { NotFound, raise, withMembers } from '../../../plugins/errors.js'
import { originOf } from '../../activity/index.js'
import { pageParameters, sendPage } from '../../shared/pagination.js'
import { idIs } from '../../shared/project-scope.js'
import { Deleted, Id, IdParams, NoQuery, problems, ref } from '../../shared/schemas.js'
import { findTask, type View } from '../queries.js'
import { addDependency, countDependencies, listDependencies, removeDependency } from './queries.js'
import { AddDependency, Dependency } from './schemas.js'

const tags = ['tasks']
const listQuery = Type.Object(pageParameters(['created_at'], 'created_at'), { additionalProperties: false })
const pairParams = Type.Object({ id: Id, blocks_id: Id })
const UnknownTask = createError('EDEN_UNKNOWN_TASK', 'blocks_id names no task', 422)

export const dependencyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const viewOf = ({ actor }: FastifyRequest): View => ({ actor, now: app.clock() })

  app.get('/tasks/:id/dependencies', {
    config: { permission: 'tasks:read', inProject: idIs('task') },
    schema: { operationId: 'listDependencies', summary: 'What a task waits for, and what waits for it', tags, params: IdParams, querystring: listQuery, response: { 200: Type.Array(ref(Dependency)), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, query: { count, ...page } } = request
    const [rows, total] = await Promise.all([
      listDependencies(app.db, { taskId: id, actor, page }),
      count === true ? countDependencies(app.db, { taskId: id, actor }) : undefined
    ])
    if (rows.length === 0) await findTask(app.db, { id, view: viewOf(request) }) ?? raise(new NotFound('task'))
    return sendPage(request, reply, rows, total)
  })

  app.post('/tasks/:id/dependencies', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'addDependency', summary: 'Let another task wait for this one', tags, params: IdParams, body: AddDependency, querystring: NoQuery, response: { 201: ref(Dependency), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { actor, params: { id }, body: { blocks_id: blockedId } } = request
    const added = await addDependency(db, { blockerId: id, blockedId, actor, origin: originOf(request) })
    if (added === 'no blocker') throw new NotFound('task')
    if (added === 'no blocked') throw withMembers(new UnknownTask(), { errors: [{ path: 'blocks_id', message: 'names no task' }] })
    return { status: 201, headers: { location: `/api/tasks/${id}/dependencies` }, body: added }
  }))

  app.delete('/tasks/:id/dependencies/:blocks_id', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'removeDependency', summary: 'Let another task wait for this one no more', tags, params: pairParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id: blockerId, blocks_id: blockedId } } = request
    const id = await removeDependency(app.db, { blockerId, blockedId, actor, origin: originOf(request) }) ?? raise(new NotFound('dependency'))
    return { deleted: true as const, id }
  })
}
