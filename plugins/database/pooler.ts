import pg from 'pg'
import type { Config } from '../config.js'
import { identify } from './identity.js'

/** What a connection is: one session for as long as it lasts, or another one for each transaction. */
export type Mode = 'session' | 'transaction'

/** What stands between this process and PostgreSQL on one URL, as it is configured and as it was found to behave. */
export interface Pooler {
  /** The mode, as soon as it is known. */
  mode: () => Mode | undefined
  /** Whether something stands between that answers as PostgreSQL; undefined before a first connection. */
  isBetween: () => boolean | undefined
  /**
   * Finds the mode out, once, where neither the configuration nor the URL says it.
   * @param client a connection that nothing uses at the moment
   */
  find: (client: pg.Client) => Promise<Mode>
  namedStatements: () => boolean
  listens: () => boolean
}

type Settings = Pick<Config, 'DB_POOLER' | 'DB_PREPARED_STATEMENTS' | 'DB_LISTEN'>

/** How often two connections are compared: others may use the pooler at the same time. */
const LOOKS = 3
/** How long a connection that was just opened may take to answer. */
const PATIENCE_MS = 2000

/** A statement that a connection answers at once, or is given up: nobody waits for ever while a connection is set up. */
export const soon = (text: string): pg.QueryConfig => ({ text, query_timeout: PATIENCE_MS } as pg.QueryConfig)

const pidOf = async (client: pg.Client) => (await client.query<{ pid: number }>(soon('select pg_backend_pid() as pid'))).rows[0]?.pid

/**
 * Whether a pooler stands between: PostgreSQL tells a new connection the number of its process, for cancelling, and a pooler
 * tells a number of its own.
 */
async function isBehindPooler (client: pg.Client): Promise<boolean> {
  return (client as unknown as { processID: number | null }).processID !== await pidOf(client)
}

/** The session in which a transaction on this connection runs; undefined when none came in time. */
async function pidOfTransaction (client: pg.Client): Promise<number | undefined> {
  try {
    await client.query(soon('begin'))
    return await pidOf(client)
  } catch (error) {
    if (error instanceof Error && /^Query read timeout/.test(error.message)) return undefined
    throw error
  }
}

/**
 * Whether a pooler gives a session away between transactions. A transaction on a second connection then runs in the session
 * that the first one just used, or the first one finds itself in another. In session mode neither can be: each has its own,
 * and where the pooler has no second one to give, the first goes on answering.
 */
async function sharesSessions (client: pg.Client, connect: () => Promise<pg.Client>): Promise<boolean> {
  const second = await connect()
  try {
    for (let look = 0; look < LOOKS; look++) {
      const before = await pidOf(client)
      const between = await pidOfTransaction(second)
      if (between === before) return true
      if (await pidOf(client) !== before) return true
      if (between === undefined) return false
      await second.query(soon('rollback'))
    }
    return false
  } finally {
    await second.end().catch(() => {})
  }
}

/**
 * Makes sure that a connection is a session for as long as it lasts: a lock that is held in one would else be left behind in
 * whichever session the pooler had given out.
 * @param client a connection that nothing uses at the moment
 * @param connect opens another one like it
 * @throws Error with the code SESSION_NEEDED
 */
export async function needSession (client: pg.Client, connect: () => Promise<pg.Client>): Promise<void> {
  if (!await isBehindPooler(client) || !await sharesSessions(client, connect)) return
  throw Object.assign(new Error('a transaction pooler stands between, and this needs a session: set DATABASE_SESSION_URL (see docs/runbook.md#issue-database-connection-failed)'), { code: 'SESSION_NEEDED' })
}

/** @param connect opens a connection like those whose mode is asked, and no more than that */
export function createPooler (url: string, settings: Settings, connect: () => Promise<pg.Client>): Pooler {
  const known = settings.DB_POOLER === 'auto' ? modeOf(url) : settings.DB_POOLER
  let mode = known
  let between: boolean | undefined
  let finding: Promise<Mode> | undefined

  async function look (client: pg.Client): Promise<Mode> {
    between = await isBehindPooler(client)
    mode = known ?? (between && await sharesSessions(client, connect) ? 'transaction' : 'session')
    return mode
  }
  return {
    mode: () => mode,
    isBetween: () => between,
    find (client) {
      finding ??= look(client).catch((error: unknown) => {
        finding = undefined // the next connection tries again
        throw error
      })
      return finding
    },
    // Before the mode is known nothing is named: there is no connection yet that could be asked anything.
    namedStatements: () => settings.DB_PREPARED_STATEMENTS ?? mode === 'session',
    listens: () => settings.DB_LISTEN ?? mode === 'session'
  }
}

/** What the URL alone says; undefined when only the behaviour can tell. */
function modeOf (url: string): Mode | undefined {
  const { mode } = identify(url)
  return mode === 'unknown' ? undefined : mode === 'transaction' ? 'transaction' : 'session'
}
