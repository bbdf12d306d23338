import { parseArgs } from 'node:util'
import type { Kysely } from 'kysely'
import { schemaState } from '../../plugins/database/apply.js'
import { releaseMigrations, withMigrationConnection } from '../../plugins/database/migrator.js'
import { expectedSchema } from '../../plugins/database/schema.generated.js'
import { readSchema } from '../../plugins/database/schema.js'
import { findDrift } from './drift.js'
import { readColumns, readIndexes, readServer, readTables, readUnindexedKeys, type TableFacts } from './queries.js'
import { describe, type Introspection } from './report.js'

const usage = 'usage: npm run db:introspect -- [--table NAME] [--json]'

/** A table is big from so many rows on, and a scan of it is one when it reads so many. */
const MANY_ROWS = 10_000

/**
 * `npm run db:introspect`: what is in the database and how it is used, and in what it differs from the migrations. Reads
 * the catalog and the statistics only; an owner of the tables who is no superuser may.
 * @returns false when there is drift
 * @throws TypeError for a wrong argument; RangeError for a table that is not there
 */
export async function introspect (connectionString: string, argv: string[], print: (line: string) => void): Promise<boolean> {
  const { values: { table, json } } = parseArgs({ args: argv, options: { table: { type: 'string' }, json: { type: 'boolean', default: false } } })
  const facts = await withMigrationConnection(connectionString, (db) => readFacts(db, table))
  for (const line of json ? [JSON.stringify(facts, null, 2)] : describe(facts)) print(line)
  const { pending_migrations: pending, unknown_migrations: unknown, differences } = facts.drift
  return pending.length + unknown.length + differences.length === 0
}

async function readFacts (db: Kysely<any>, table: string | undefined): Promise<Introspection> {
  const tables = (await readTables(db)).filter(({ name }) => table === undefined || name === table)
  if (table !== undefined && tables.length === 0) throw new RangeError(`there is no table "${table}"\n${usage}`)
  const of = ({ table_name: name }: { table_name: string }) => table === undefined || name === table
  const indexes = (await readIndexes(db)).filter(of)
  const keys = (await readUnindexedKeys(db)).filter(of)
  return {
    server: await readServer(db),
    tables,
    ...table === undefined ? {} : { columns: await readColumns(db, table) },
    indexes,
    unused_indexes: indexes.filter((index) => index.scans === 0 && !index.is_unique && index.is_valid).sort((a, b) => b.bytes - a.bytes),
    missing_indexes: { foreign_keys: keys, scanned_tables: tables.filter(isReadWhole) },
    drift: await readDrift(db)
  }
}

const isReadWhole = (table: TableFacts): boolean => table.scans >= 100 && table.rows_read_by_scans / table.scans >= MANY_ROWS

/** Reads in what a database differs from what this release was built with. */
export async function readDrift (db: Kysely<any>): Promise<Introspection['drift']> {
  const { applied, pending } = await schemaState(db, releaseMigrations)
  return {
    pending_migrations: pending,
    unknown_migrations: applied.filter(({ known }) => !known).map(({ name }) => name),
    differences: findDrift(expectedSchema, await readSchema(db))
  }
}
