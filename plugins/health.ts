import fp from 'fastify-plugin'
import { sql } from 'kysely'
import { Type } from 'typebox'
import { causeOf, explain } from './database/causes.js'

/** A probe has a time-out of its own, usually a second or more: an answer must come before it. */
const PROBE_TIMEOUT_MS = 1500
/** However many probes come, the database is asked at most this often. */
const REUSE_MS = 1000

const Time = Type.String({ format: 'date-time' })
const Status = Type.Object({ status: Type.Literal('ok') })
const Live = Type.Object({ alive: Type.Literal(true), timestamp: Time })
const Ready = Type.Object({ ready: Type.Literal(true), timestamp: Time })
const NotReady = Type.Object({ ready: Type.Literal(false), reason: Type.String(), timestamp: Time })
const Quick = Type.Object({ healthy: Type.Boolean(), status: Type.Enum(['healthy', 'unhealthy'], { type: 'string' }), timestamp: Time })
const Ping = Type.Object({ db: Type.Literal('ok'), rows: Type.Array(Type.Object({ ok: Type.Integer() })), latency_ms: Type.Number() })
const PingFailed = Type.Object({ db: Type.Literal('error'), error: Type.String() })

function withinProbeTime<T> (work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('probe timeout'), { code: 'PROBE_TIMEOUT' })), PROBE_TIMEOUT_MS)
  })
  work.catch(() => {}) // when it fails after the time-out, nobody waits for it any more
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** The probes: alive, ready, healthy, and whether the database answers. No identity, exempt from load shedding. */
export default fp(async function health (app) {
  const now = () => new Date().toISOString()
  let asked = 0
  let answer: Promise<string | undefined> = Promise.resolve(undefined)
  /** Why the database cannot serve, or undefined when it can. One question serves all probes of a second. */
  function databaseTrouble (): Promise<string | undefined> {
    if (Date.now() - asked >= REUSE_MS) {
      asked = Date.now()
      answer = withinProbeTime(app.pendingMigrations()).then(
        (pending) => pending.length > 0 ? `migrations pending: ${pending.join(', ')}` : undefined,
        (error) => `database unreachable: ${explain(causeOf(error))}`
      )
    }
    return answer
  }
  async function trouble (): Promise<string | undefined> {
    if (app.isShuttingDown()) return 'shutting down'
    if (app.isUnderPressure()) return 'under pressure'
    return databaseTrouble()
  }

  const config = { probe: true }
  const schema = (operationId: string, summary: string, response: object) => ({ operationId, summary, tags: ['operations'], response })

  for (const [url, id] of [['/health', 'getHealth'], ['/api/health', 'getApiHealth']] as const) {
    app.get(url, { config, schema: schema(id, 'Whether the process answers', { 200: Status }) }, async () => ({ status: 'ok' }))
  }
  app.get('/api/health/live', { config, schema: schema('getLive', 'Liveness: the process can answer', { 200: Live }) },
    async () => ({ alive: true, timestamp: now() }))
  app.get('/api/health/ready', { config, schema: schema('getReady', 'Readiness: the process can serve', { 200: Ready, 503: NotReady }) },
    async (_request, reply) => {
      const reason = await trouble()
      return reason === undefined ? { ready: true, timestamp: now() } : reply.code(503).send({ ready: false, reason, timestamp: now() })
    })
  app.get('/api/health/quick', { config, schema: schema('getQuickHealth', 'Healthy or not, for a monitor', { 200: Quick, 503: Quick }) },
    async (_request, reply) => {
      const healthy = await trouble() === undefined
      return reply.code(healthy ? 200 : 503).send({ healthy, status: healthy ? 'healthy' : 'unhealthy', timestamp: now() })
    })
  app.get('/db/ping', { config, schema: schema('pingDatabase', 'Whether the database answers', { 200: Ping, 503: PingFailed }) },
    async (_request, reply) => {
      const start = performance.now()
      try {
        const { rows } = await withinProbeTime(sql<{ ok: number }>`select 1 as ok`.execute(app.db))
        return { db: 'ok', rows, latency_ms: Math.round((performance.now() - start) * 100) / 100 }
      } catch (error) {
        const cause = causeOf(error)
        app.log.warn({ err: error, cause: cause.code, runbook: cause.runbook }, 'the database does not answer')
        return reply.code(503).send({ db: 'error', error: explain(cause) })
      }
    })
}, { name: 'health', dependencies: ['database', 'migrations', 'auth', 'shutdown'] })
