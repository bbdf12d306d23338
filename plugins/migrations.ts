import fp from 'fastify-plugin'
import { sql } from 'kysely'
import pg from 'pg'
import { knownMigrations } from './database/migrator.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Names of migrations that this release knows and the database has not had; asks the database. */
    pendingMigrations: () => Promise<string[]>
    /** The newest migration that the database has had, or null before the first. */
    schemaVersion: () => Promise<string | null>
  }
}

const UNDEFINED_TABLE = '42P01'

/** The state of the schema against this release. */
export default fp(async function migrations (app) {
  const known = await knownMigrations()

  async function applied (): Promise<string[]> {
    try {
      const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(app.db)
      return rows.map(({ name }) => name)
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.code === UNDEFINED_TABLE) return [] // a database before its first migration
      throw error
    }
  }
  app.decorate('pendingMigrations', async () => {
    const done = new Set(await applied())
    return known.filter((name) => !done.has(name))
  })
  app.decorate('schemaVersion', async () => (await applied()).at(-1) ?? null)
}, { name: 'migrations', dependencies: ['database'] })
