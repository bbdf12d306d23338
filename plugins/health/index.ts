import fp from 'fastify-plugin'
import { Gauge } from 'prom-client'
import { explain } from '../database/causes.js'
import { createChecks, pressureTrouble, schemaTrouble } from './checks.js'
import { Detailed, FullStatus, Live, NotReady, Ping, PingFailed, Quick, Ready, Status, type Detailed as Health } from './schemas.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Why this instance cannot serve, in words for an operator; undefined when it can. */
    notReadyReason: () => Promise<string | undefined>
  }
}

const degree = { healthy: 1, degraded: 0.5, unhealthy: 0 }

/** The probes: alive, ready, healthy, why not, and whether the database answers. No identity, exempt from load shedding. */
export default fp(async function health (app) {
  const now = () => new Date().toISOString()
  const lookAtAll = createChecks(app)

  app.decorate('notReadyReason', async () => {
    if (app.isShuttingDown()) return 'shutting down'
    const pressure = pressureTrouble(app)
    if (pressure !== undefined) return pressure
    const state = await app.databaseState()
    if (state.cause !== undefined) return `database unreachable: ${explain(state.cause)}`
    if (state.pendingMigrations.length > 0) return `migrations pending: ${state.pendingMigrations.join(', ')}`
    const schema = schemaTrouble(state)
    return schema?.status === 'unhealthy' ? schema.message : undefined
  })

  const ready = new Gauge({ name: 'eden_ready', help: '1 while this instance can serve', registers: [app.registry], async collect () { ready.set(await app.notReadyReason() === undefined ? 1 : 0) } })
  const checked = new Gauge({
    name: 'eden_health',
    help: 'each part of the health: 1 healthy, 0.5 degraded, 0 unhealthy',
    labelNames: ['check'],
    registers: [app.registry],
    async collect () {
      for (const [check, { status }] of Object.entries((await lookAtAll()).checks)) checked.set({ check }, degree[status])
    }
  })

  const config = { probe: true }
  const schema = (operationId: string, summary: string, response: object) => ({ operationId, summary, tags: ['operations'], response })
  const statusOf = ({ healthy }: Pick<Health, 'healthy'>) => healthy ? 200 : 503

  for (const [url, id] of [['/health', 'getHealth'], ['/api/health', 'getApiHealth']] as const) {
    app.get(url, { config, schema: schema(id, 'Whether the process answers', { 200: Status }) }, async () => ({ status: 'ok' }))
  }
  app.get('/api/health/live', { config, schema: schema('getLive', 'Liveness: the process can answer', { 200: Live }) },
    async () => ({ alive: true, timestamp: now() }))
  app.get('/api/health/ready', { config, schema: schema('getReady', 'Readiness: the process can serve', { 200: Ready, 503: NotReady }) },
    async (_request, reply) => {
      const reason = await app.notReadyReason()
      return reason === undefined ? { ready: true, timestamp: now() } : reply.code(503).send({ ready: false, reason, timestamp: now() })
    })
  app.get('/api/health/quick', { config, schema: schema('getQuickHealth', 'Healthy or not, for a monitor', { 200: Quick, 503: Quick }) },
    async (_request, reply) => {
      const healthy = await app.notReadyReason() === undefined
      return reply.code(statusOf({ healthy })).send({ healthy, status: healthy ? 'healthy' : 'unhealthy', timestamp: now() })
    })
  app.get('/api/health/detailed', { config, schema: schema('getDetailedHealth', 'Each part, and what is wrong with it', { 200: Detailed, 503: Detailed }) },
    async (_request, reply) => {
      const health = await lookAtAll()
      return reply.code(statusOf(health)).send(health)
    })
  app.get('/api/health/status', { config, schema: schema('getStatus', 'Health, metrics and alerts in one', { 200: FullStatus }) },
    async () => ({ timestamp: now(), health: await lookAtAll(), metrics: await app.readMetrics(), alerts: await app.alerts() }))
  app.get('/db/ping', { config, schema: schema('pingDatabase', 'Whether the database answers', { 200: Ping, 503: PingFailed }) },
    async (_request, reply) => {
      const { cause, milliseconds } = await app.databaseState()
      return cause === undefined ? { db: 'ok', rows: [{ ok: 1 }], latency_ms: milliseconds } : reply.code(503).send({ db: 'error', error: explain(cause) })
    })
}, { name: 'health', dependencies: ['database-state', 'metrics', 'pressure', 'shutdown', 'auth'] })
