import pg from 'pg'
import type { Config } from '../config.js'

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

/** The name under which a connection prepares a statement, once, and then only sends values. */
function nameOf (text: string): string | undefined {
  let name = names.get(text)
  if (name === undefined && names.size < MOST_NAMED_STATEMENTS && !text.includes(PLAN_EACH_TIME)) {
    name = `eden_${names.size + 1}`
    names.set(text, name)
  }
  return name
}

/** A connection that prepares what it is asked for again and again. Kysely sends text and values, never a name. */
class NamedStatementClient extends pg.Client {
  override query (...args: any[]): any {
    const [text, values] = args
    const name = typeof text === 'string' && Array.isArray(values) && values.length > 0 ? nameOf(text) : undefined
    const query: (...args: any[]) => any = super.query
    return name === undefined ? query.apply(this, args) : query.call(this, { name, text, values }, ...args.slice(2))
  }
}

/** TLS as the URL's `sslmode` asks, except that one variable decides whether a certificate must be known. */
function connectionOptions (url: string, rejectUnauthorized: boolean): Pick<pg.PoolConfig, 'connectionString' | 'ssl'> {
  const parsed = new URL(url)
  const mode = parsed.searchParams.get('sslmode')
  parsed.searchParams.delete('sslmode')
  return { connectionString: parsed.href, ssl: mode !== null && mode !== 'disable' ? { rejectUnauthorized } : false }
}

/** The pool of this process: time-outs from the configuration, UTC, typed values. The caller ends it. */
export function createPool (url: string, config: Config): pg.Pool {
  return new pg.Pool({
    ...connectionOptions(url, config.DB_SSL_REJECT_UNAUTHORIZED),
    Client: config.DB_PREPARED_STATEMENTS !== false ? NamedStatementClient : pg.Client,
    types,
    max: config.DB_POOL_MAX,
    application_name: 'eden-erp',
    options: '-c TimeZone=UTC -c jit=off',
    connectionTimeoutMillis: config.DB_CONNECTION_TIMEOUT_MS,
    statement_timeout: config.DB_STATEMENT_TIMEOUT_MS,
    lock_timeout: config.DB_LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: config.DB_IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true
  })
}

/** A connection of its own, outside the pool, for LISTEN: it waits for as long as it takes. The caller connects and ends it. */
export function createListeningClient (url: string, config: Config): pg.Client {
  return new pg.Client({
    ...connectionOptions(url, config.DB_SSL_REJECT_UNAUTHORIZED),
    application_name: 'eden-erp-listener',
    connectionTimeoutMillis: config.DB_CONNECTION_TIMEOUT_MS,
    keepAlive: true
  })
}

/** The pool of the job queue: its own, so that jobs and requests do not wait for each other; one of its connections listens. */
export function createQueuePool (url: string, config: Config): pg.Pool {
  return new pg.Pool({
    ...connectionOptions(url, config.DB_SSL_REJECT_UNAUTHORIZED),
    max: 4,
    application_name: 'eden-erp-jobs',
    options: '-c TimeZone=UTC',
    connectionTimeoutMillis: config.DB_CONNECTION_TIMEOUT_MS,
    statement_timeout: config.DB_STATEMENT_TIMEOUT_MS,
    keepAlive: true
  })
}
