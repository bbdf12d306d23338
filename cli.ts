import { withDatabase } from './commands/development-database.js'
import { demoReset } from './commands/demo-reset.js'
import { push, rollback, status } from './commands/migrate.js'
import { ConfigError, parseConfig, readEnvironment, type Config } from './plugins/config.js'
import { causeOf, explain } from './plugins/database/causes.js'

/** Resolves to false when it did what was asked and what it found is not good: the exit code is 1 then, as for an error. */
type Command = (config: Config, argv: string[]) => Promise<void | boolean>

/** The URL in which every way to connect finds what DB_SSL_REJECT_UNAUTHORIZED says. */
function withTrust (url: string, { DB_SSL_REJECT_UNAUTHORIZED: known }: Config): string {
  const parsed = new URL(url)
  if (!known && parsed.searchParams.has('sslmode') && parsed.searchParams.get('sslmode') !== 'disable') parsed.searchParams.set('sslmode', 'no-verify')
  return parsed.href
}

const onDatabase = (work: (url: string, argv: string[], config: Config) => Promise<void | boolean>): Command =>
  (config, argv) => withDatabase(config, console.log, (url) => work(withTrust(url, config), argv, config))

/** The same for what needs a session: by DATABASE_SESSION_URL where that is set. */
const onSession = (work: (url: string, argv: string[], config: Config) => Promise<void | boolean>): Command =>
  onDatabase((url, argv, config) => work(withTrust(config.DATABASE_SESSION_URL ?? url, config), argv, config))

/** Everything that an npm script runs. What a command alone needs is loaded by it alone. */
const commands: Record<string, { summary: string, run: Command }> = {
  'db:push': { summary: 'apply pending migrations', run: onSession(push) },
  'db:status': { summary: 'say which migrations are applied', run: onSession(status) },
  'db:rollback': { summary: 'take back the newest migration', run: onSession(rollback) },
  'check:migrations': { summary: 'refuse migrations that a running release could not live with', run: async () => (await import('./commands/check-migrations/index.js')).checkReleaseMigrations() },
  'db:introspect': { summary: 'tables, indexes, sizes, and drift from the migrations: --table NAME, --json', run: onSession(async (url, argv) => (await import('./commands/introspect/index.js')).introspect(url, argv, console.log)) },
  'db:verify': { summary: 'check that the data agrees with itself: --json', run: onSession(async (url, argv) => (await import('./commands/verify/index.js')).verify(url, argv, console.log)) },
  'db:maintain': { summary: 'vacuum, analyze, repair indexes, make partitions: --all', run: onSession(async (url, argv) => (await import('./commands/maintain/index.js')).maintain(url, argv, console.log)) },
  'db:backup': { summary: 'write the database, or some tables, into a file: --help', run: onSession(async (url, argv) => (await import('./commands/backup/backup.js')).backup(url, argv, console.log)) },
  'db:restore': { summary: 'restore what db:backup wrote: --file PATH, --help', run: onSession(async (url, argv) => (await import('./commands/backup/restore.js')).restore(url, argv, console.log)) },
  'audit:verify': { summary: 'check that the audit log is as it was sealed: --root BLOCK:ROOT, --json', run: onSession(async (url, argv, { AUDIT_SEAL_KEY: key }) => (await import('./commands/audit-verify.js')).auditVerify(url, argv, key, console.log)) },
  'db:types': { summary: 'write the Kysely types and the schema of the migrated database', run: onSession(async (url) => (await import('./commands/generate-types.js')).writeTypes(url)) },
  job: { summary: 'do a scheduled job now: its name', run: (config, argv) => withDatabase(config, console.error, async (url, secret) => (await import('./commands/job.js')).runJob({ ...config, DATABASE_URL: url, JWT_SECRET: config.JWT_SECRET ?? secret }, argv)) },
  seed: { summary: 'fill the database with the demo company: --tasks N, --seed N', run: onSession(async (url, argv, config) => (await import('./commands/seed.js')).seed(url, argv, config)) },
  'user:create-admin': { summary: 'make somebody an administrator: e-mail, name, --link', run: (config, argv) => withDatabase(config, console.error, async (url, secret) => (await import('./commands/create-admin.js')).createAdmin({ ...config, DATABASE_URL: url, JWT_SECRET: config.JWT_SECRET ?? secret }, argv)) },
  'docs:config': { summary: 'write .env.example and docs/configuration.md', run: async () => (await import('./commands/describe-config.js')).writeConfigDocs() },
  'docs:api': { summary: 'write docs/api-summary.md', run: async () => (await import('./commands/describe-api.js')).writeApiSummary() },
  token: {
    summary: 'print an access token for a person: their e-mail address',
    run: (config, argv) => withDatabase(config, console.error, async (url, secret) => {
      if (secret === undefined) throw new ConfigError('JWT_SECRET must be set: it signs the token')
      await (await import('./commands/token.js')).printToken(url, secret, argv)
    })
  },
  'demo:reset': { summary: 'remove the embedded database', run: (config) => demoReset(config.EDEN_DATA_DIR, console.log) }
}

process.stdout.on('error', () => {}) // whoever reads, such as `head`, may have read enough

const [name = '', ...argv] = process.argv.slice(2)
const command = commands[name]
if (command === undefined) {
  console.error(['usage: npm run <command> [-- options]', ...Object.entries(commands).map(([command, { summary }]) => `  ${command.padEnd(17)} ${summary}`)].join('\n'))
  process.exitCode = 2
} else {
  try {
    if (await command.run(parseConfig(readEnvironment()), argv) === false) process.exitCode = 1
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    const cause = causeOf(error)
    if (cause.code !== 'other' && !(error instanceof ConfigError)) console.error(explain(cause))
    process.exitCode = 1
  }
}
