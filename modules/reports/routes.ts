import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { reportAnswers, reportCsv, sendReport, wantsCsv } from './answer.js'
import { filtersOn } from './filters.js'
import { allOverdueTasks, countOverdueTasks, createdPerDay, overdueTasks, tasksByBall, tasksByPriority, tasksByStatus } from './queries.js'
import { DayCount, OverdueTask, OwnerCount, PriorityCount, StatusCount } from './schemas.js'
import { anyProject } from '../shared/project-scope.js'

const tags = ['reports']
const config = { permission: 'reports:read', inProject: anyProject }
const filters = filtersOn('tasks created')
const Filters = Type.Object(filters, { additionalProperties: false })
const ListOverdue = Type.Object({ ...pageParameters(['due_at'], 'due_at'), ...filters }, { additionalProperties: false, description: '`limit` and `cursor` are of pages: CSV has all rows' })
const Recent = Type.Object({
  ...filters,
  days: Type.Optional(Type.Integer({ minimum: 1, maximum: 90, default: 7, description: 'how many days, today included' }))
}, { additionalProperties: false })

export const reportRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/tasks/status', {
    config,
    schema: { operationId: 'reportTasksByStatus', summary: 'Tasks by status', tags, querystring: Filters, response: reportAnswers(StatusCount) }
  }, async (request, reply) => sendReport(request, reply, { name: 'tasks-by-status', row: StatusCount, lines: await tasksByStatus(app.db, request.actor, request.query) }))

  app.get('/tasks/ball', {
    config,
    schema: { operationId: 'reportTasksByBall', summary: 'Open tasks by whose court the ball is in', tags, querystring: Filters, response: reportAnswers(OwnerCount) }
  }, async (request, reply) => sendReport(request, reply, { name: 'tasks-by-ball', row: OwnerCount, lines: await tasksByBall(app.db, request.actor, request.query) }))

  app.get('/tasks/priority', {
    config,
    schema: { operationId: 'reportTasksByPriority', summary: 'Tasks by priority', tags, querystring: Filters, response: reportAnswers(PriorityCount) }
  }, async (request, reply) => sendReport(request, reply, { name: 'tasks-by-priority', row: PriorityCount, lines: await tasksByPriority(app.db, request.actor, request.query) }))

  app.get('/tasks/overdue', {
    config,
    schema: { operationId: 'reportOverdueTasks', summary: 'Open tasks that are overdue, the longest first', tags, querystring: ListOverdue, response: reportAnswers(OverdueTask) }
  }, async (request, reply) => {
    const { actor, query: { limit, cursor, sort, count, format: _format, ...filter } } = request
    const now = app.clock()
    const counted = count === true ? countOverdueTasks(app.db, { actor, now, filter }) : undefined
    if (wantsCsv(request, reply)) {
      if (counted !== undefined) reply.header('x-total-count', await counted)
      return reportCsv(reply, 'overdue-tasks', OverdueTask, allOverdueTasks(app.db, { actor, now, filter, sort })) as never
    }
    const [rows, total] = await Promise.all([overdueTasks(app.db, { actor, now, filter, page: { limit, cursor, sort } }), counted])
    return sendPage(request, reply, rows, total)
  })

  app.get('/activity/recent', {
    config,
    schema: { operationId: 'reportRecentActivity', summary: 'Tasks created on each of the last days', tags, querystring: Recent, response: reportAnswers(DayCount) }
  }, async (request, reply) => {
    const { actor, query: { days = 7, ...filter } } = request
    return sendReport(request, reply, { name: 'recent-activity', row: DayCount, lines: await createdPerDay(app.db, { actor, now: app.clock(), days, filter }) })
  })
}
