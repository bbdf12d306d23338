import type { FastifyInstance } from 'fastify'
import { ConfigSchema } from '../config.js'
import { explain } from '../database/causes.js'
import type { DatabaseState } from '../database-state.js'
import { createCpuReader, readMemory } from '../metrics/system.js'
import { thresholds, type AlertName } from '../alerts/thresholds.js'
import type { Detailed } from './schemas.js'

const SCHEMA_RUNBOOK = 'docs/runbook.md#issue-database-schema-mismatch'

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy'
type Check = { healthy: boolean, status: HealthStatus, message: string }

const check = (status: HealthStatus, message: string): Check => ({ healthy: status !== 'unhealthy', status, message })
const healthy = (message: string) => check('healthy', message)

/** The worst of several. */
export const worst = (statuses: HealthStatus[]): HealthStatus =>
  statuses.includes('unhealthy') ? 'unhealthy' : statuses.includes('degraded') ? 'degraded' : 'healthy'

/** What is missing of the schema, in words; undefined when nothing is. A database that is ahead has dropped on purpose what this release no longer uses. */
export function schemaTrouble ({ missingTables, missingColumns, unknownMigrations }: DatabaseState): { status: 'degraded' | 'unhealthy', message: string } | undefined {
  const missing = [missingTables.length > 0 && `missing tables: ${missingTables.join(', ')}`, missingColumns.length > 0 && `missing columns: ${missingColumns.join(', ')}`].filter((part) => part !== false)
  if (missing.length === 0) return undefined
  return unknownMigrations.length > 0
    ? { status: 'degraded', message: `${missing.join('; ')}; the database is ahead of this release` }
    : { status: 'unhealthy', message: `${missing.join('; ')}: run npm run db:push; see ${SCHEMA_RUNBOOK}` }
}

/** Whether an instance under pressure is so because of its event loop or its memory; undefined when it is not. */
export function pressureTrouble (app: FastifyInstance): string | undefined {
  if (!app.isUnderPressure()) return undefined
  const { eventLoopDelay, heapUsed, rssBytes } = app.memoryUsage()
  const { eventLoopDelayMs, heapBytes, rssBytes: rssLimit } = app.pressureLimits
  const reasons = [
    eventLoopDelayMs > 0 && eventLoopDelay > eventLoopDelayMs && `the event loop is ${Number.isFinite(eventLoopDelay) ? `${Math.round(eventLoopDelay)} ms` : 'a whole second'} late, of ${eventLoopDelayMs} ms allowed`,
    heapBytes > 0 && heapUsed > heapBytes && `the heap is ${mebibytes(heapUsed)} of ${mebibytes(heapBytes)} allowed`,
    rssLimit > 0 && rssBytes > rssLimit && `memory is ${mebibytes(rssBytes)} of ${mebibytes(rssLimit)} allowed`
  ].filter((reason) => reason !== false)
  return reasons.length > 0 ? `under pressure: ${reasons.join('; ')}` : 'under pressure'
}

const mebibytes = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`
const limitsOf = (name: AlertName) => thresholds.find((row) => row.name === name) as { warning: number, critical: number }

/** The variables without which production does not start, and how many of the others differ from their defaults. */
function environmentOf ({ config }: FastifyInstance) {
  const required = ['DATABASE_URL', 'JWT_SECRET'] as const
  const missing = required.filter((name) => config[name] === undefined)
  const optional = Object.entries(ConfigSchema.properties).filter(([name]) => !required.includes(name as never))
  const configured = optional.filter(([name, schema]) => {
    const value = config[name as keyof typeof config]
    return value !== undefined && value !== (schema as { default?: unknown }).default
  })
  return { required: { configured: required.filter((name) => config[name] !== undefined), missing }, optional: { configured: configured.length, total: optional.length } }
}

/** Looks at everything that `/api/health/detailed` tells: within the time of a probe, and never throwing. */
export function createChecks (app: FastifyInstance): () => Promise<Detailed> {
  const { config, pool } = app
  const readCpu = createCpuReader()

  function databaseCheck (state: DatabaseState) {
    const connections = { total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount, max: config.DB_POOL_MAX }
    const verdict = state.cause !== undefined
      ? check('unhealthy', explain(state.cause))
      : connections.waiting > 0
        ? check('degraded', `all ${connections.max} connections are in use, and ${connections.waiting} requests wait for one`)
        : state.milliseconds > config.DB_SLOW_QUERY_MS ? check('degraded', `slow: it took ${Math.round(state.milliseconds)} ms to answer`) : healthy('answers')
    return { ...verdict, responseTime: state.milliseconds, dbTime: state.time, pool: connections }
  }
  function schemaCheck (state: DatabaseState) {
    const { tableCount, columnCount, missingTables, missingColumns, pendingMigrations, unknownMigrations } = state
    const trouble = schemaTrouble(state)
    const verdict = state.cause !== undefined
      ? check('unhealthy', 'not known: the database does not answer')
      : pendingMigrations.length > 0
        ? check('unhealthy', `migrations pending: ${pendingMigrations.join(', ')}: run npm run db:push; see ${SCHEMA_RUNBOOK}`)
        : trouble !== undefined ? check(trouble.status, trouble.message) : healthy(unknownMigrations.length > 0 ? 'the database is ahead of this release' : 'as this release expects it')
    return { ...verdict, tableCount, columnCount, missingTables, missingColumns, pendingMigrations }
  }
  function apiCheck () {
    const pressure = pressureTrouble(app)
    const verdict = app.isShuttingDown() ? check('unhealthy', 'shutting down') : pressure === undefined ? healthy('answers') : check('unhealthy', pressure)
    const { heapUsed, heapTotal, rss, external } = readMemory()
    const { eventLoopDelay } = app.memoryUsage()
    return { ...verdict, uptime: process.uptime(), responseTime: app.recorder.durationsLately().avg, eventLoopDelay: Number.isFinite(eventLoopDelay) ? Math.round(eventLoopDelay * 100) / 100 : 1000, memory: { heapUsed, heapTotal, rss, external } }
  }
  function systemCheck () {
    const memory = readMemory()
    const { warning, critical } = limitsOf('memory_usage')
    const message = `${memory.usagePercent} % of the memory that ends the process`
    const verdict = memory.usagePercent > critical ? check('unhealthy', message) : memory.usagePercent > warning ? check('degraded', message) : healthy(message)
    return { ...verdict, memory, cpu: readCpu(), pid: process.pid, nodeVersion: process.version }
  }
  function environmentCheck () {
    const { required, optional } = environmentOf(app)
    const verdict = required.missing.length > 0 ? check('degraded', `not set: ${required.missing.join(', ')}; production does not start without`) : healthy('all required variables are set')
    return { ...verdict, required, optional, nodeEnv: config.NODE_ENV }
  }

  return async () => {
    const start = performance.now()
    const state = await app.databaseState()
    const checks = { database: databaseCheck(state), schema: schemaCheck(state), api: apiCheck(), system: systemCheck(), environment: environmentCheck() }
    const status = worst(Object.values(checks).map((one) => one.status))
    return { healthy: status !== 'unhealthy', status, timestamp: new Date().toISOString(), duration: Math.round((performance.now() - start) * 100) / 100, checks }
  }
}
