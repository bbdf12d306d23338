import { existsSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import { Type, type Static, type TProperties } from 'typebox'
import { OUR_ISSUER } from './auth/access-tokens.js'
import { lockProblems } from './database/identity.js'
import { isProxyList } from './proxies.js'

/** A variable that is given by its name only: its value never appears in a message. */
const secret = { secret: true }

/** Media types and ranges of them, such as image/png and image/*. */
const mediaTypes = { pattern: '^([a-z]+/[a-z0-9.+*-]+(,[a-z]+/[a-z0-9.+*-]+)*)?$', allowed: 'a list of media types like image/png or image/*, separated by commas' }

const variables = {
  NODE_ENV: Type.Enum(['development', 'test', 'production'], { default: 'development', description: 'production refuses development headers and the embedded database' }),
  HOST: Type.String({ minLength: 1, default: '127.0.0.1', description: 'the address to listen on; 0.0.0.0 in a container' }),
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 3000, description: 'the port to listen on; 0 takes a free one' }),
  TRUST_PROXY: Type.String({ default: '', description: 'the proxies in front, by their addresses: what they write into X-Forwarded-For is where a request came from; none by default, and then the header is not read', allowed: 'addresses and networks like 10.1.2.3, 10.0.0.0/8 or loopback, separated by commas' }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info', description: 'the least severe level that is logged' }),
  BODY_LIMIT_BYTES: Type.Integer({ minimum: 1024, maximum: 104857600, default: 1048576, description: 'the largest request body' }),
  BODY_TIMEOUT_MS: Type.Integer({ minimum: 100, maximum: 3600000, default: 60000, description: 'the longest that a request body may take to arrive, except files' }),
  UPLOAD_SILENCE_MS: Type.Integer({ minimum: 100, maximum: 3600000, default: 30000, description: 'the longest that a file on its way in may stand still' }),
  ANSWER_SILENCE_MS: Type.Integer({ minimum: 100, maximum: 3600000, default: 30000, description: 'the longest that an answer on its way out may stand still because nobody takes it' }),
  HEADERS_TIMEOUT_MS: Type.Integer({ minimum: 100, maximum: 600000, default: 15000, description: 'the longest that a connection may take to send the headers of a request, from when it opens or sends the first of them' }),
  KEEP_ALIVE_TIMEOUT_MS: Type.Integer({ minimum: 100, maximum: 3600000, default: 72000, description: 'the longest that a connection is kept open between requests: longer than a proxy in front does' }),
  MAX_CONNECTIONS: Type.Integer({ minimum: 10, maximum: 1000000, default: 10000, description: 'the most connections at once: one more is closed as it comes' }),
  SHUTDOWN_DELAY_MS: Type.Integer({ minimum: 0, maximum: 300000, default: 0, description: 'how long to go on serving, not ready, after SIGTERM, so that a load balancer looks away first' }),
  SHUTDOWN_TIMEOUT_MS: Type.Integer({ minimum: 100, maximum: 300000, default: 10000, description: 'how long requests that run may take to finish after that' }),

  DATABASE_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://', description: 'the PostgreSQL to use; without it, and not in production, an embedded one is started', ...secret })),
  DATABASE_SESSION_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://', description: 'the same database without a transaction pooler between, for what needs a session: LISTEN, the job queue and migrations; default: DATABASE_URL', ...secret })),
  EXPECTED_DB_HOST: Type.Optional(Type.String({ pattern: '^[^\\s,/@:]+(,[^\\s,/@:]+)*$', allowed: 'a host name, or several separated by commas', description: 'when set, a database on any other host is refused at the start, and by every command' })),
  EXPECTED_DB_PROJECT_REF: Type.Optional(Type.String({ pattern: '^[a-z0-9]+$', allowed: 'the reference of a Supabase project, such as abcdefghijklmnopqrst', description: 'when set, the database of any other Supabase project is refused at the start, and by every command' })),
  DB_POOLER: Type.Enum(['auto', 'session', 'transaction'], { default: 'auto', description: 'what stands between here and PostgreSQL: a transaction pooler, or none and a session pooler; auto knows Supabase\'s by its port, pgbouncer=true in DATABASE_URL, and others by how they behave' }),
  DB_POOL_MAX: Type.Integer({ minimum: 1, maximum: 1000, default: 10, description: 'the most connections this process opens' }),
  DB_SSL_REJECT_UNAUTHORIZED: Type.Boolean({ default: true, description: 'false accepts a certificate that no known authority signed' }),
  DB_STATEMENT_TIMEOUT_MS: Type.Integer({ minimum: 0, maximum: 3600000, default: 15000, description: 'the longest a statement may run; 0 is no limit' }),
  DB_LOCK_TIMEOUT_MS: Type.Integer({ minimum: 0, maximum: 3600000, default: 5000, description: 'the longest a statement may wait for a lock; 0 is no limit' }),
  DB_IDLE_IN_TRANSACTION_TIMEOUT_MS: Type.Integer({ minimum: 0, maximum: 3600000, default: 10000, description: 'the longest a transaction may stand idle; 0 is no limit' }),
  DB_CONNECTION_TIMEOUT_MS: Type.Integer({ minimum: 1, maximum: 600000, default: 5000, description: 'the longest to wait for a connection, from the pool or from the server' }),
  DB_PREPARED_STATEMENTS: Type.Optional(Type.Boolean({ description: 'whether hot statements are prepared once and then named; default: as DB_POOLER says, for a transaction pooler may not know a statement that another connection prepared' })),
  DB_LISTEN: Type.Optional(Type.Boolean({ description: 'whether live streams are woken by LISTEN, or by the poll alone; default: as DB_POOLER says, for a transaction pooler forgets a LISTEN' })),
  PROBE_TIMEOUT_MS: Type.Integer({ minimum: 50, maximum: 60000, default: 900, description: 'how long a probe waits for the database; less than the prober itself does' }),
  DB_MIGRATION_LOCK_TIMEOUT_MS: Type.Integer({ minimum: 10, maximum: 600000, default: 2000, description: 'the longest a migration may wait for a lock, and make others wait behind it; it is tried six times' }),
  DB_MIGRATION_STATEMENT_TIMEOUT_MS: Type.Integer({ minimum: 100, maximum: 86400000, default: 60000, description: 'the longest a statement of a migration may run, except a concurrent build of an index' }),
  DB_SLOW_QUERY_MS: Type.Integer({ minimum: 1, maximum: 3600000, default: 500, description: 'a statement slower than this is logged, without its data' }),
  DB_SLOW_QUERY_PLANS: Type.Boolean({ default: false, description: 'whether the plan of a slow statement is logged too: each at most once in ten minutes, on a connection of its own' }),

  EDEN_DATA_DIR: Type.String({ minLength: 1, default: '.data', description: 'where the embedded database lives' }),
  PG_BIN: Type.Optional(Type.String({ minLength: 1, description: 'a folder with initdb, pg_ctl and postgres to use for the embedded database instead of the packaged ones' })),

  FILES_STORAGE: Type.Enum(['local', 's3'], { default: 'local', description: 'where new files of tasks are kept; what is in the local folder already is still served from there' }),
  FILES_DIR: Type.Optional(Type.String({ minLength: 1, description: 'the local folder of files, which instances share when files are kept there; also where files are while they come in; default: files in EDEN_DATA_DIR' })),
  S3_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://[^\\s]+$', allowed: 'a URL that begins with http:// or https://', description: 'where the S3 protocol is spoken; Supabase: https://<project>.supabase.co/storage/v1/s3; without it Amazon' })),
  S3_REGION: Type.String({ minLength: 1, default: 'us-east-1', description: 'the region of the bucket' }),
  S3_BUCKET: Type.Optional(Type.String({ minLength: 1, description: 'the bucket; not a public one; required with FILES_STORAGE=s3' })),
  S3_ACCESS_KEY_ID: Type.Optional(Type.String({ minLength: 1, description: 'the id of the key; required with FILES_STORAGE=s3', ...secret })),
  S3_SECRET_ACCESS_KEY: Type.Optional(Type.String({ minLength: 1, description: 'the key; required with FILES_STORAGE=s3', ...secret })),
  S3_FORCE_PATH_STYLE: Type.Boolean({ default: true, description: 'the bucket in the path, not in the host name: false for Amazon' }),
  ATTACHMENT_MAX_BYTES: Type.Integer({ minimum: 1, maximum: 5_000_000_000, default: 104857600, description: 'the largest file of a task' }),
  ATTACHMENT_TYPES_ALLOWED: Type.String({ ...mediaTypes, default: '', description: 'what files of tasks may be, told from their bytes; any when empty' }),
  ATTACHMENT_TYPES_DENIED: Type.String({ ...mediaTypes, default: 'application/x-msdownload,application/x-elf,application/x-mach-binary,application/java-vm,application/vnd.android.package-archive', description: 'what they may not be, told from their bytes; by default programs' }),

  JWT_SECRET: Type.Optional(Type.String({ minLength: 32, description: 'signs and checks access tokens (HS256); required in production', ...secret })),
  JWT_SECRET_OTHER: Type.Optional(Type.String({ minLength: 32, description: 'checks access tokens too, and signs none: the next secret before it signs, the one before until its tokens have expired', ...secret })),
  AUTH_ISSUER: Type.Optional(Type.String({ minLength: 1, maxLength: 500, description: 'the issuer whose tokens are taken beside our own, as it calls itself in `iss`; Supabase: https://<project>.supabase.co/auth/v1' })),
  AUTH_AUDIENCE: Type.Optional(Type.String({ minLength: 1, maxLength: 500, description: 'for whom its tokens must be made (`aud`); Supabase: authenticated; required with AUTH_ISSUER' })),
  AUTH_JWKS_URL: Type.Optional(Type.String({ pattern: '^https?://[^\\s#@]+$', allowed: 'a URL that begins with https://', description: 'where its public keys are (RS256 or ES256); https in production; this or AUTH_JWT_SECRET is required with AUTH_ISSUER' })),
  AUTH_JWT_SECRET: Type.Optional(Type.String({ minLength: 32, description: 'the secret that it signs with (HS256), where it has no public keys: what Supabase calls its legacy JWT secret', ...secret })),
  AUTH_EMAIL_VERIFIED_CLAIM: Type.String({ pattern: '^(?!user_metadata)[^\\s]{1,200}$', default: 'email_verified', allowed: 'the name of a claim, such as email_verified or app_metadata.email_verified, that people cannot write themselves', description: 'the claim that must be true before an address links its owner to a person here; below others with dots' }),
  API_TOKEN_MAX_DAYS: Type.Integer({ minimum: 1, maximum: 3650, default: 365, description: 'the longest that a personal access token may be good' }),
  API_TOKENS_PER_PERSON: Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: 'the most personal access tokens that one person has at once' }),
  GUEST_LINK_MAX_DAYS: Type.Integer({ minimum: 1, maximum: 3650, default: 90, description: 'the longest that a guest link may be good' }),
  GUEST_LINKS_PER_PERSON: Type.Integer({ minimum: 1, maximum: 10000, default: 200, description: 'the most guest links that one person has at once' }),
  AUTH_DEV_HEADERS: Type.Optional(Type.Boolean({ description: 'whether X-Dev-Email signs a request in; default true outside production, refused in production' })),
  AUDIT_SEAL_KEY: Type.Optional(Type.String({ minLength: 32, description: 'signs the seals of the audit log: who can write to the database cannot seal it anew', ...secret })),
  RATE_LIMIT_STORE: Type.Enum(['memory', 'postgres', 'redis'], { default: 'postgres', description: 'where instances add up who asks how often; memory: each counts for itself' }),
  REDIS_URL: Type.Optional(Type.String({ pattern: '^rediss?://', allowed: 'a URL that begins with redis:// or rediss://', description: 'the Redis to use; required with RATE_LIMIT_STORE=redis', ...secret })),
  RATE_LIMIT_IDENTITY: Type.Optional(Type.Integer({ minimum: 0, maximum: 100000000, description: 'requests a minute of one person; 0 is no limit; default: 1200 in production, a thousand times as many elsewhere' })),
  RATE_LIMIT_ADDRESS: Type.Optional(Type.Integer({ minimum: 0, maximum: 100000000, description: 'requests a minute from one address (of IPv6 one /64) that nobody is signed in for; 0 is no limit; default: 300 in production, a thousand times as many elsewhere' })),
  RATE_LIMIT_SIGN_IN: Type.Integer({ minimum: 0, maximum: 100000000, default: 20, description: 'attempts a minute to sign in from one address; 0 is no limit' }),
  SESSION_IDLE_HOURS: Type.Integer({ minimum: 1, maximum: 8760, default: 168, description: 'how long a session that is not used lasts: then one has to sign in again' }),
  SESSION_MAX_HOURS: Type.Integer({ minimum: 1, maximum: 87600, default: 720, description: 'how long a session lasts at most, however much it is used' }),
  REFRESH_GRACE_SECONDS: Type.Integer({ minimum: 0, maximum: 60, default: 10, description: 'how long a refresh token that was taken is taken again, for the same successor: for tabs that come at once, and answers that were lost' }),
  PASSWORD_RESET_MINUTES: Type.Integer({ minimum: 5, maximum: 1440, default: 30, description: 'how long a link that resets a password is good' }),
  INVITATION_HOURS: Type.Integer({ minimum: 1, maximum: 720, default: 72, description: 'how long an invitation is good' }),
  PASSWORD_HASHES_AT_ONCE: Type.Integer({ minimum: 1, maximum: 64, default: 2, description: 'how many passwords this process hashes at once: each takes 19 MiB and a thread for a moment' }),
  PASSWORD_HASHES_WAITING: Type.Integer({ minimum: 0, maximum: 10000, default: 100, description: 'how many more may wait for that: others are answered 503' }),
  METRICS_TOKEN: Type.Optional(Type.String({ minLength: 16, description: 'when set, /metrics wants it as a bearer token', ...secret })),
  METRICS_WINDOW_SECONDS: Type.Integer({ minimum: 5, maximum: 3600, default: 300, description: 'how far back rates, response times and alerts look' }),
  CORS_ORIGINS: Type.String({ pattern: '^(https?://[^,\\s/*]+(,https?://[^,\\s/*]+)*)?$', allowed: 'a list of origins like https://app.example.com, separated by commas', default: '', description: 'the web origins that may call, separated by commas; none by default' }),

  APP_URL: Type.String({ pattern: '^https?://[^\\s?#]*[^\\s?#/]$', default: 'http://127.0.0.1:3000', description: 'where the web front end is: links in e-mails lead there', allowed: 'a URL like https://erp.example.com, without a slash at its end' }),
  SMTP_URL: Type.Optional(Type.String({ pattern: '^smtps?://', description: 'the server that sends e-mails, like smtps://user:password@mail.example.com; none are sent without it', allowed: 'a URL that begins with smtp:// or smtps://', ...secret })),
  MAIL_FROM: Type.String({ pattern: '^[^\\r\\n]*[^\\s<>@]+@[^\\s<>@]+>?$', default: 'Eden ERP <eden-erp@localhost>', description: 'from whom e-mails are', allowed: 'an address like Eden ERP <erp@example.com>' }),
  EMAIL_DELAY_MS: Type.Integer({ minimum: 0, maximum: 86400000, default: 300000, description: 'how long an e-mail gathers what comes, and leaves time to read it here, before it is sent' }),
  NOTIFICATION_RETENTION_DAYS: Type.Integer({ minimum: 1, maximum: 36500, default: 365, description: 'how long notifications are kept' }),
  STREAM_HEARTBEAT_MS: Type.Integer({ minimum: 10, maximum: 600000, default: 15000, description: 'how often a quiet live stream says that it is there; a client that takes nothing for two of them is dropped' }),
  STREAM_POLL_MS: Type.Integer({ minimum: 10, maximum: 600000, default: 2000, description: 'how often live streams look for what nothing woke them for' }),
  STREAM_RETRY_MS: Type.Integer({ minimum: 0, maximum: 600000, default: 2000, description: 'how long a client waits before it opens a broken live stream again' }),
  STREAM_MAX_AGE_MS: Type.Integer({ minimum: 100, maximum: 86400000, default: 900000, description: 'how long a live stream lasts: then the client opens it again, and is signed in anew' }),
  STREAMS_PER_PERSON: Type.Integer({ minimum: 1, maximum: 1000, default: 10, description: 'the most live streams that one person has open on one instance' }),

  JOBS_ENABLED: Type.Boolean({ default: true, description: 'whether this instance does scheduled jobs; at least one must' }),
  JOBS_TIMEZONE: Type.String({ pattern: '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$', default: 'America/Toronto', description: 'the time zone in whose time jobs are scheduled', allowed: 'a time zone like America/Toronto' }),
  JOBS_TICK_MS: Type.Integer({ minimum: 10, maximum: 60000, default: 5000, description: 'how often an instance looks for jobs that are due' }),

  PRESSURE_MAX_EVENT_LOOP_DELAY_MS: Type.Integer({ minimum: 0, maximum: 60000, default: 1000, description: 'requests are shed (503) above this mean delay of the event loop; 0 turns it off' }),
  PRESSURE_MAX_HEAP_BYTES: Type.Optional(Type.Integer({ minimum: 0, description: 'requests are shed above this heap size; default: 95 % of what the heap may have; 0 turns it off' })),
  PRESSURE_MAX_RSS_BYTES: Type.Integer({ minimum: 0, default: 0, description: 'requests are shed above this resident size; 0 turns it off' })
} satisfies TProperties

/** Every variable that the service knows: its type, its bounds, its default and what it is for. The only list. */
export const ConfigSchema = Type.Object(variables)

/** The configuration of a process, under the names of its variables; milliseconds and bytes as the names say. */
export type Config = Static<typeof ConfigSchema>

/** The environment asks for something that is not allowed. `message` has one line per variable. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  /** `WRONG_DATABASE` when nothing is wrong but that the database is not the one that is expected. */
  readonly code: 'INVALID' | 'WRONG_DATABASE'
  constructor (message: string, code: ConfigError['code'] = 'INVALID') {
    super(message)
    this.code = code
  }
}

/** The environment of this process, with `.env` of the working directory below it (what is set already wins). */
export function readEnvironment (): NodeJS.ProcessEnv {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return process.env
}

/**
 * Checks the variables of an environment and fills in the defaults. An empty value counts as not set.
 * @throws ConfigError with one line per wrong variable, which says what it was allowed to be
 */
export function parseConfig (environment: NodeJS.ProcessEnv): Config {
  // Empty is what an unset variable of a deployment becomes: that must not make it a development machine.
  if (environment['NODE_ENV'] === '') throw new ConfigError(`NODE_ENV must be ${describeAllowed(variables.NODE_ENV)}, or not be set; it is empty`)
  const given = Object.fromEntries(Object.keys(variables).map((name) => [name, environment[name]]).filter(([, value]) => value !== undefined && value !== ''))
  const asGiven = { ...given }
  // `$id`-free and used once: Ajv for coercion and defaults, as in the rest of the service.
  const validate = new Ajv({ allErrors: true, coerceTypes: true, useDefaults: true, strict: false }).compile<Config>(ConfigSchema)
  const problems = validate(given) ? crossChecks(given as Config) : [...new Set((validate.errors ?? []).map((error) => explain(error, asGiven)))]
  if (problems.length > 0) throw new ConfigError(problems.join('\n'), problems.every((line) => line.startsWith('EXPECTED_DB_')) ? 'WRONG_DATABASE' : 'INVALID')
  return given as Config
}

function crossChecks (config: Config): string[] {
  const zone = isTimeZone(config.JOBS_TIMEZONE) ? [] : [`JOBS_TIMEZONE must be a time zone like America/Toronto, not ${JSON.stringify(config.JOBS_TIMEZONE)}`]
  const auth = issuerChecks(config)
  const storage = config.FILES_STORAGE === 's3' ? (['S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const).filter((name) => config[name] === undefined) : []
  const redis = config.RATE_LIMIT_STORE === 'redis' && config.REDIS_URL === undefined ? ['REDIS_URL must be set with RATE_LIMIT_STORE=redis'] : []
  const origins = config.CORS_ORIGINS === '' || config.CORS_ORIGINS.split(',').every(isOrigin) ? [] : [`CORS_ORIGINS must be ${describeAllowed(ConfigSchema.properties.CORS_ORIGINS)}, as browsers send them: no path, no wildcard, lower case, no default port; not ${JSON.stringify(config.CORS_ORIGINS)}`]
  const proxies = isProxyList(config.TRUST_PROXY) ? [] : [`TRUST_PROXY must be ${describeAllowed(ConfigSchema.properties.TRUST_PROXY)}, not ${JSON.stringify(config.TRUST_PROXY)}`]
  return [...productionChecks(config), ...lockProblems(config), ...zone, ...origins, ...proxies, ...redis, ...auth, ...storage.map((name) => `${name} must be set with FILES_STORAGE=s3`)]
}

/** What tokens are signed with: two secrets that are one protect nothing, and an issuer is known whole or not at all. */
function issuerChecks (config: Config): string[] {
  const { JWT_SECRET: own, JWT_SECRET_OTHER: other, AUTH_ISSUER: issuer, AUTH_JWKS_URL: url, AUTH_JWT_SECRET: shared } = config
  const parts = (['AUTH_AUDIENCE', 'AUTH_JWKS_URL', 'AUTH_JWT_SECRET'] as const).filter((name) => config[name] !== undefined)
  return [
    other !== undefined && own === undefined && 'JWT_SECRET_OTHER must not be set without JWT_SECRET',
    other !== undefined && other === own && 'JWT_SECRET_OTHER must differ from JWT_SECRET: there is nothing to change over to',
    shared !== undefined && [own, other].includes(shared) && 'AUTH_JWT_SECRET must differ from JWT_SECRET and JWT_SECRET_OTHER: who has it could sign as us',
    issuer === undefined && parts.length > 0 && `AUTH_ISSUER must be set with ${parts.join(', ')}`,
    issuer === OUR_ISSUER && `AUTH_ISSUER must not be ${OUR_ISSUER}: that is what we call ourselves`,
    issuer !== undefined && config.AUTH_AUDIENCE === undefined && 'AUTH_AUDIENCE must be set with AUTH_ISSUER: a token made for others is not for us',
    issuer !== undefined && (url === undefined) === (shared === undefined) && 'either AUTH_JWKS_URL or AUTH_JWT_SECRET must be set with AUTH_ISSUER, and not both',
    url !== undefined && config.NODE_ENV === 'production' && !url.startsWith('https://') && 'AUTH_JWKS_URL must begin with https:// in production: keys that anyone between could change prove nothing'
  ].filter((line) => line !== false)
}

function productionChecks (config: Config): string[] {
  if (config.NODE_ENV !== 'production') return []
  // Without a database nothing else matters: one line, not a list.
  if (config.DATABASE_URL === undefined) return ['DATABASE_URL must be set in production: the embedded database is for development only']
  return [
    config.JWT_SECRET === undefined && 'JWT_SECRET must be set in production: at least 32 characters',
    config.SMTP_URL !== undefined && config.MAIL_FROM.endsWith('@localhost>') && 'MAIL_FROM must be set in production where SMTP_URL is: mail from localhost is refused',
    config.AUTH_DEV_HEADERS === true && 'AUTH_DEV_HEADERS must not be true in production: anyone could act as anyone'
  ].filter((line) => line !== false)
}

/** Whether a text is an origin just as a browser would send it: any other would never be met. */
function isOrigin (text: string): boolean {
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

function isTimeZone (name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

function explain (error: ErrorObject, given: Record<string, string | undefined>): string {
  const name = error.instancePath.slice(1)
  const schema = ConfigSchema.properties[name as keyof Config] as { secret?: boolean }
  return `${name} must be ${describeAllowed(schema)}${schema.secret ? '' : `, not ${JSON.stringify(given[name])}`}`
}

/** What a variable may be, in words: also used by the documentation table. */
export function describeAllowed (schema: object): string {
  const { type, enum: values, minimum, maximum, minLength, pattern, allowed } = schema as Record<string, any>
  if (allowed !== undefined) return allowed
  if (values !== undefined) return `one of ${values.join(', ')}`
  if (type === 'boolean') return 'true or false'
  if (type === 'integer') return maximum === undefined ? `an integer of ${minimum} or more` : `an integer from ${minimum} to ${maximum}`
  if (pattern === '^postgres(ql)?://') return 'a URL that begins with postgres:// or postgresql://'
  return minLength > 1 ? `at least ${minLength} characters` : 'a text that is not empty'
}
