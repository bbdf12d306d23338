/** Which database a URL leads to, and how: everything that can be told without asking it. Neither user nor password. */
export interface DatabaseIdentity {
  host: string
  port: number
  database: string
  /** Of a Supabase project, from `db.<ref>.supabase.co` or from the user `postgres.<ref>` of its pooler. */
  project_ref: string | null
  provider: 'supabase' | 'other'
  /** What the URL says to stand between; PgBouncer looks like PostgreSQL unless `pgbouncer=true` says so. */
  pooler: 'supavisor' | 'pgbouncer' | null
  /** `unknown`: only its behaviour can tell. */
  mode: 'session' | 'transaction' | 'direct' | 'unknown'
  /** The `sslmode` of the URL; `disable` where there is none. */
  tls: string
}

/** A lock on the identity of the database: what a deployment was told to expect. */
export interface IdentityLock {
  DATABASE_URL?: string | undefined
  DATABASE_SESSION_URL?: string | undefined
  EXPECTED_DB_HOST?: string | undefined
  EXPECTED_DB_PROJECT_REF?: string | undefined
}

const DEFAULT_PORT = 5432
const SUPABASE_TRANSACTION_PORT = 6543
const RUNBOOK = 'docs/runbook.md#issue-database-connection-failed'

/**
 * Reads a postgres:// URL.
 * @throws TypeError when it is no URL; the message does not repeat it, for it holds a password
 */
export function identify (text: string): DatabaseIdentity {
  // The error of `new URL` would carry the whole text.
  if (!URL.canParse(text)) throw new TypeError('not a URL: special characters in the user or the password must be percent-encoded')
  const url = new URL(text)
  const host = (decodeURIComponent(url.hostname) || url.searchParams.get('host') || 'localhost').replace(/^\[|\]$/g, '').toLowerCase()
  const port = Number(url.port || url.searchParams.get('port') || DEFAULT_PORT)
  const user = decodeURIComponent(url.username)
  const supabaseHost = /^db\.([a-z0-9]+)\.supabase\.(co|com|net)$/.exec(host)
  const supavisor = /\.pooler\.supabase\.(co|com|net)$/.test(host)
  const pgbouncer = url.searchParams.get('pgbouncer') === 'true' || (supabaseHost !== null && port === SUPABASE_TRANSACTION_PORT)
  const pooler = supavisor ? 'supavisor' : pgbouncer ? 'pgbouncer' : null
  const transaction = pgbouncer || (supavisor && port === SUPABASE_TRANSACTION_PORT)
  return {
    host,
    port,
    database: decodeURIComponent(url.pathname.slice(1)) || user,
    project_ref: supabaseHost?.[1] ?? (supavisor ? user.split('.')[1] ?? null : null),
    provider: supavisor || supabaseHost !== null ? 'supabase' : 'other',
    pooler,
    mode: transaction ? 'transaction' : supavisor ? 'session' : supabaseHost !== null ? 'direct' : 'unknown',
    tls: url.searchParams.get('sslmode') ?? 'disable'
  }
}

const isPrivate = (host: string) => host === 'localhost' || host === '::1' || !host.includes('.') ||
  /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\/)/.test(host) || /\.(local|internal|svc|cluster\.local)$/.test(host)

/** What an operator should look at, in sentences; empty when there is nothing. */
export function identityWarnings ({ host, provider, pooler, mode, project_ref: ref, tls }: DatabaseIdentity, { verifies }: { verifies: boolean }): string[] {
  const certain = tls !== 'disable' && verifies && tls !== 'no-verify'
  return [
    mode === 'transaction' && 'DATABASE_URL leads through a transaction pooler: statements are not prepared, and without DATABASE_SESSION_URL streams and jobs wake by polling; the session pooler (port 5432) is recommended',
    pooler === 'supavisor' && ref === null && 'the user in DATABASE_URL must be postgres.<project ref> at this pooler: without the reference it answers "Tenant or user not found"',
    pooler === 'supavisor' && /^aws-\d/.test(host) && 'a project has one pooler host, aws-0 or aws-1 and its region: if it answers "Tenant or user not found", compare it with the Connect page of the project',
    tls === 'disable' && !isPrivate(host) && 'DATABASE_URL asks for no TLS on a public host: add sslmode=require',
    tls !== 'disable' && !certain && 'the certificate of the server is not checked (DB_SSL_REJECT_UNAUTHORIZED=false): whoever is between can read along',
    provider === 'supabase' && ref !== null && mode === 'direct' && 'this is the direct host of the project, which answers on IPv6 only unless the project has an IPv4 address'
  ].filter((line) => line !== false)
}

/**
 * Whether the URLs lead to the database that this deployment is locked to.
 * @returns one line for each that does not, with the variable, what it expects and what was found; empty when all is well
 */
export function lockProblems (config: IdentityLock): string[] {
  return (['DATABASE_URL', 'DATABASE_SESSION_URL'] as const).flatMap((name) => problemsOf(name, config[name], config))
}

function problemsOf (name: string, url: string | undefined, { EXPECTED_DB_HOST: host, EXPECTED_DB_PROJECT_REF: ref }: IdentityLock): string[] {
  if (url === undefined) {
    const locked = host !== undefined ? 'EXPECTED_DB_HOST' : ref !== undefined ? 'EXPECTED_DB_PROJECT_REF' : undefined
    return locked === undefined || name !== 'DATABASE_URL' ? [] : [`DATABASE_URL must be set where ${locked} is: it locks which database is used (see ${RUNBOOK})`]
  }
  if (!URL.canParse(url)) return [`${name} must be a URL: special characters in the user or the password must be percent-encoded (see ${RUNBOOK})`]
  const found = identify(url)
  const hosts = host?.toLowerCase().split(',')
  return [
    hosts !== undefined && !hosts.includes(found.host) && `EXPECTED_DB_HOST expects ${hosts.join(' or ')}, and ${name} leads to ${found.host}: wrong database (see ${RUNBOOK})`,
    ref !== undefined && found.project_ref !== ref && `EXPECTED_DB_PROJECT_REF expects ${ref}, and ${name} leads to ${found.project_ref === null ? `${found.host}, which names no project` : `the project ${found.project_ref}`}: wrong database (see ${RUNBOOK})`
  ].filter((line) => line !== false)
}
