import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { InvalidValue, withMembers } from '../../../plugins/errors.js'
import { reportAnswers, sendReport } from '../answer.js'
import { throughput } from './queries.js'
import { Throughput, ThroughputQuery, type Span } from './schemas.js'
import { anyProject } from '../../shared/project-scope.js'

/** The most lines of one report: a year of days and some more. */
const MOST_LINES = 400
const DAYS = { day: 1, week: 7 }

/** @throws InvalidValue when the report would be longer than anybody reads */
function refuseTooLong ({ from, to, per = 'week' }: ThroughputQuery, now: Date): void {
  if (from === undefined) return
  const end = Math.min(to === undefined ? Infinity : Date.parse(to), now.getTime())
  if ((end - Date.parse(from)) / 86_400_000 <= MOST_LINES * DAYS[per as Span]) return
  const message = `is more than ${MOST_LINES} ${per}s before the end`
  throw withMembers(new InvalidValue(`from ${message}`), { errors: [{ path: 'from', message }] })
}

export const throughputRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/throughput', {
    config: { permission: 'reports:read', inProject: anyProject },
    schema: { operationId: 'reportThroughput', summary: 'How much came and was finished, and how long it took', tags: ['reports'], querystring: ThroughputQuery, response: reportAnswers(Throughput) }
  }, async (request, reply) => {
    const { actor, query: { format: _format, ...query } } = request
    const now = app.clock()
    refuseTooLong(query, now)
    return sendReport(request, reply, { name: 'throughput', row: Throughput, lines: await throughput(app.db, { actor, now }, query) })
  })
}
