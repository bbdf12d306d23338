import fp from 'fastify-plugin'
import { sql } from 'kysely'
import { Type, type Static } from 'typebox'
import { causeOf } from './database/causes.js'
import { identify, identityWarnings } from './database/identity.js'
import { oneQuestion } from './database/one-question.js'
import { problems } from './problem.js'

/** Someone looks at this when nothing works: it must answer then. */
const PATIENCE_MS = 1500
/** Tokens, holds and reports rest on the clocks agreeing; a machine that is further off has no time service. */
const CLOCK_TOLERANCE_MS = 2000

const Nullable = (type: 'string' | 'boolean') => Type.Unsafe<string | null>({ type: [type, 'null'] })
const Mode = Type.Unsafe<'session' | 'transaction' | 'direct' | 'unknown'>({ type: 'string', enum: ['session', 'transaction', 'direct', 'unknown'] })
const CauseShape = Type.Object({ code: Type.String(), message: Type.String(), runbook: Type.String() })
const Server = Type.Object({
  version: Type.String(),
  standby: Type.Boolean({ description: 'whether it takes no changes' }),
  time: Type.String({ format: 'date-time' }),
  time_zone: Type.String({ description: 'of this connection' }),
  clock_difference_ms: Type.Number({ description: 'how far the clock of the server is ahead of the one here' }),
  tls: Type.Boolean({ description: 'whether the server sees TLS; behind a pooler that is the pooler\'s connection' }),
  max_connections: Type.Integer(),
  schema_version: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  pending_migrations: Type.Array(Type.String()),
  extensions: Type.Array(Type.Object({ name: Type.String(), version: Type.String() })),
  settings: Type.Record(Type.String(), Type.String(), { description: 'time-outs as they are in force on a connection, outside of a transaction' })
})
const DbInfo = Type.Object({
  environment: Type.String(),
  connection: Type.Object({
    host: Type.String(),
    port: Type.Integer(),
    database: Type.String(),
    project_ref: Nullable('string'),
    provider: Type.String(),
    pooler: Type.Object({
      configured: Nullable('string'),
      found: Type.Unsafe<boolean | null>({ type: ['boolean', 'null'], description: 'whether something stands between that answers as PostgreSQL; null before the first connection' })
    }),
    mode: Type.Object({ configured: Mode, found: Mode }),
    tls: Type.Object({ sslmode: Type.String(), certificate_checked: Type.Boolean() }),
    pool: Type.Object({ max: Type.Integer(), total: Type.Integer(), idle: Type.Integer(), waiting: Type.Integer() }),
    named_statements: Type.Boolean(),
    listens: Type.Boolean(),
    session_url: Type.Boolean({ description: 'whether what needs a session has a way of its own' }),
    locked_to: Type.Object({ host: Nullable('string'), project_ref: Nullable('string') })
  }),
  server: Type.Unsafe<Static<typeof Server> | null>({ anyOf: [Server, { type: 'null' }], description: 'null when it does not answer: then `error` says why' }),
  error: Type.Unsafe<Static<typeof CauseShape> | null>({ anyOf: [CauseShape, { type: 'null' }] }),
  warnings: Type.Array(Type.String())
})

interface Row {
  version: string
  standby: boolean
  time: string
  time_zone: string
  tls: boolean
  max_connections: number
  extensions: { name: string, version: string }[]
  settings: Record<string, string>
}

/**
 * `GET /api/debug/dbinfo`: to which database this instance speaks, how, and what is wrong with it. It answers 200 when the
 * database is away as well, with the cause. Neither user nor password; not in production.
 */
export default fp(async function dbinfo (app) {
  const { config, connections } = app
  if (config.NODE_ENV === 'production') return
  const identity = identify(connections.requests.url)

  async function server (): Promise<Static<typeof Server>> {
    const asked = Date.now()
    const { rows: [row] } = await sql<Row>`
      select current_setting('server_version') as version, pg_is_in_recovery() as standby, clock_timestamp() as time, current_setting('TimeZone') as time_zone,
        coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls, current_setting('max_connections')::int as max_connections,
        (select jsonb_agg(jsonb_build_object('name', extname, 'version', extversion) order by extname) from pg_extension) as extensions,
        (select jsonb_object_agg(name, current_setting(name)) from unnest(array['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) name) as settings`.execute(app.db)
    if (row === undefined) throw new Error('the database answered with nothing')
    // The server told its time at some moment between the question and the answer: the middle is right to half of that.
    const middle = (asked + Date.now()) / 2
    const clockDifference = Math.round(Date.parse(row.time) - middle)
    const { version, pendingMigrations } = await app.databaseState()
    return { ...row, clock_difference_ms: clockDifference, schema_version: version, pending_migrations: pendingMigrations }
  }

  const ask = oneQuestion<{ server: Static<typeof Server> | null, error: Static<typeof CauseShape> | null }>(
    () => server().then((server) => ({ server, error: null }), (error) => ({ server: null, error: causeOf(error) })),
    { patienceMs: PATIENCE_MS, late: () => ({ server: null, error: causeOf(Object.assign(new Error('no answer in time'), { code: 'PROBE_TIMEOUT' })) }) }
  )

  app.get('/api/debug/dbinfo', {
    config: { probe: true },
    schema: { operationId: 'getDatabaseInfo', summary: 'To which database this instance speaks, how, and what is wrong with it; not in production', tags: ['operations'], response: { 200: DbInfo, ...problems } }
  }, async () => {
    const { server, error } = await ask()
    const { pooler } = connections.requests
    const { host, port, database, project_ref: ref, provider, tls } = identity
    const found = pooler.mode()
    return {
      environment: config.NODE_ENV,
      connection: {
        host,
        port,
        database,
        project_ref: ref,
        provider,
        pooler: { configured: identity.pooler, found: pooler.isBetween() ?? null },
        mode: {
          configured: config.DB_POOLER === 'auto' ? identity.mode : config.DB_POOLER,
          found: found === 'session' && pooler.isBetween() === false ? 'direct' as const : pooler.isBetween() === undefined ? 'unknown' as const : found ?? 'unknown' as const
        },
        tls: { sslmode: tls, certificate_checked: tls !== 'disable' && tls !== 'no-verify' && config.DB_SSL_REJECT_UNAUTHORIZED },
        pool: { max: config.DB_POOL_MAX, total: app.pool.totalCount, idle: app.pool.idleCount, waiting: app.pool.waitingCount },
        named_statements: pooler.namedStatements(),
        listens: connections.sessions.pooler.listens(),
        session_url: config.DATABASE_SESSION_URL !== undefined,
        locked_to: { host: config.EXPECTED_DB_HOST ?? null, project_ref: config.EXPECTED_DB_PROJECT_REF ?? null }
      },
      server,
      error,
      warnings: [...identityWarnings(identity, { verifies: config.DB_SSL_REJECT_UNAUTHORIZED }), ...behaviourWarnings(), ...serverWarnings(server)]
    }
  })

  function behaviourWarnings (): string[] {
    const { pooler } = connections.requests
    return [
      pooler.mode() === 'transaction' && identity.mode !== 'transaction' && 'a transaction pooler stands between: statements are not prepared; the session pooler is recommended, or DATABASE_SESSION_URL for streams, jobs and migrations',
      pooler.mode() === 'transaction' && config.DB_PREPARED_STATEMENTS === true && 'DB_PREPARED_STATEMENTS=true does not go with a transaction pooler: statements will fail now and then',
      pooler.mode() === 'transaction' && connections.sessions === connections.requests && config.DB_LISTEN === true && 'DB_LISTEN=true does not go with a transaction pooler: nothing is heard'
    ].filter((line) => line !== false)
  }
  function serverWarnings (server: Static<typeof Server> | null): string[] {
    if (server === null) return []
    return [
      server.standby && 'the server is a standby: it takes no changes',
      server.pending_migrations.length > 0 && `${server.pending_migrations.length} migrations are pending: run npm run db:push`,
      Math.abs(server.clock_difference_ms) > CLOCK_TOLERANCE_MS && `the clocks of this machine and of the server are ${Math.abs(server.clock_difference_ms)} ms apart: check the time service`,
      config.DB_POOL_MAX >= server.max_connections && 'DB_POOL_MAX is not below the max_connections of the server',
      connections.requests.pooler.mode() === 'transaction' && server.settings['statement_timeout'] === '0' && config.DB_STATEMENT_TIMEOUT_MS > 0 &&
        'statements outside of a transaction have a time-out on this side only: give the role one as well (alter role ... set statement_timeout)'
    ].filter((line) => line !== false)
  }
}, { name: 'dbinfo', dependencies: ['database', 'database-state'] })
