import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { InvalidValue, NotFound, withMembers } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { etag, sendVersioned, stale, versionsOf } from '../shared/etags.js'
import { anyProject } from '../shared/project-scope.js'
import { IfMatch, NoQuery, problems, ref } from '../shared/schemas.js'
import { findCalendar, removeHoliday, setCalendar, setHoliday } from './queries.js'
import { Day, SetCalendar, SetHoliday, WorkCalendar } from './schemas.js'

const tags = ['calendar']
const DayParams = Type.Object({ date: Day })
const DeletedDay = Type.Object({ deleted: Type.Literal(true), id: Day })
const Year = Type.Object({ year: Type.Optional(Type.Integer({ minimum: 1900, maximum: 2999, description: 'whose holidays to tell; this year\'s by default' })) }, { additionalProperties: false })

/** What a schema cannot say: each weekday once, and closing after opening. */
function refuseStrangeHours ({ weekly_hours: hours }: SetCalendar): void {
  const wrong = hours.findIndex(({ weekday, opens, closes }, n) => closes <= opens || hours.findIndex((other) => other.weekday === weekday) < n)
  if (wrong === -1) return
  const message = 'closes after it opens, and names each weekday once'
  throw withMembers(new InvalidValue(`weekly_hours.${wrong} ${message}`), { errors: [{ path: `weekly_hours.${wrong}`, message }] })
}

export const calendarRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/calendar', {
    config: { permission: 'tasks:read', inProject: anyProject },
    schema: { operationId: 'getCalendar', summary: 'When the company works', tags, querystring: Year, response: { 200: ref(WorkCalendar), ...problems } }
  }, async (request, reply) => {
    const calendar = await findCalendar(app.db, { year: request.query.year, now: app.clock() })
    // Never 304: without a year the answer changes on New Year's Eve, and the version does not.
    reply.header('etag', etag(calendar.version))
    return calendar
  })

  app.put('/calendar', {
    config: { permission: 'settings:write' },
    schema: { operationId: 'setCalendar', summary: 'Set the hours of the week; working time is counted again, also of what was', tags, headers: IfMatch, body: SetCalendar, querystring: NoQuery, response: { 200: ref(WorkCalendar), ...problems } }
  }, async (request, reply) => {
    refuseStrangeHours(request.body)
    const { fresh, version } = await setCalendar(app.db, { values: request.body, versions: versionsOf(request.headers['if-match']), origin: originOf(request) })
    if (!fresh) throw stale(version)
    return sendVersioned(request, reply, await findCalendar(app.db, { now: app.clock() }))
  })

  app.put('/calendar/holidays/:date', {
    config: { permission: 'settings:write' },
    schema: { operationId: 'setHoliday', summary: 'Take a day off', tags, params: DayParams, body: SetHoliday, querystring: NoQuery, response: { 200: ref(WorkCalendar), ...problems } }
  }, async (request, reply) => {
    const { params: { date }, body: { name } } = request
    await setHoliday(app.db, { date, name, origin: originOf(request) })
    return sendVersioned(request, reply, await findCalendar(app.db, { year: Number(date.slice(0, 4)), now: app.clock() }))
  })

  app.delete('/calendar/holidays/:date', {
    config: { permission: 'settings:write' },
    schema: { operationId: 'removeHoliday', summary: 'Work on a day off', tags, params: DayParams, querystring: NoQuery, response: { 200: DeletedDay, ...problems } }
  }, async (request) => {
    const { params: { date } } = request
    const { done } = await removeHoliday(app.db, { date, origin: originOf(request) })
    if (!done) throw new NotFound('holiday')
    return { deleted: true as const, id: date }
  })
}
