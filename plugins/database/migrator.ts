import { promises as fs } from 'node:fs'
import path from 'node:path'
import { Logger, runMigrations } from 'graphile-worker'
import { FileMigrationProvider, Kysely, Migrator, PostgresDialect, sql, type MigrationResult } from 'kysely'
import pg from 'pg'

/** The folder of migrations beside this code, in the source tree and in `dist` alike. */
const migrationFolder = path.join(import.meta.dirname, '..', '..', 'migrations')

/** A migrator over `migrations/`; its methods return `{ error, results }` and do not throw. */
export function createMigrator (db: Kysely<any>): Migrator {
  return new Migrator({ db, provider: new FileMigrationProvider({ fs, path, migrationFolder }) })
}

/** The names of the migrations that this release was built with, oldest first. */
export async function knownMigrations (): Promise<string[]> {
  const files = await fs.readdir(migrationFolder)
  return files.filter((file) => /^\d{14}_\w+\.(js|ts)$/.test(file)).map((file) => path.parse(file).name).sort()
}

/** Runs `work` on one plain connection of its own: no time-outs and no named statements, as long-running DDL wants. */
export async function withMigrationConnection<T> (connectionString: string, work: (db: Kysely<any>) => Promise<T>): Promise<T> {
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString, max: 1 }) }) })
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

/**
 * Applies the pending migrations, all in one transaction, and after them those of the job queue, which keeps its own list in
 * its own schema; safe to run from two processes at once.
 * @returns what was applied, in order; empty when there was nothing to do
 * @throws the error of the migration that failed, after which nothing is applied
 */
export function migrateToLatest (connectionString: string): Promise<MigrationResult[]> {
  return withMigrationConnection(connectionString, async (db) => {
    const { error, results } = await createMigrator(db).migrateToLatest()
    if (error !== undefined) throw error
    await sql`select pg_advisory_lock(hashtextextended('migrations of the job queue', 0))`.execute(db) // until the connection ends
    await runMigrations({ connectionString, maxPoolSize: 1, logger: new Logger(() => () => {}) })
    return results ?? []
  })
}
