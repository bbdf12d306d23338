import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { Type } from 'typebox'
import { Unauthenticated } from '../errors.js'
import { problems } from '../problem.js'
import { Metrics } from './report.js'

const digest = (text: string) => createHash('sha256').update(text).digest()

/** `/metrics` for Prometheus (OpenMetrics when asked for), with a bearer token where one is set; `/api/health/metrics` as JSON. */
export function serveMetrics (app: FastifyInstance): void {
  const { registry } = app
  app.get('/metrics', {
    config: { probe: true },
    schema: {
      operationId: 'getMetrics',
      summary: 'Metrics for Prometheus',
      tags: ['operations'],
      response: { 200: { description: 'every series', content: { 'text/plain': { schema: Type.String() }, 'application/openmetrics-text': { schema: Type.String() } } }, ...problems }
    }
  }, async (request, reply) => {
    const { METRICS_TOKEN: token } = app.config
    // Digests have one length whatever was sent: the comparison tells nothing.
    if (token !== undefined && !timingSafeEqual(digest(`Bearer ${token}`), digest(request.headers.authorization ?? ''))) {
      app.security(request, 'metrics_refused')
      throw new Unauthenticated()
    }
    const openMetrics = request.headers.accept?.includes('application/openmetrics-text') === true
    const source = openMetrics ? openMetricsOf(registry) : registry
    return reply.type(source.contentType).send(await source.metrics())
  })
  app.get('/api/health/metrics', {
    config: { probe: true },
    schema: { operationId: 'getApplicationMetrics', summary: 'What /metrics has, for people', tags: ['operations'], response: { 200: Metrics } }
  }, () => app.readMetrics())
}

/** The same metrics in the other text format. */
function openMetricsOf (registry: Registry): Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE> {
  const merged = Registry.merge([registry])
  merged.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  return merged as never
}
