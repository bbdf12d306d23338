import { stopServer } from './cluster.js'
import { connect } from './lock.js'
import { acquire, furnish, type Home, type Session } from './owner.js'
import { findPlace } from './place.js'

export interface EmbeddedDatabase {
  /** postgres:// for the role and database `eden`, on 127.0.0.1; stays the same while this is open. */
  url: string
  port: number
  /** Random, and the same at each start: for tokens where the configuration names no secret. */
  jwtSecret: string
  /** Whether the database was made now. A first start that was killed later leaves it empty but made. */
  created: boolean
  /** Calls back once if the server was lost and could not be brought back; the owner had better exit. */
  onLost (callback: (err: Error) => void): void
  /** Ends the server, in order; calling it again waits for the same. Close every connection first. */
  stop (): Promise<void>
}

export interface Options {
  /** The folder for data and secrets; made when it is not there. */
  dataDir: string
  /** Where `PG_BIN`, `PATH`, `HOME` and `XDG_CACHE_HOME` are looked up; default: this process's. */
  env?: NodeJS.ProcessEnv
  /** Takes a line worth an operator's eye; default: nothing is said. */
  log?: (message: string) => void
}

const role = 'eden'

/**
 * Starts PostgreSQL on a data folder, or takes over what a killed owner left running there, and keeps it running.
 * @throws DataFolderInUse, PostgresNotFound, ClusterUnusable, ServerFailed
 */
export async function openEmbeddedDatabase ({ dataDir, env = process.env, log = () => {} }: Options): Promise<EmbeddedDatabase> {
  const home = await furnish(await findPlace(dataDir, log), env)
  const session = await acquire(home)
  try {
    const created = await ensureDatabase(home, session)
    const { onLost, stop } = supervise(home, session, log)
    return { url: urlOf(home.secrets.password, session.port), port: session.port, jwtSecret: home.secrets.jwtSecret, created, onLost, stop }
  } catch (err) {
    await stopServer(home)
    throw err
  }
}

/** For any client, psql too; the server has no TLS, and no PGSSLMODE shall ask for it. */
export function urlOf (password: string, port: number): string {
  return `postgres://${role}:${password}@127.0.0.1:${port}/${role}?sslmode=disable`
}

/**
 * The role and the database of the application, whatever of them an earlier start did not get to. As in production the
 * role is no superuser: it owns its database, and with that may create the extensions.
 * @returns whether the database is new
 */
async function ensureDatabase ({ secrets }: Home, { client, port }: Session): Promise<boolean> {
  const has = async (query: string) => (await client.query(query, [role])).rowCount === 1
  if (!await has('select from pg_roles where rolname = $1')) {
    await client.query(`create role ${role} login createdb password '${secrets.password}'`)
  }
  const created = !await has('select from pg_database where datname = $1')
  if (created) await client.query(`create database ${role} owner ${role} encoding 'UTF8' template template0`)
  const own = await connect(port, secrets.password, { user: role, database: role })
  try {
    for (const name of ['citext', 'pgcrypto']) await own.query(`create extension if not exists ${name}`)
  } finally {
    await own.end()
  }
  return created
}

/** Brings the server back on its port when it dies, until it is stopped. */
function supervise (home: Home, first: Session, log: (message: string) => void) {
  const listeners: Array<(err: Error) => void> = []
  const stopping = new AbortController()
  let session: Session | undefined
  let recovery: Promise<void> | undefined
  let stopped: Promise<void> | undefined

  function watch (current: Session): void {
    session = current
    current.client.once('end', () => {
      session = undefined
      if (!stopping.signal.aborted) recovery = recover()
    })
  }

  async function recover (): Promise<void> {
    log(`PostgreSQL on port ${first.port} is gone; bringing it back`)
    try {
      watch(await acquire(home, { port: first.port, signal: stopping.signal }))
      log(`PostgreSQL is back on port ${first.port}`)
    } catch (err) {
      if (stopping.signal.aborted) return
      log(`PostgreSQL could not be brought back: ${(err as Error).message}`)
      for (const listener of listeners) listener(err as Error)
    }
  }

  async function end (): Promise<void> {
    stopping.abort()
    await recovery
    // Only with the lock in hand is the server ours to stop; a connection that was lost unnoticed fails here.
    const client = session?.client
    if (client === undefined || !await client.query('select 1').then(() => true, () => false)) return
    await stopServer(home)
    await client.end().catch(() => {})
  }

  watch(first)
  return {
    onLost (listener: (err: Error) => void) { listeners.push(listener) },
    stop () {
      stopped ??= end()
      return stopped
    }
  }
}
