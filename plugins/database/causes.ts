/**
 * Why the database did not do what it was asked, in words that an operator can act on: the one place where errors of the
 * driver, of PostgreSQL and of poolers (PgBouncer, Supabase's Supavisor) are told apart. A client never sees a cause.
 */
export interface Cause {
  /** Stable, in snake_case: for a program. */
  code: string
  /** One sentence for an operator; neither address nor user nor password. */
  message: string
  /** The section of the runbook that fixes it. */
  runbook: string
}

const CONNECTION = 'docs/runbook.md#issue-database-connection-failed'
const SLOW = 'docs/runbook.md#issue-high-response-times'
const SCHEMA = 'docs/runbook.md#issue-database-schema-mismatch'
const DOWN = 'docs/runbook.md#issue-service-is-down'
const ANY = 'docs/runbook.md#troubleshooting-guide'

/** What can be read off an error of `pg`, of a socket or of TLS. */
interface Signs { code: string, message: string, fatal: boolean, connecting: boolean }
interface Known extends Cause { when: (signs: Signs) => boolean }

const known: Known[] = []

/** Adds a cause; the first that fits counts, so that what is special comes before what is general. */
function cause (code: string, runbook: string, message: string, ...when: (string | RegExp | ((signs: Signs) => boolean))[]): void {
  const tests = when.map((one) => typeof one === 'function' ? one : typeof one === 'string' ? (signs: Signs) => signs.code === one : (signs: Signs) => one.test(signs.message))
  known.push({ code, message, runbook, when: (signs) => tests.some((test) => test(signs)) })
}

// Before the database is reached.
cause('wrong_database', CONNECTION, 'DATABASE_URL is not the database that EXPECTED_DB_HOST or EXPECTED_DB_PROJECT_REF locks this deployment to', 'WRONG_DATABASE')
cause('session_needed', CONNECTION, 'this needs a session, and a transaction pooler stands between: set DATABASE_SESSION_URL to the session pooler or to the server itself', 'SESSION_NEEDED')
cause('pool_exhausted', SLOW, 'every connection of the pool is in use: statements are slow or hang, or DB_POOL_MAX is too small for the load', 'POOL_EXHAUSTED')
cause('time_zone_not_kept', CONNECTION, 'the pooler between does not keep the time zone UTC for a client: give the role in DATABASE_URL that time zone (alter role ... set timezone = \'UTC\'), or connect in session mode', 'TIME_ZONE_NOT_KEPT')
cause('connection_refused', CONNECTION, 'connection refused: is PostgreSQL running, and are host and port in DATABASE_URL right?', 'ECONNREFUSED', ({ code, connecting }) => code === 'ENOENT' && connecting)
cause('host_unknown', CONNECTION, 'the host in DATABASE_URL is not known: a typing error, a paused or deleted project, or no name service', 'ENOTFOUND', 'EAI_AGAIN')
cause('tls_refused', CONNECTION, 'TLS refused: the server does not speak it, so take sslmode out of DATABASE_URL, or turn ssl on in the server', /does not support SSL connections/i)
cause('certificate_expired', CONNECTION, 'the certificate of the server is not valid today: renew it, or check the clock of this machine', 'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID')
cause('certificate_wrong_host', CONNECTION, 'the certificate of the server is for another host name than the one in DATABASE_URL: use the name that it is for, or set DB_SSL_REJECT_UNAUTHORIZED=false', 'ERR_TLS_CERT_ALTNAME_INVALID')
cause('certificate_untrusted', CONNECTION, 'no known authority signed the certificate of the server: name its authority in NODE_EXTRA_CA_CERTS, or set DB_SSL_REJECT_UNAUTHORIZED=false', ({ code }) => /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_UNTRUSTED|CERT_REVOKED|INVALID_CA)$/.test(code))
cause('tls_failed', CONNECTION, 'the server and this process could not agree on TLS: check sslmode and the port in DATABASE_URL, and the server\'s TLS versions', 'EPROTO', ({ code }) => /^ERR_(SSL|TLS)_/.test(code), /establishing an SSL connection/i)

// The server or the pooler refuses the connection.
cause('tls_required', CONNECTION, 'the server demands TLS: add sslmode=require to DATABASE_URL', /no encryption|SSL required|SSL connection is required|connection is insecure/i)
cause('address_refused', CONNECTION, 'the server lets no such user into this database from this address: check pg_hba.conf, or the network restrictions of the provider', /no pg_hba\.conf entry|pg_hba\.conf rejects|login rejected|address not in tenant allow_list/i)
cause('tenant_unknown', CONNECTION, 'Tenant or user not found: the pooler does not know the project in DATABASE_URL. Its host (aws-0 or aws-1, and the region) and the user (postgres.<project ref>) must be as the provider\'s Connect page shows them, and the project must be active', /tenant(\/| or )user.*not found/i)
cause('password_refused', CONNECTION, 'the user or the password in DATABASE_URL is refused', '28P01', '28000', /^SASL|password authentication failed|no such user/i)
cause('database_unknown', CONNECTION, 'the database in DATABASE_URL does not exist', '3D000', /no such database/i)
cause('startup_parameter_refused', CONNECTION, 'the pooler between refuses a parameter of the connection: take options out of DATABASE_URL', /unsupported startup parameter/i)
cause('too_many_connections', CONNECTION, 'the server or the pooler has no connection left: lower DB_POOL_MAX or the number of instances, or raise max_connections (of a pooler: its pool size)', '53300', /no more connections allowed|max clients? (connections )?reached|too many connections|MaxClients|query_wait_timeout/i)
cause('pooler_without_server', CONNECTION, 'the pooler answers, and does not reach the PostgreSQL behind it: is that running, and are the pooler\'s settings right?', /server_login_retry|server login (has been )?fail|pgbouncer cannot connect|cannot connect to server/i)
cause('starting_up', DOWN, 'PostgreSQL is starting up, recovering or shutting down: it should be back shortly', '57P03')
cause('shutting_down', DOWN, 'PostgreSQL is being stopped or restarted, or an administrator ended the connection', '57P01', '57P02', /the database system is shutting down|pgbouncer is shutting down/i)
cause('server_out_of_memory', DOWN, 'PostgreSQL is out of memory', '53200')
cause('disk_full', DOWN, 'the disk of PostgreSQL is full: nothing can be written until there is room', '53100')

// The connection is there, and does not do what it should.
cause('prepared_statement_lost', CONNECTION, 'a prepared statement was on another server connection: a transaction pooler stands between, and DB_POOLER or DB_PREPARED_STATEMENTS says otherwise. Set DB_POOLER=transaction and take DB_PREPARED_STATEMENTS away, or connect in session mode', '26000', '42P05', /bind message supplies \d+ parameters?, but prepared statement/i)
cause('statement_timeout', SLOW, 'a statement took longer than DB_STATEMENT_TIMEOUT_MS and was stopped', '57014', /Query read timeout/i)
cause('lock_timeout', SLOW, 'a lock did not come within DB_LOCK_TIMEOUT_MS: something else holds it too long', '55P03')
cause('deadlock', SLOW, 'transactions waited for each other, and one was taken back', '40P01', '40001')
cause('read_only', CONNECTION, 'the database takes no changes: DATABASE_URL leads to a standby, or the server is read-only (a full disk makes some providers do that)', '25006')
cause('table_missing', SCHEMA, 'a table that this release needs is missing: run npm run db:push', '42P01', '3F000')
cause('column_missing', SCHEMA, 'a column that this release needs is missing: run npm run db:push', '42703')
cause('function_missing', SCHEMA, 'a function, a type or an extension that this release needs is missing: run npm run db:push', '42883', '42704')
cause('type_mismatch', SCHEMA, 'a column has another type than this release knows: run npm run db:introspect', '42804')
cause('permission_denied', CONNECTION, 'the user in DATABASE_URL may not do this: it must own the tables, or be granted them', '42501')
cause('timeout', CONNECTION, 'no answer in time: the server or the pool is overloaded, or the network drops packets', 'PROBE_TIMEOUT', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', /^(timeout expired|timeout exceeded when trying to connect|Connection terminated due to connection timeout)/i)
cause('connection_lost', CONNECTION, 'the connection was lost', 'ECONNRESET', 'EPIPE', 'ECONNABORTED', '25P03', '57P05', ({ code }) => code.startsWith('08'), /^(Connection terminated|Client was closed|Client has encountered a connection error)|server conn crashed|server closed the connection/i)
cause('connection_refused_by_pooler', CONNECTION, 'the pooler refuses the connection, for a reason of its own: see its log', ({ code, fatal }) => code.startsWith('XX') && fatal)

/** The causes with which nothing at all can be done for the time being, as opposed to one request that failed. */
const away = new Set(['pool_exhausted', 'time_zone_not_kept', 'connection_refused', 'host_unknown', 'tls_refused', 'certificate_expired', 'certificate_wrong_host',
  'certificate_untrusted', 'tls_failed', 'tls_required', 'address_refused', 'tenant_unknown', 'password_refused', 'database_unknown', 'startup_parameter_refused',
  'too_many_connections', 'pooler_without_server', 'starting_up', 'shutting_down', 'server_out_of_memory', 'disk_full', 'timeout', 'connection_lost', 'connection_refused_by_pooler'])

const OTHER: Cause = { code: 'other', message: 'something else: the log has the error, under the request id', runbook: ANY }

function signsOf (error: unknown): Signs {
  const { code, message, severity, syscall } = error as { code?: unknown, message?: unknown, severity?: unknown, syscall?: unknown }
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '', fatal: severity === 'FATAL', connecting: syscall === 'connect' }
}

/**
 * The cause of an error, looked for in the error itself and then in what it wraps.
 * @returns the cause with the code `other` when it is none that is known
 */
export function causeOf (error: unknown): Cause {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause ?? (at as AggregateError).errors?.[0], depth++) {
    const signs = signsOf(at)
    const found = known.find(({ when }) => when(signs))
    if (found !== undefined) return { code: found.code, message: found.message, runbook: found.runbook }
  }
  const { code } = signsOf(error ?? {})
  // A SQLSTATE of five letters and digits is worth knowing, and tells nothing that is secret.
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? { ...OTHER, message: `the database refused (${code})` } : { ...OTHER }
}

/** Every cause that there is, without `other`: for the documentation and its test. */
export const causes: readonly Cause[] = known.map(({ code, message, runbook }) => ({ code, message, runbook }))

/** Whether the database cannot be used at all at the moment, as opposed to having refused one thing. */
export function isAway ({ code }: Cause): boolean {
  return away.has(code)
}

/** A cause as a line for a probe or a terminal: what is wrong, and where it says what to do. */
export function explain ({ message, runbook }: Cause): string {
  return `${message}; see ${runbook}`
}
