import { promises as fs } from 'node:fs'
import path from 'node:path'
import { Logger, runMigrations } from 'graphile-worker'
import { FileMigrationProvider, Kysely, Migrator, sql, type MigrationProvider } from 'kysely'
import pg from 'pg'
import { applyPending, type ApplyOptions } from './apply.js'
import { patiently } from './concurrently.js'
import { InterceptingDialect } from './statements.js'

/** The folder of migrations beside this code, in the source tree and in `dist` alike. */
const migrationFolder = path.join(import.meta.dirname, '..', '..', 'migrations')

/** The migrations of this release. */
export const releaseMigrations: MigrationProvider = new FileMigrationProvider({ fs, path, migrationFolder })

/** A migrator over `migrations/`; its methods return `{ error, results }` and do not throw. */
export function createMigrator (db: Kysely<any>, provider: MigrationProvider = releaseMigrations): Migrator {
  return new Migrator({ db, provider })
}

/** The names of the migrations that this release was built with, oldest first. */
export async function knownMigrations (): Promise<string[]> {
  const files = await fs.readdir(migrationFolder)
  return files.filter((file) => /^\d{14}_\w+\.(js|ts)$/.test(file)).map((file) => path.parse(file).name).sort()
}

/** Runs `work` on one plain connection of its own: no named statements, and no time-outs but those that `work` sets. */
export async function withMigrationConnection<T> (connectionString: string, work: (db: Kysely<any>) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({ connectionString, max: 1, application_name: 'eden-migrations' })
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
export function migrateToLatest (connectionString: string, { provider = releaseMigrations, ...options }: Partial<ApplyOptions> = {}): Promise<string[]> {
  return withMigrationConnection(connectionString, async (db) => {
    const applied = await applyPending(db, { provider, ...options })
    await sql`select pg_advisory_lock(hashtextextended('migrations of the job queue', 0))`.execute(db) // until the connection ends
    await runMigrations({ connectionString, maxPoolSize: 1, logger: new Logger(() => () => {}) })
    return applied
  })
}
