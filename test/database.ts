import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** The part of a tap test that is needed here. */
interface Teardown { teardown (handler: () => Promise<void>): void }

/**
 * A migrated database of one's own, gone when the test ends.
 * @returns its postgres:// URL
 */
export function createTestDatabase (t: Teardown): Promise<string> {
  return createDatabase(t, `template ${setting('EDEN_TEST_TEMPLATE')} strategy file_copy`)
}

/**
 * A database with nothing in it, for the migrations themselves. The extensions can be created in it.
 * @returns its postgres:// URL
 */
export function emptyDatabase (t: Teardown): Promise<string> {
  return createDatabase(t, "template template0 encoding 'UTF8'")
}

/** The server of this run, database `postgres` or whichever `TEST_DATABASE_URL` names. */
export function adminUrl (): string {
  return setting('EDEN_TEST_ADMIN_URL')
}

/** The same server, another database. */
export function databaseUrl (url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

/** Runs statements one by one on a connection of their own, and closes it. */
export async function execute (url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'eden-test' })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

async function createDatabase (t: Teardown, options: string): Promise<string> {
  const admin = adminUrl()
  // The run's id comes first in the name, so that a later run finds what a killed one left.
  const name = `${setting('EDEN_TEST_RUN')}_${randomBytes(6).toString('hex')}`
  await execute(admin, `create database ${name} ${options}`)
  t.teardown(() => execute(admin, `drop database if exists ${name} with (force)`))
  return databaseUrl(admin, name)
}

function setting (name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error('this file needs the server that test/run.ts starts: npm test -- test/<name>.test.ts')
  return value
}
