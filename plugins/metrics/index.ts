import fp from 'fastify-plugin'
import fastifyMetrics from 'fastify-metrics'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { refusalOf } from '../database/refusals.js'
import { currentRequest } from '../request-context.js'
import { createReport, type Metrics, type RecentError } from './report.js'
import { serveMetrics } from './routes.js'
import { readMemory } from './system.js'
import { Recorder } from './window.js'

declare module 'fastify' {
  interface FastifyInstance {
    registry: Registry
    /** What happened lately. */
    recorder: Recorder
    /** Everything that is measured, as `/api/health/metrics` tells it. */
    readMetrics: () => Promise<Metrics>
  }
  interface FastifyContextConfig {
    /** It takes as long as the client's line, or for as long as the client stays: no response time. */
    untimed?: boolean
  }
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const KEPT_ERRORS = 20

/**
 * Measures once, and tells it twice: `/metrics` for Prometheus and `/api/health/metrics` for people read the same counters and
 * histograms. Routes by their template, statements by their kind: no label grows with traffic. One registry for each app,
 * so that two apps in one process do not collide.
 */
export default fp(async function metrics (app) {
  const { config, pool } = app
  const registry = new Registry()
  const registers = [registry]
  const recorder = new Recorder(config.METRICS_WINDOW_SECONDS)
  app.decorate('registry', registry)
  app.decorate('recorder', recorder)
  await app.register(fastifyMetrics.default, {
    endpoint: null,
    defaultMetrics: { enabled: true, register: registry },
    routeMetrics: {
      enabled: { histogram: true, summary: false },
      methodBlacklist: [],
      registeredRoutesOnly: false,
      overrides: { histogram: { buckets: SECONDS, registers }, summary: { registers: [] } }
    }
  })

  const requests = new Counter({ name: 'eden_requests_total', help: 'answers, without those to probes', registers })
  const errors = new Counter({ name: 'eden_errors_total', help: 'answers with status 500 and above, without those to probes, by problem code', labelNames: ['type'], registers })
  // A series that appears with its first error has no rate: the usual ones are there from the start.
  for (const type of ['EDEN_INTERNAL', 'EDEN_DATABASE_UNAVAILABLE', 'EDEN_POOL_EXHAUSTED', 'EDEN_SCHEMA_MISMATCH', 'EDEN_OVERLOADED']) errors.inc({ type }, 0)
  const recent: RecentError[] = []
  app.addHook('onResponse', (request, reply, done) => {
    const { probe: isProbe = false, untimed = false } = request.routeOptions.config
    const failed = reply.statusCode >= 500
    recorder.answer({ isProbe, failed, milliseconds: untimed ? undefined : reply.elapsedTime })
    if (!isProbe) {
      requests.inc()
      if (failed) {
        const { code: type, detail: message } = request.problem ?? { code: 'EDEN_INTERNAL', detail: `status ${reply.statusCode}` }
        errors.inc({ type })
        recent.unshift({ timestamp: new Date().toISOString(), type, message, route: `${request.method} ${request.routeOptions.url ?? 'unknown'}`, requestId: request.id })
        recent.length = Math.min(recent.length, KEPT_ERRORS)
      }
    }
    done()
  })

  const statements = new Histogram({ name: 'eden_db_query_duration_seconds', help: 'duration of database statements; refused: the client asked for what cannot be', labelNames: ['operation', 'outcome'], buckets: SECONDS, registers })
  for (const operation of ['select', 'raw', 'connect']) statements.zero({ operation, outcome: 'error' })
  const slow = new Counter({ name: 'eden_db_slow_queries_total', help: 'statements slower than DB_SLOW_QUERY_MS', registers })
  app.onQuery(({ operation, milliseconds, error }) => {
    const refused = error !== undefined && (refusalOf(error)?.status ?? 500) < 500
    const outcome = error === undefined ? 'ok' : refused ? 'refused' : 'error'
    statements.observe({ operation, outcome }, milliseconds / 1000)
    recorder.query(milliseconds, outcome === 'error')
    if (milliseconds > config.DB_SLOW_QUERY_MS) slow.inc()
    const use = currentRequest()?.databaseUse
    if (use !== undefined) {
      use.statements++
      use.milliseconds += milliseconds
    }
  })

  const connections = () => ({ active: pool.totalCount - pool.idleCount, idle: pool.idleCount, waiting: pool.waitingCount, max: config.DB_POOL_MAX })
  const gauge = (options: { name: string, help: string, labelNames?: string[] }, read: (gauge: Gauge) => void) => new Gauge({ ...options, registers, collect () { read(this) } })
  gauge({ name: 'eden_db_pool_connections', help: 'database connections of this process, and requests that wait for one', labelNames: ['state'] }, (gauge) => {
    for (const [state, count] of Object.entries(connections())) gauge.set({ state }, count)
  })
  gauge({ name: 'eden_response_time_seconds', help: 'response times, without probes and files, over the window of METRICS_WINDOW_SECONDS and since the start', labelNames: ['statistic', 'over'] }, (gauge) => {
    for (const [over, durations] of [['window', recorder.durationsLately()], ['start', recorder.durationsSinceStart()]] as const) {
      for (const [statistic, milliseconds] of Object.entries(durations)) gauge.set({ statistic, over }, milliseconds / 1000)
    }
  })
  gauge({ name: 'eden_memory_usage_ratio', help: 'memory in use, of the limit that ends the process' }, (gauge) => gauge.set(readMemory().usagePercent / 100))

  app.decorate('readMetrics', createReport({ registry, recorder, recent, connections, errors, statements, slow }))
  serveMetrics(app)
}, { name: 'metrics', dependencies: ['settings', 'database', 'errors', 'auth', 'request-context'] })
