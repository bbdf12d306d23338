import fp from 'fastify-plugin'
import { sql } from 'kysely'
import pg from 'pg'
import { causeOf, type Cause } from './database/causes.js'
import { knownMigrations } from './database/migrator.js'
import { oneQuestion } from './database/one-question.js'
import { expectedSchema } from './database/schema.generated.js'

/** What the database answered when it was asked how it is, and what of it this release misses. */
export interface DatabaseState {
  /** Why it does not answer; undefined when it does. */
  cause?: Cause
  /** How long the answer took, or has been waited for. */
  milliseconds: number
  /** The database's own clock. */
  time: string | null
  /** Migrations that this release knows and the database has not had, and the other way round. */
  pendingMigrations: string[]
  unknownMigrations: string[]
  /** The newest migration that it has had. */
  version: string | null
  tableCount: number
  columnCount: number
  missingTables: string[]
  /** `table.column`, of tables that are there. */
  missingColumns: string[]
}

declare module 'fastify' {
  interface FastifyInstance {
    /** How the database is, at most a second old; answers within PROBE_TIMEOUT_MS, and never throws. */
    databaseState: () => Promise<DatabaseState>
    /** The newest migration that the database has had, or null before the first. */
    schemaVersion: () => Promise<string | null>
  }
}

const UNDEFINED_TABLE = '42P01'

interface Answer { time: string, migrations: string[], columns: Record<string, string[]> }

const nothingKnown = { time: null, pendingMigrations: [], unknownMigrations: [], version: null, tableCount: 0, columnCount: 0, missingTables: [], missingColumns: [] }

/**
 * One question to the database for all probes of a second: whether it answers, how fast, and whether its tables, columns and
 * migrations are those of this release.
 */
export default fp(async function databaseState (app) {
  const { db, pool, config } = app
  const known = await knownMigrations()

  async function ask (): Promise<Answer> {
    const columns = sql<Record<string, string[]>>`(
      select coalesce(jsonb_object_agg(relname, columns), '{}') from (
        select c.relname, array_agg(a.attname) as columns from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
        group by c.relname) t)`
    try {
      const { rows: [row] } = await sql<Answer>`select now() as time, ${columns} as columns, array(select name from kysely_migration order by name) as migrations`.execute(db)
      return row as Answer
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== UNDEFINED_TABLE) throw error
      const { rows: [row] } = await sql<Answer>`select now() as time, ${columns} as columns, '{}'::text[] as migrations`.execute(db) // before the first migration
      return row as Answer
    }
  }

  function compare ({ time, migrations, columns }: Answer, milliseconds: number): DatabaseState {
    const applied = new Set(migrations)
    const tables = Object.entries(expectedSchema.tables)
    return {
      milliseconds,
      time,
      version: migrations.at(-1) ?? null,
      pendingMigrations: known.filter((name) => !applied.has(name)),
      unknownMigrations: migrations.filter((name) => !known.includes(name)),
      tableCount: Object.keys(columns).length,
      columnCount: Object.values(columns).flat().length,
      missingTables: tables.filter(([table]) => columns[table] === undefined).map(([table]) => table),
      missingColumns: tables.flatMap(([table, names]) => names.filter((name) => columns[table]?.includes(name) === false).map((name) => `${table}.${name}`))
    }
  }

  function question (): Promise<DatabaseState> {
    const start = performance.now()
    const milliseconds = () => Math.round((performance.now() - start) * 100) / 100
    return ask().then((answer) => compare(answer, milliseconds()), (error) => {
      const cause = causeOf(error)
      app.log.warn({ err: error, cause: cause.code, runbook: cause.runbook }, 'the database does not answer')
      return { ...nothingKnown, milliseconds: milliseconds(), cause }
    })
  }
  function late (milliseconds: number): DatabaseState {
    const isFull = pool.waitingCount > 0 && pool.totalCount >= config.DB_POOL_MAX
    const error = Object.assign(new Error('the database does not answer in time'), { code: isFull ? 'POOL_EXHAUSTED' : 'PROBE_TIMEOUT' })
    return { ...nothingKnown, milliseconds, cause: causeOf(error) }
  }
  app.decorate('databaseState', oneQuestion(question, { patienceMs: config.PROBE_TIMEOUT_MS, late }))
  app.decorate('schemaVersion', async () => (await app.databaseState()).version)
}, { name: 'database-state', dependencies: ['settings', 'database'] })
