import fp from 'fastify-plugin'
import { Kysely, PostgresDialect, type LogEvent } from 'kysely'
import type { Pool, PoolClient } from 'pg'
import { createPool, poolerOf } from './client.js'
import type { Pooler } from './pooler.js'
import { watchSlowStatements } from './slow.js'
import type { DB } from './types.generated.js'

/** The pool or a transaction: what every query function takes first. */
export type Db = Kysely<DB>

/** One statement: what it does, how long it took, and the error when it failed; or `connect`, where it got no connection. Never its data. */
export interface QueryTiming { operation: string, milliseconds: number, error?: unknown }

/** A way to the database, and what stands on it. */
export interface Connection { url: string, pooler: Pooler }

declare module 'fastify' {
  interface FastifyInstance {
    db: Db
    /** Where requests go, and where what needs a session goes: the same unless DATABASE_SESSION_URL says otherwise. */
    connections: { requests: Connection, sessions: Connection }
    pool: Pool
    /** Calls back after each statement of this app. */
    onQuery: (listener: (timing: QueryTiming) => void) => void
  }
}

/** `SelectQueryNode` -> `select`; anything that Kysely did not build is `raw`. */
function operationOf ({ query }: LogEvent): string {
  return query.query.kind.replace(/(Query)?Node$/, '').toLowerCase()
}

/** Decorates `app.db` (Kysely), `app.pool`, `app.connections` and `app.onQuery`; ends the pool when the app closes. */
export default fp(async function database (app) {
  const { config } = app
  if (config.DATABASE_URL === undefined) throw new Error('buildApp needs DATABASE_URL: server.ts fills it in when it starts the embedded database')
  const requests = { url: config.DATABASE_URL, pooler: poolerOf(config.DATABASE_URL, config) }
  const { DATABASE_SESSION_URL: sessionUrl } = config
  // DB_POOLER is about DATABASE_URL; what the other one leads to is found out.
  const sessions = sessionUrl === undefined ? requests : { url: sessionUrl, pooler: poolerOf(sessionUrl, { ...config, DB_POOLER: 'auto' }) }
  const pool = createPool(requests.url, config, requests.pooler)
  pool.on('error', (err) => app.log.warn({ err }, 'an idle database connection was lost'))
  // A connection that is lost while it is used tells its query, and also emits: unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', (err) => app.log.debug({ err }, 'a database connection was lost')))

  const slow = watchSlowStatements(app, requests)
  const listeners: ((timing: QueryTiming) => void)[] = []
  const tell = (timing: QueryTiming) => { for (const listener of listeners) listener(timing) }
  /** A statement that gets no connection is never sent, and Kysely does not log it: without this, a database that is gone had no errors. */
  async function connect (): Promise<PoolClient> {
    const start = performance.now()
    try {
      return await pool.connect()
    } catch (error) {
      tell({ operation: 'connect', milliseconds: performance.now() - start, error })
      throw error
    }
  }
  const db = new Kysely<DB>({
    dialect: new PostgresDialect({ pool: { connect, end: () => pool.end() } as Pool }),
    log (event) {
      const timing: QueryTiming = { operation: operationOf(event), milliseconds: event.queryDurationMillis, ...event.level === 'error' ? { error: event.error } : {} }
      tell(timing)
      if (timing.milliseconds > config.DB_SLOW_QUERY_MS) slow(event.query, timing)
    }
  })
  app.decorate('connections', { requests, sessions })
  app.decorate('pool', pool)
  app.decorate('db', db)
  app.decorate('onQuery', (listener) => { listeners.push(listener) })
  app.addHook('onClose', () => db.destroy())
}, { name: 'database', dependencies: ['settings'] })
