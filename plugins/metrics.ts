import { timingSafeEqual, createHash } from 'node:crypto'
import fp from 'fastify-plugin'
import fastifyMetrics from 'fastify-metrics'
import { Gauge, Histogram, Registry } from 'prom-client'
import { Unauthenticated } from './errors.js'

declare module 'fastify' {
  interface FastifyInstance { registry: Registry }
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * `/metrics` for Prometheus (OpenMetrics when asked for): the process, each route by its template, each kind of
 * statement, and the pool. One registry for each app, so that two apps in one process do not collide.
 */
export default fp(async function metrics (app) {
  const registry = new Registry()
  app.decorate('registry', registry)
  await app.register(fastifyMetrics.default, {
    endpoint: null,
    defaultMetrics: { enabled: true, register: registry },
    routeMetrics: {
      enabled: { histogram: true, summary: false },
      overrides: { histogram: { buckets: SECONDS, registers: [registry] }, summary: { registers: [] } }
    }
  })

  const queries = new Histogram({
    name: 'eden_db_query_duration_seconds',
    help: 'duration of database statements',
    labelNames: ['operation', 'outcome'],
    buckets: SECONDS,
    registers: [registry]
  })
  app.onQuery(({ operation, milliseconds, failed }) => queries.observe({ operation, outcome: failed ? 'error' : 'ok' }, milliseconds / 1000))

  const connections = new Gauge({
    name: 'eden_db_pool_connections',
    help: 'database connections of this process, and requests that wait for one',
    labelNames: ['state'],
    registers: [registry],
    collect () {
      connections.set({ state: 'active' }, app.pool.totalCount - app.pool.idleCount)
      connections.set({ state: 'idle' }, app.pool.idleCount)
      connections.set({ state: 'waiting' }, app.pool.waitingCount)
      connections.set({ state: 'max' }, app.config.DB_POOL_MAX)
    }
  })

  app.get('/metrics', {
    config: { probe: true },
    schema: { operationId: 'getMetrics', summary: 'Metrics for Prometheus', tags: ['operations'] }
  }, async (request, reply) => {
    const { METRICS_TOKEN: token } = app.config
    // Digests have one length whatever was sent: the comparison tells nothing.
    if (token !== undefined && !timingSafeEqual(digest(`Bearer ${token}`), digest(request.headers.authorization ?? ''))) throw new Unauthenticated()
    const openMetrics = request.headers.accept?.includes('application/openmetrics-text') === true
    const source = openMetrics ? openMetricsOf(registry) : registry
    return reply.type(source.contentType).send(await source.metrics())
  })
}, { name: 'metrics', dependencies: ['settings', 'database', 'errors', 'auth'] })

/** The same metrics in the other text format. */
function openMetricsOf (registry: Registry): Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE> {
  const merged = Registry.merge([registry])
  merged.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  return merged as never
}
