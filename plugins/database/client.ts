import { createHash } from 'node:crypto'
import pg from 'pg'
import type { Config } from '../config.js'
import { createPooler, soon, type Pooler } from './pooler.js'

const { builtins } = pg.types

/** '2026-11-25 08:35:09.123456+00' -> '2026-11-25T08:35:09.123456Z': RFC 3339, with the microseconds a Date would lose. */
function toRfc3339 (text: string): string {
  return text.endsWith('+00') ? `${text.slice(0, 10)}T${text.slice(11, -3)}Z` : text
}

/** How values arrive in the application: decided here once, for reads, writes and the generated types alike. */
const types = new pg.TypeOverrides()
types.setTypeParser(builtins.TIMESTAMPTZ, toRfc3339)
types.setTypeParser(builtins.DATE, (text) => text)
types.setTypeParser(builtins.INT8, Number)
types.setTypeParser(builtins.NUMERIC, Number)

/**
 * A statement whose best plan depends on its values carries this comment and is planned each time. PostgreSQL soon keeps
 * one plan for a named statement, and that one walks a whole index for a tag or a word that is on no task.
 */
export const PLAN_EACH_TIME = '/* plan each time */'

/** Texts beyond this are not worth a place in every connection's memory: they are rare combinations of filters. */
const MOST_NAMED_STATEMENTS = 500
const names = new Map<string, string>()

/**
 * The name under which a connection prepares a statement, once, and then only sends values. It comes from the text: where a
 * pooler hands a session on after all, a name never means another statement than it does here.
 */
function nameOf (text: string): string | undefined {
  let name = names.get(text)
  if (name === undefined && names.size < MOST_NAMED_STATEMENTS && !text.includes(PLAN_EACH_TIME)) {
    name = `eden_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`
    names.set(text, name)
  }
  return name
}

/** What the driver's types leave out of a client. */
interface Inside {
  getStartupConf: () => Record<string, string>
  connectionParameters: { query_timeout?: number }
  connection: { stream: { destroy: () => void } }
}

/** How a session is set up, once it is known whether it is one. */
interface Behaviour { pooler: Pooler, settings: Record<string, string> }

const begins = /^\s*(begin|start transaction)\b[^;]*$/i
const listens = /^\s*(un)?listen\b/i

const statements = (settings: Record<string, string>, scope: 'session' | 'local') =>
  Object.entries(settings).map(([name, value]) => `set ${scope} ${name} = '${value}'`).join('; ')

/**
 * A connection that asks for UTC when it is opened: PostgreSQL takes that as a setting, and poolers keep it for each client.
 * Nothing else is asked for then, because PgBouncer refuses what it does not keep.
 */
class UtcClient extends pg.Client {
  getStartupConf (): Record<string, string> {
    // The driver's own method, which its types do not have.
    const inherited = (pg.Client.prototype as unknown as Inside).getStartupConf.call(this)
    return { ...inherited, TimeZone: 'UTC' }
  }
}

/** A connection of a pool, which does what is right for the kind of pooler that stands between. */
class PooledClient extends UtcClient {
  readonly #behaviour: Behaviour
  constructor (options: pg.ClientConfig & { behaviour: Behaviour }) {
    super(options)
    this.#behaviour = options.behaviour
  }

  /**
   * A connection that is a session is set up with one statement. Otherwise it would be the next client's setting too, and
   * belongs into each transaction; what runs outside of one has a time-out on this side.
   */
  async setUp (): Promise<void> {
    const { pooler, settings } = this.#behaviour
    if (await pooler.find(this) === 'session') {
      await super.query(soon(statements(settings, 'session')))
      return
    }
    const { rows: [row] } = await super.query<{ zone: string }>(soon("select current_setting('TimeZone') as zone"))
    if (!/^(UTC|GMT|Etc\/UTC)$/.test(row?.zone ?? '')) throw Object.assign(new Error(`the time zone of the connection is ${row?.zone}, not UTC`), { code: 'TIME_ZONE_NOT_KEPT' })
    const limit = Number(settings['statement_timeout'] ?? 0)
    // A transaction's own time-out comes first.
    if (limit > 0) (this as unknown as Inside).connectionParameters.query_timeout = limit + 1000
  }

  override query (...args: any[]): any {
    const [text, values] = args
    const send: (...args: any[]) => any = super.query
    if (typeof text !== 'string') return send.apply(this, args)
    const { pooler, settings } = this.#behaviour
    if (pooler.mode() === 'transaction') {
      // A pooler's session that listens wakes whoever has it then; what waits here polls.
      if (listens.test(text)) return Promise.resolve({ rows: [] })
      if (begins.test(text)) return this.#guarded(send.call(this, `${text}; ${statements(settings, 'local')}`, ...args.slice(1)))
    }
    const name = pooler.namedStatements() && Array.isArray(values) && values.length > 0 ? nameOf(text) : undefined
    return this.#guarded(name === undefined ? send.apply(this, args) : send.call(this, { name, text, values }, ...args.slice(2)))
  }

  /** A statement that was given up here still runs there: nobody else may get this connection. */
  #guarded<T> (result: T): T {
    if (result instanceof Promise) {
      result.catch((error: unknown) => {
        if (error instanceof Error && /^Query read timeout/.test(error.message)) (this as unknown as Inside).connection.stream.destroy()
      })
    }
    return result
  }
}

/** A pool that tells a connection that does not come because all are in use from one that cannot be opened. */
class WatchedPool extends pg.Pool {
  readonly #open = new Set<pg.PoolClient>()
  constructor (options: pg.PoolConfig) {
    super(options)
    this.on('connect', (client) => { this.#open.add(client) })
    this.on('remove', (client) => { this.#open.delete(client) })
  }

  override connect (...args: any[]): any {
    const connect: (...args: any[]) => any = super.connect
    const [callback] = args
    if (typeof callback === 'function') return connect.call(this, (error: Error | undefined, ...rest: unknown[]) => callback(this.#told(error), ...rest))
    return (connect.call(this) as Promise<pg.PoolClient>).catch((error: Error) => Promise.reject(this.#told(error)))
  }

  #told (error: Error | undefined): Error | undefined {
    const exhausted = error?.message.startsWith('timeout exceeded when trying to connect') && this.#open.size >= this.options.max
    return exhausted ? Object.assign(error as Error, { code: 'POOL_EXHAUSTED' }) : error
  }
}

/**
 * TLS as the URL's `sslmode` asks, except that one variable decides whether a certificate must be known.
 * @param rejectUnauthorized DB_SSL_REJECT_UNAUTHORIZED
 */
export function connectionOptions (url: string, rejectUnauthorized = true): Pick<pg.PoolConfig, 'connectionString' | 'ssl'> {
  const parsed = new URL(url)
  const mode = parsed.searchParams.get('sslmode')
  for (const name of ['sslmode', 'pgbouncer']) parsed.searchParams.delete(name)
  return { connectionString: parsed.href, ssl: mode !== null && mode !== 'disable' ? { rejectUnauthorized: rejectUnauthorized && mode !== 'no-verify' } : false }
}

function plainOptions (url: string, config: Config): pg.ClientConfig {
  return { ...connectionOptions(url, config.DB_SSL_REJECT_UNAUTHORIZED), connectionTimeoutMillis: config.DB_CONNECTION_TIMEOUT_MS, keepAlive: true }
}

/** What stands between here and the database of a URL; asked by whatever opens connections to it. */
export function poolerOf (url: string, config: Config): Pooler {
  return createPooler(url, config, async () => {
    const client = new UtcClient({ ...plainOptions(url, config), application_name: 'eden-erp-compares' })
    client.on('error', () => {}) // whoever asked is told by the query
    await client.connect()
    return client
  })
}

function createAnyPool (url: string, config: Config, pooler: Pooler, { max, name, settings }: { max: number, name: string, settings: Record<string, string> }): pg.Pool {
  return new WatchedPool({
    ...plainOptions(url, config),
    Client: PooledClient,
    behaviour: { pooler, settings },
    onConnect: (client: PooledClient) => client.setUp(),
    types,
    max,
    application_name: name
  } as unknown as pg.PoolConfig)
}

/** The pool of this process: time-outs from the configuration, UTC, typed values. The caller ends it. */
export function createPool (url: string, config: Config, pooler: Pooler): pg.Pool {
  return createAnyPool(url, config, pooler, {
    max: config.DB_POOL_MAX,
    name: 'eden-erp',
    settings: {
      statement_timeout: String(config.DB_STATEMENT_TIMEOUT_MS),
      lock_timeout: String(config.DB_LOCK_TIMEOUT_MS),
      idle_in_transaction_session_timeout: String(config.DB_IDLE_IN_TRANSACTION_TIMEOUT_MS),
      jit: 'off'
    }
  })
}

/** A connection of its own, outside the pool, for LISTEN: it waits for as long as it takes. The caller connects and ends it. */
export function createListeningClient (url: string, config: Config): pg.Client {
  return new UtcClient({ ...plainOptions(url, config), application_name: 'eden-erp-listener' })
}

/** A connection of its own for one plan of a slow statement; its time-outs are on this side. The caller connects and ends it. */
export function createPlanClient (url: string, config: Config): pg.Client {
  return new UtcClient({ ...plainOptions(url, config), application_name: 'eden-erp-plans', query_timeout: config.DB_CONNECTION_TIMEOUT_MS })
}

/** The pool of the job queue: its own, so that jobs and requests do not wait for each other; one of its connections listens. */
export function createQueuePool (url: string, config: Config, pooler: Pooler): pg.Pool {
  // A name saves little on statements that come every few seconds, and the queue names its own.
  return createAnyPool(url, config, { ...pooler, namedStatements: () => false }, {
    max: 4,
    name: 'eden-erp-jobs',
    settings: { statement_timeout: String(config.DB_STATEMENT_TIMEOUT_MS) }
  })
}
