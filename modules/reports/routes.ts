import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { Id, problems, ref } from '../shared/schemas.js'
import { Department } from '../users/index.js'
import { countOverdueTasks, createdPerDay, overdueTasks, tasksByBall, tasksByPriority, tasksByStatus } from './queries.js'
import { DayCount, OverdueTask, OwnerCount, PriorityCount, StatusCount } from './schemas.js'

const tags = ['reports']
const config = { permission: 'reports:read' }
const filters = {
  project: Type.Optional(Type.Array(Id, { maxItems: 50 })),
  department: Type.Optional(Type.Array(Department)),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'tasks created at this time or later' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'tasks created before this time' }))
}
const Filters = Type.Object(filters, { additionalProperties: false })
const ListOverdue = Type.Object({ ...pageParameters(['due_at'], 'due_at'), ...filters }, { additionalProperties: false })
const Recent = Type.Object({
  ...filters,
  days: Type.Optional(Type.Integer({ minimum: 1, maximum: 90, default: 7, description: 'how many days, today included' }))
}, { additionalProperties: false })

export const reportRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/tasks/status', {
    config,
    schema: { operationId: 'reportTasksByStatus', summary: 'Tasks by status', tags, querystring: Filters, response: { 200: Type.Array(ref(StatusCount)), ...problems } }
  }, ({ actor, query }) => tasksByStatus(app.db, actor, query))

  app.get('/tasks/ball', {
    config,
    schema: { operationId: 'reportTasksByBall', summary: 'Open tasks by whose court the ball is in', tags, querystring: Filters, response: { 200: Type.Array(ref(OwnerCount)), ...problems } }
  }, ({ actor, query }) => tasksByBall(app.db, actor, query))

  app.get('/tasks/priority', {
    config,
    schema: { operationId: 'reportTasksByPriority', summary: 'Tasks by priority', tags, querystring: Filters, response: { 200: Type.Array(ref(PriorityCount)), ...problems } }
  }, ({ actor, query }) => tasksByPriority(app.db, actor, query))

  app.get('/tasks/overdue', {
    config,
    schema: { operationId: 'reportOverdueTasks', summary: 'Open tasks that are overdue, the longest first', tags, querystring: ListOverdue, response: { 200: Type.Array(ref(OverdueTask)), ...problems } }
  }, async (request, reply) => {
    const { actor, query: { limit, cursor, sort, count, ...filter } } = request
    const now = app.clock()
    const [rows, total] = await Promise.all([
      overdueTasks(app.db, { actor, now, filter, page: { limit, cursor, sort } }),
      count === true ? countOverdueTasks(app.db, { actor, now, filter }) : undefined
    ])
    return sendPage(request, reply, rows, total)
  })

  app.get('/activity/recent', {
    config,
    schema: { operationId: 'reportRecentActivity', summary: 'Tasks created on each of the last days', tags, querystring: Recent, response: { 200: Type.Array(ref(DayCount)), ...problems } }
  }, ({ actor, query: { days = 7, ...filter } }) => createdPerDay(app.db, { actor, now: app.clock(), days, filter }))
}
