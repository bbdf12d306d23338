import fp from 'fastify-plugin'
import { Kysely, PostgresDialect, type LogEvent } from 'kysely'
import type { Pool } from 'pg'
import { createPool } from './client.js'
import type { DB } from './types.generated.js'

/** The pool or a transaction: what every query function takes first. */
export type Db = Kysely<DB>

/** One statement that was sent: what it does, how long it took, and the error when it failed. Never its data. */
export interface QueryTiming { operation: string, milliseconds: number, error?: unknown }

declare module 'fastify' {
  interface FastifyInstance {
    db: Db
    pool: Pool
    /** Calls back after each statement of this app. */
    onQuery: (listener: (timing: QueryTiming) => void) => void
  }
}

/** `SelectQueryNode` -> `select`; anything that Kysely did not build is `raw`. */
function operationOf ({ query }: LogEvent): string {
  return query.query.kind.replace(/(Query)?Node$/, '').toLowerCase()
}

/** Decorates `app.db` (Kysely), `app.pool` and `app.onQuery`; ends the pool when the app closes. */
export default fp(async function database (app) {
  const { config } = app
  if (config.DATABASE_URL === undefined) throw new Error('buildApp needs DATABASE_URL: server.ts fills it in when it starts the embedded database')
  const pool = createPool(config.DATABASE_URL, config)
  pool.on('error', (err) => app.log.warn({ err }, 'an idle database connection was lost'))
  // A connection that is lost while it is used tells its query, and also emits: unheard, that would end the process.
  pool.on('connect', (client) => client.on('error', (err) => app.log.debug({ err }, 'a database connection was lost')))

  const listeners: ((timing: QueryTiming) => void)[] = []
  const db = new Kysely<DB>({
    dialect: new PostgresDialect({ pool }),
    log (event) {
      const timing: QueryTiming = { operation: operationOf(event), milliseconds: event.queryDurationMillis, ...event.level === 'error' ? { error: event.error } : {} }
      for (const listener of listeners) listener(timing)
      if (timing.milliseconds > config.DB_SLOW_QUERY_MS) app.log.warn({ operation: timing.operation, milliseconds: timing.milliseconds, sql: event.query.sql }, 'slow statement')
    }
  })
  app.decorate('pool', pool)
  app.decorate('db', db)
  app.decorate('onQuery', (listener) => { listeners.push(listener) })
  app.addHook('onClose', () => db.destroy())
}, { name: 'database', dependencies: ['settings'] })
