import pg from 'pg'
import type { Test } from 'tap'

/** How long migrations may wait and run, as the commands are configured. */
export const limits = { DB_MIGRATION_LOCK_TIMEOUT_MS: 2000, DB_MIGRATION_STATEMENT_TIMEOUT_MS: 60_000 }

/** A plain connection of the test's own, closed when it ends. */
export async function connect (t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'in-the-way' })
  await client.connect()
  t.teardown(() => client.end())
  return client
}

/** What a command printed, and the message with which it failed, if it did. */
export async function said (t: Test, command: () => Promise<void>): Promise<{ lines: string[], failed?: string }> {
  const captured = t.capture(console, 'log', () => {})
  const failed = await command().then(() => undefined, ({ message }: Error) => message)
  captured.restore()
  const lines = captured().map(({ args }) => args.join(' '))
  return failed === undefined ? { lines } : { lines, failed }
}
