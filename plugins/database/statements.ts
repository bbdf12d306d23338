import { PostgresDialect, PostgresDriver, type CompiledQuery, type DatabaseConnection, type Driver, type PostgresDialectConfig, type QueryResult } from 'kysely'

/** Sends one statement; `begin`, `commit` and `rollback` are statements too. */
export type Execute = (query: CompiledQuery) => Promise<QueryResult<any>>

/** Stands between Kysely and the connection: it may send other statements before and after, or none. */
export type Intercept = (query: CompiledQuery, execute: Execute) => Promise<QueryResult<any>>

class Intercepted implements DatabaseConnection {
  readonly inner: DatabaseConnection
  readonly #intercept: Intercept

  constructor (inner: DatabaseConnection, intercept: Intercept) {
    this.inner = inner
    this.#intercept = intercept
  }

  executeQuery<R> (query: CompiledQuery): Promise<QueryResult<R>> {
    return this.#intercept(query, (sent) => this.inner.executeQuery(sent))
  }

  streamQuery<R> (query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<R>> {
    return this.inner.streamQuery(query, chunkSize)
  }
}

/** The connection that Kysely's driver made; its class has no public name. */
function innerOf (connection: DatabaseConnection): never {
  return (connection as Intercepted).inner as never
}

class InterceptingDriver extends PostgresDriver {
  readonly #intercept: Intercept

  constructor (config: PostgresDialectConfig, intercept: Intercept) {
    super(config)
    this.#intercept = intercept
  }

  override async acquireConnection (): Promise<DatabaseConnection> {
    return new Intercepted(await super.acquireConnection(), this.#intercept)
  }

  // These two reach into the connection that the driver itself made.
  override rollbackTransaction (connection: DatabaseConnection): Promise<void> {
    return super.rollbackTransaction(innerOf(connection))
  }

  override releaseConnection (connection: DatabaseConnection): Promise<void> {
    return super.releaseConnection(innerOf(connection))
  }
}

/** Kysely's dialect of PostgreSQL, with a look at each statement before it is sent. */
export class InterceptingDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig
  readonly #intercept: Intercept

  constructor (config: PostgresDialectConfig, intercept: Intercept) {
    super(config)
    this.#config = config
    this.#intercept = intercept
  }

  override createDriver (): Driver {
    return new InterceptingDriver(this.#config, this.#intercept)
  }
}
