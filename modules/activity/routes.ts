import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { NotFound } from '../../plugins/errors.js'
import { pageParameters, sendPage, type PageRequest } from '../shared/pagination.js'
import { anyProject, idIs } from '../shared/project-scope.js'
import { Id, IdParams, problems, ref } from '../shared/schemas.js'
import { countActivity, listActivity, listChanges, seesProject, seesTask, type ActivityFilter } from './queries.js'
import { ActivityEvent, Change } from './schemas.js'

const tags = ['activity']
const word = Type.String({ pattern: '^[a-z_]{1,40}$' })
const time = Type.String({ format: 'date-time' })
const filters = {
  entity_type: Type.Optional(Type.Array(word, { maxItems: 20, description: 'project, task, comment, user' })),
  entity_id: Type.Optional(Id),
  actor: Type.Optional(Id),
  action: Type.Optional(Type.Array(word, { maxItems: 20, description: 'created, updated, status_changed, ball_passed ...' })),
  from: Type.Optional(time),
  to: Type.Optional(time)
}
const page = pageParameters(['at'], '-at')
const ListActivity = Type.Object({ ...page, ...filters, project: Type.Optional(Id) }, { additionalProperties: false })
const ListEntityActivity = Type.Object({ ...page, ...filters }, { additionalProperties: false })
const ListChanges = Type.Object({
  after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0, description: 'the last position that the caller knows' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 }))
}, { additionalProperties: false })

export const activityRoutes: FastifyPluginAsyncTypebox = async (app) => {
  async function list (request: FastifyRequest, reply: FastifyReply, filter: ActivityFilter, { limit, cursor, sort, count }: PageRequest & { count?: boolean }) {
    const { actor } = request
    const [rows, total] = await Promise.all([
      listActivity(app.db, { actor, filter, page: { limit, cursor, sort } }),
      count === true ? countActivity(app.db, { actor, filter }) : undefined
    ])
    return sendPage(request, reply, rows, total)
  }

  app.get('/activity', {
    config: { permission: 'activity:read', inProject: anyProject },
    schema: { operationId: 'listActivity', summary: 'Who changed what, when, by which request', tags, querystring: ListActivity, response: { 200: Type.Array(ref(ActivityEvent)), ...problems } }
  }, (request, reply) => {
    const { limit, cursor, sort, count, ...filter } = request.query
    return list(request, reply, filter, { limit, cursor, sort, count })
  })

  app.get('/projects/:id/activity', {
    config: { permission: 'activity:read', inProject: idIs('project') },
    schema: { operationId: 'listProjectActivity', summary: 'What happened in a project', tags, params: IdParams, querystring: ListEntityActivity, response: { 200: Type.Array(ref(ActivityEvent)), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, query: { limit, cursor, sort, count, ...filter } } = request
    const events = await list(request, reply, { ...filter, project: id }, { limit, cursor, sort, count })
    if (events.length === 0 && !await seesProject(app.db, request.actor, id)) throw new NotFound('project')
    return events
  })

  app.get('/tasks/:id/activity', {
    config: { permission: 'activity:read', inProject: idIs('task') },
    schema: { operationId: 'listTaskActivity', summary: 'What happened to a task and its comments', tags, params: IdParams, querystring: ListEntityActivity, response: { 200: Type.Array(ref(ActivityEvent)), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, query: { limit, cursor, sort, count, ...filter } } = request
    const events = await list(request, reply, { ...filter, task: id }, { limit, cursor, sort, count })
    if (events.length === 0 && !await seesTask(app.db, request.actor, id)) throw new NotFound('task')
    return events
  })

  app.get('/changes', {
    config: { permission: 'activity:read', inProject: anyProject },
    schema: { operationId: 'listChanges', summary: 'What changed after a position, deletions included', tags, querystring: ListChanges, response: { 200: Type.Array(ref(Change)), ...problems } }
  }, async (request, reply) => {
    const { actor, query: { after = 0, limit = 50 } } = request
    await app.events.settled() // who asks right after a change finds it
    const changes = await listChanges(app.db, { actor, after, limit: limit + 1 })
    if (changes.length > limit) {
      changes.pop()
      reply.header('link', `</api/changes?after=${changes.at(-1)?.position}&limit=${limit}>; rel="next"`)
    }
    return changes
  })
}
