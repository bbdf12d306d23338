import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import { NotFound, raise } from '../../../plugins/errors.js'
import { originOf } from '../../activity/index.js'
import { etag, sendVersioned, stale, versionsOf } from '../../shared/etags.js'
import { pageParameters, sendPage } from '../../shared/pagination.js'
import { idIs } from '../../shared/project-scope.js'
import { Deleted, IdParams, IfMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { findTask, type View } from '../queries.js'
import { addItem, countItems, findItem, listItems, removeItem, reorderItems, updateItem, type By } from './queries.js'
import { AddChecklistItem, ChecklistItem, ReorderChecklist, UpdateChecklistItem } from './schemas.js'

const tags = ['tasks']
const listQuery = Type.Object(pageParameters(['position'], 'position'), { additionalProperties: false })
/** The most steps that a task has: its table refuses more. */
const ALL = 200

export const checklistRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const viewOf = ({ actor }: FastifyRequest): View => ({ actor, now: app.clock() })
  const by = (request: FastifyRequest): By => ({ actor: request.actor, origin: originOf(request) })

  app.get('/tasks/:id/checklist', {
    config: { permission: 'tasks:read', inProject: idIs('task') },
    schema: { operationId: 'listChecklist', summary: 'The steps of a task, in their order', tags, params: IdParams, querystring: listQuery, response: { 200: Type.Array(ref(ChecklistItem)), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, query: { count, ...page } } = request
    const [rows, total] = await Promise.all([
      listItems(app.db, { taskId: id, actor, page }),
      count === true ? countItems(app.db, { taskId: id, actor }) : undefined
    ])
    if (rows.length === 0) await findTask(app.db, { id, view: viewOf(request) }) ?? raise(new NotFound('task'))
    return sendPage(request, reply, rows, total)
  })

  app.post('/tasks/:id/checklist', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'addChecklistItem', summary: 'Add a step at the end', tags, params: IdParams, body: AddChecklistItem, querystring: NoQuery, response: { 201: ref(ChecklistItem), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { params: { id: taskId }, body: { label } } = request
    const item = await addItem(db, { taskId, label, ...by(request) }) ?? raise(new NotFound('task'))
    return { status: 201, headers: { location: `/api/tasks/${taskId}/checklist`, etag: etag(item.version) }, body: item }
  }))

  app.patch('/checklist/:id', {
    config: { permission: 'tasks:write', inProject: idIs('checklist_item') },
    schema: { operationId: 'updateChecklistItem', summary: 'Change a step, or tick it off', tags, params: IdParams, headers: IfMatch, body: UpdateChecklistItem, querystring: NoQuery, response: { 200: ref(ChecklistItem), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, body: set, headers } = request
    const { fresh, version } = await updateItem(app.db, { id, set, versions: versionsOf(headers['if-match']), ...by(request) }) ?? raise(new NotFound('checklist item'))
    if (!fresh) throw stale(version)
    return sendVersioned(request, reply, await findItem(app.db, { id, actor }) ?? raise(new NotFound('checklist item')))
  })

  app.delete('/checklist/:id', {
    config: { permission: 'tasks:write', inProject: idIs('checklist_item') },
    schema: { operationId: 'removeChecklistItem', summary: 'Remove a step', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { params: { id }, headers } = request
    const { fresh, version } = await removeItem(app.db, { id, versions: versionsOf(headers['if-match']), ...by(request) }) ?? raise(new NotFound('checklist item'))
    if (!fresh) throw stale(version)
    return { deleted: true as const, id }
  })

  app.post('/tasks/:id/checklist/reorder', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'reorderChecklist', summary: 'Put the steps into an order', tags, params: IdParams, body: ReorderChecklist, querystring: NoQuery, response: { 200: Type.Array(ref(ChecklistItem)), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { actor, params: { id: taskId }, body: { ids } } = request
    if (!await reorderItems(db, { taskId, ids: ids.map((id) => id.toLowerCase()), ...by(request) })) throw new NotFound('task')
    return { status: 200, body: (await listItems(db, { taskId, actor, page: { limit: ALL, sort: 'position' } })).slice(0, ALL) }
  }))
}
