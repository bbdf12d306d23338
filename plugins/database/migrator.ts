import { promises as fs } from 'node:fs'
import path from 'node:path'
import { Logger, runMigrations } from 'graphile-worker'
import { FileMigrationProvider, Kysely, sql, type MigrationProvider } from 'kysely'
import pg from 'pg'
import { applyPending, type ApplyOptions } from './apply.js'
import { connectionOptions } from './client.js'
import { patiently } from './concurrently.js'
import { needSession } from './pooler.js'
import { InterceptingDialect } from './statements.js'

/** The folder of migrations beside this code, in the source tree and in `dist` alike. */
const migrationFolder = path.join(import.meta.dirname, '..', '..', 'migrations')

/** The migrations of this release. */
export const releaseMigrations: MigrationProvider = new FileMigrationProvider({ fs, path, migrationFolder })

/** The names of the migrations that this release was built with, oldest first. */
export async function knownMigrations (): Promise<string[]> {
  const files = await fs.readdir(migrationFolder)
  return files.filter((file) => /^\d{14}_\w+\.(js|ts)$/.test(file)).map((file) => path.parse(file).name).sort()
}

/**
 * Runs `work` on one plain connection of its own: no named statements, and no time-outs but those that `work` sets.
 * @throws Error with the code SESSION_NEEDED where a transaction pooler stands between: the locks of migrations are a session's
 */
export async function withMigrationConnection<T> (url: string, work: (db: Kysely<any>) => Promise<T>): Promise<T> {
  const options = { ...connectionOptions(url), application_name: 'eden-migrations' }
  const connect = async () => {
    const client = new pg.Client(options)
    client.on('error', () => {}) // whoever asked is told by the query
    await client.connect()
    return client
  }
  const pool = new pg.Pool({ ...options, max: 1, onConnect: (client: pg.ClientBase) => needSession(client as pg.Client, connect) } as pg.PoolConfig)
  pool.on('error', () => {}) // the next statement says it
  const db = new Kysely<any>({ dialect: new InterceptingDialect({ pool }, patiently) })
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

/**
 * Applies the pending migrations, each in a transaction of its own unless it asks for none, and after them those of the job
 * queue, which keeps its own list in its own schema; safe to run from two processes at once.
 * @returns the names of what was applied, in order; empty when there was nothing to do
 * @throws DatabaseAhead, MigrationsOutOfOrder, MigrationFailed (plugins/database/apply.ts)
 */
export function migrateToLatest (url: string, { provider = releaseMigrations, ...options }: Partial<ApplyOptions> = {}): Promise<string[]> {
  return withMigrationConnection(url, async (db) => {
    const applied = await applyPending(db, { provider, ...options })
    await sql`select pg_advisory_lock(hashtextextended('migrations of the job queue', 0))`.execute(db) // until the connection ends
    const pgPool = new pg.Pool({ ...connectionOptions(url), max: 1 })
    // Whoever asked is told by the query.
    pgPool.on('error', () => {})
    pgPool.on('connect', (client) => client.on('error', () => {}))
    try {
      await runMigrations({ pgPool, logger: new Logger(() => () => {}) })
    } finally {
      await pgPool.end()
    }
    return applied
  })
}
