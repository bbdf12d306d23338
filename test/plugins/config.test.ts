import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { configurationTable, envExample } from '../../commands/describe-config.js'
import { ConfigError, ConfigSchema, parseConfig } from '../../plugins/config.js'

const root = path.join(import.meta.dirname, '..', '..')
const refusal = (environment: Record<string, string>): string[] => {
  try {
    parseConfig(environment)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
}

await t.test('an empty environment is a development configuration', async (t) => {
  t.match(parseConfig({}), { NODE_ENV: 'development', HOST: '127.0.0.1', PORT: 3000, DB_POOL_MAX: 10, DB_SSL_REJECT_UNAUTHORIZED: true })
})

await t.test('values are numbers and booleans where the schema says so, and an empty one is not set', async (t) => {
  t.match(parseConfig({ PORT: '8080', DB_SSL_REJECT_UNAUTHORIZED: 'false', LOG_LEVEL: '' }), { PORT: 8080, DB_SSL_REJECT_UNAUTHORIZED: false, LOG_LEVEL: 'info' })
})

await t.test('each wrong variable gets one line that says what it was allowed to be', async (t) => {
  t.same(refusal({ PORT: '70000', LOG_LEVEL: 'loud', DB_POOL_MAX: 'many', DB_SSL_REJECT_UNAUTHORIZED: 'maybe', CORS_ORIGINS: 'example.com' }).sort(), [
    'CORS_ORIGINS must be a list of origins like https://app.example.com, separated by commas, not "example.com"',
    'DB_POOL_MAX must be an integer from 1 to 1000, not "many"',
    'DB_SSL_REJECT_UNAUTHORIZED must be true or false, not "maybe"',
    'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, not "loud"',
    'PORT must be an integer from 0 to 65535, not "70000"'
  ])
})

await t.test('a secret is never repeated in a message', async (t) => {
  const lines = refusal({ JWT_SECRET: 'hunter2', DATABASE_URL: 'mysql://eden:hunter2@db/eden', METRICS_TOKEN: 'hunter2' })
  t.equal(lines.length, 3)
  t.notMatch(lines.join(), 'hunter2')
})

await t.test('production wants a database and a secret, and refuses development headers', async (t) => {
  const good = { NODE_ENV: 'production', DATABASE_URL: 'postgres://db/eden', JWT_SECRET: 'x'.repeat(32) }
  t.same(refusal(good), [])
  t.match(refusal({ NODE_ENV: 'production' }), [/^DATABASE_URL must be set in production/])
  t.match(refusal({ ...good, JWT_SECRET: '' }), [/^JWT_SECRET must be set in production/])
  for (const value of ['true', '1', 'yes']) t.match(refusal({ ...good, AUTH_DEV_HEADERS: value }), [/^AUTH_DEV_HEADERS must/])
})

await t.test('production is what is called so, and nothing that is nearly called so is a development machine', async (t) => {
  const rest = { DATABASE_URL: 'postgres://db/eden', JWT_SECRET: 'x'.repeat(32) }
  for (const value of ['Production', 'PRODUCTION', ' production', 'production ', 'production\n', 'prod', 'live', 'staging', 'Development', 'dev', 'undefined', 'null', '0', ' ', 'production,development', 'prodüction']) {
    t.same(refusal({ ...rest, NODE_ENV: value }), [`NODE_ENV must be one of development, test, production, not ${JSON.stringify(value)}`])
  }
  t.match(refusal({ ...rest, NODE_ENV: '' }), [/^NODE_ENV must be one of development, test, production, or not be set; it is empty$/])
  for (const value of ['true', 'TRUE', 'True', '1', 'yes', 'on', ' true', 'true ', '"true"', 'false,true', '2', 'null', 'undefined']) {
    t.match(refusal({ ...rest, NODE_ENV: 'production', AUTH_DEV_HEADERS: value }), [/^AUTH_DEV_HEADERS must/], value)
  }
  for (const value of ['false', '']) t.same(refusal({ ...rest, NODE_ENV: 'production', AUTH_DEV_HEADERS: value }), [], value)
})

await t.test('a second secret is another one, beside the first', async (t) => {
  const [one, other] = ['x'.repeat(32), 'y'.repeat(32)]
  t.same(refusal({ JWT_SECRET: one, JWT_SECRET_OTHER: other }), [])
  t.match(refusal({ JWT_SECRET_OTHER: other }), [/^JWT_SECRET_OTHER must not be set without JWT_SECRET$/])
  t.match(refusal({ JWT_SECRET: one, JWT_SECRET_OTHER: one }), [/^JWT_SECRET_OTHER must differ/])
  t.same(refusal({ JWT_SECRET: one, JWT_SECRET_OTHER: 'hunter2' }), ['JWT_SECRET_OTHER must be at least 32 characters'])
})

await t.test('files in S3 want a bucket and a key, which is never repeated; types are media types', async (t) => {
  t.same(refusal({ FILES_STORAGE: 's3', S3_BUCKET: 'files', S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'hunter2' }), [])
  t.same(refusal({ FILES_STORAGE: 's3' }), ['S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'].map((name) => `${name} must be set with FILES_STORAGE=s3`))
  t.same(refusal({ S3_ENDPOINT: 'minio:9000', ATTACHMENT_TYPES_DENIED: 'exe' }).sort(), [
    'ATTACHMENT_TYPES_DENIED must be a list of media types like image/png or image/*, separated by commas, not "exe"',
    'S3_ENDPOINT must be a URL that begins with http:// or https://, not "minio:9000"'
  ])
})

await t.test('origins are whole ones, as browsers send them; a wildcard is none', async (t) => {
  t.same(refusal({ CORS_ORIGINS: 'https://app.example.com,http://localhost:5173,http://[::1]:3000' }), [])
  for (const wrong of ['*', 'null', 'https://*', 'https://*.example.com', 'https://app.example.com/', 'https://app.example.com/x', 'https://App.example.com', 'https://app.example.com:443', 'https://a:b@example.com', 'https://a.example.com,', 'https://a.example.com, https://b.example.com', 'ftp://a.example.com']) {
    t.match(refusal({ CORS_ORIGINS: wrong }), [/^CORS_ORIGINS must be a list of origins/], wrong)
  }
})

await t.test('proxies are trusted by their addresses, never by a number, and never all of them', async (t) => {
  for (const good of ['', '127.0.0.1', 'loopback', '10.0.0.0/8,192.168.1.7', '::1,fd00::/8', 'uniquelocal']) t.same(refusal({ TRUST_PROXY: good }), [], good)
  for (const wrong of ['true', '1', '*', '0.0.0.0/0', '::/0', '10.0.0.0/33', '10.1', '0x7f.1', 'proxy.example.com', '10.0.0.1, 10.0.0.2', '10.0.0.1,']) t.match(refusal({ TRUST_PROXY: wrong }), [/^TRUST_PROXY must be addresses/], wrong)
})

await t.test('.env.example and the documentation name every variable, as the schema has it', async (t) => {
  t.equal(await readFile(path.join(root, '.env.example'), 'utf8'), envExample(), 'run `npm run docs:config`')
  t.equal(await readFile(path.join(root, 'docs', 'configuration.md'), 'utf8'), configurationTable(), 'run `npm run docs:config`')
  const named = [...envExample().matchAll(/^# ([A-Z\d_]+)=/gm)].map(([, name]) => name)
  t.same(named, Object.keys(ConfigSchema.properties))
})
