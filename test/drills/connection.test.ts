import { once } from 'node:events'
import dns from 'node:dns'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { ConfigError, parseConfig, type Config } from '../../plugins/config.js'
import { causeOf } from '../../plugins/database/causes.js'
import { createPool, poolerOf } from '../../plugins/database/client.js'
import { makeCertificate, withCertificates } from '../certificates.js'
import { eventually, QUIET, startApp, type TestApp } from '../helper.js'
import { takeLog, type LogLine } from '../logs.js'

const CONNECTION = 'docs/runbook.md#issue-database-connection-failed'
const SLOW = 'docs/runbook.md#issue-high-response-times'
const SCHEMA = 'docs/runbook.md#issue-database-schema-mismatch'
const DOWN = 'docs/runbook.md#issue-service-is-down'
/** Whom refusals name: it must not show anywhere. */
const USER = 'eve.r.body'
const SSL_REQUEST = 80877103

/** How something that looks like PostgreSQL behaves: it lets one through, refuses, or has nothing to say about TLS. */
type Behaviour = 'forward' | { code: string, message: string }
interface Front { url: string, behave: (behaviour: Behaviour) => void, close: () => Promise<void>, open: () => Promise<void> }

/** PostgreSQL's ErrorResponse (manual, 55.7). */
function fatal ({ code, message }: { code: string, message: string }): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}

/** Something between an app and its PostgreSQL that can fail in every way. With a certificate it speaks TLS, as a pooler may. */
async function startFront (t: Test, url: string, certificate?: { key: string, cert: string }): Promise<Front> {
  const { hostname, port: serverPort } = new URL(url)
  let behaviour: Behaviour = 'forward'
  const sockets = new Set<Socket>()
  const keep = <S extends Socket>(socket: S): S => {
    sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  function serve (socket: Socket, first: Buffer): void {
    if (behaviour !== 'forward') {
      socket.end(fatal(behaviour))
      return
    }
    const behind = keep(connect({ host: hostname, port: Number(serverPort || 5432) }))
    behind.write(first)
    socket.pipe(behind).on('close', () => socket.destroy())
    behind.pipe(socket).on('close', () => behind.destroy())
  }
  const server = createServer((socket) => {
    keep(socket).once('data', (first) => {
      if (first.length !== 8 || first.readInt32BE(4) !== SSL_REQUEST) serve(socket, first)
      else if (certificate === undefined) socket.end('N')
      else {
        socket.write('S')
        const secure = keep(new TLSSocket(socket, { isServer: true, ...certificate }))
        secure.once('data', (startup) => serve(secure, startup))
      }
    })
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  const through = new URL(url)
  through.host = `127.0.0.1:${port}`
  const drop = () => { for (const socket of sockets) socket.destroy() }
  const front: Front = {
    url: through.href,
    behave (next) {
      behaviour = next
      drop()
    },
    async close () {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      drop()
      await closed
    },
    open: () => listen(port)
  }
  t.teardown(() => front.close())
  return front
}

async function appOn (t: Test, s: TestApp, changes: Partial<Config>): Promise<{ app: FastifyInstance, lines: LogLine[] }> {
  const app = await buildApp({ ...s.app.config, LOG_LEVEL: 'debug', ...changes })
  const lines = takeLog(app)
  await app.ready()
  t.teardown(() => app.close())
  return { app, lines }
}

/** Everything that an operator looks at says this cause, and where it is fixed; nothing says who or with what password. */
async function says (t: Test, { app, lines }: { app: FastifyInstance, lines: LogLine[] }, email: string, { code, runbook, problem = 'EDEN_DATABASE_UNAVAILABLE' }: { code: string, runbook: string, problem?: string }): Promise<void> {
  lines.length = 0
  const secrets = [USER, new URL(app.config.DATABASE_URL as string).password].filter((text) => text !== '')
  const { message } = await eventually(async () => {
    const { error } = (await app.inject('/api/debug/dbinfo')).json()
    return error?.code === code && error
  })
  const dbinfo = await app.inject('/api/debug/dbinfo')
  t.match(dbinfo.json(), { server: null, error: { code, message, runbook } })
  const ping = await app.inject('/db/ping')
  t.equal(ping.statusCode, 503)
  t.same(ping.json(), { db: 'error', error: `${message}; see ${runbook}` })
  const ready = await eventually(async () => {
    const answer = await app.inject('/api/health/ready')
    return answer.statusCode === 503 && answer.json().reason.includes(message) && answer
  })
  t.ok(ready.json().reason.includes(runbook))
  const asked = await app.inject({ url: '/api/projects', headers: { 'x-dev-email': email } })
  t.match(asked.json(), { status: 503, code: problem })
  t.ok(asked.headers['retry-after'])
  t.match(lines.find(({ msg }) => msg === 'request failed'), { cause: code, runbook, code: problem, request_id: asked.headers['x-request-id'] })
  const line = await eventually(async () => {
    await app.inject('/api/health/ready') // an answer serves all who ask within a second
    return lines.find(({ msg }) => msg === 'the database does not answer')
  })
  t.match(line, { cause: code, runbook })
  const everything = JSON.stringify([dbinfo.body, ping.body, ready.body, asked.body, lines])
  for (const secret of secrets) t.notOk(everything.includes(secret), 'no secret shows')
  t.equal((await app.inject('/api/health/live')).statusCode, 200)
}

async function recovers (t: Test, app: FastifyInstance, email: string): Promise<void> {
  await eventually(async () => (await app.inject('/api/health/ready')).statusCode === 200)
  await eventually(async () => (await app.inject({ url: '/api/projects', headers: { 'x-dev-email': email } })).statusCode === 200)
  t.equal((await app.inject('/db/ping')).statusCode, 200)
  await eventually(async () => (await app.inject('/api/debug/dbinfo')).json().error === null)
}

/** One database for all drills: each leaves it as it was. */
const s = await startApp(t)

await t.test('a database that refuses or is away: each way has a name, and ends by itself', async (t) => {
  const front = await startFront(t, s.url)
  const one = await appOn(t, s, { DATABASE_URL: front.url })
  await recovers(t, one.app, s.admin.email)

  await t.test('connection refused', async (t) => {
    await front.close()
    await says(t, one, s.admin.email, { code: 'connection_refused', runbook: CONNECTION })
    await front.open()
    await recovers(t, one.app, s.admin.email)
  })

  const refusals: Record<string, { code: string, message: string, cause: string, runbook?: string }> = {
    'wrong password': { code: '28P01', message: `password authentication failed for user "${USER}"`, cause: 'password_refused' },
    'Tenant or user not found': { code: 'XX000', message: 'Tenant or user not found', cause: 'tenant_unknown' },
    'the same, in newer words': { code: 'XX000', message: `(ENOTFOUND) tenant/user ${USER} not found`, cause: 'tenant_unknown' },
    'unknown database': { code: '3D000', message: `database "${USER}" does not exist`, cause: 'database_unknown' },
    'TLS demanded': { code: '28000', message: `no pg_hba.conf entry for host "127.0.0.1", user "${USER}", database "eden", no encryption`, cause: 'tls_required' },
    'too many connections': { code: '53300', message: 'sorry, too many clients already', cause: 'too_many_connections' },
    'a pooler that is full': { code: '08P01', message: 'no more connections allowed (max_client_conn)', cause: 'too_many_connections' },
    'starting up': { code: '57P03', message: 'the database system is starting up', cause: 'starting_up', runbook: DOWN }
  }
  for (const [name, { cause, runbook = CONNECTION, ...refusal }] of Object.entries(refusals)) {
    await t.test(name, async (t) => {
      front.behave(refusal)
      await says(t, one, s.admin.email, { code: cause, runbook })
      front.behave('forward')
      await recovers(t, one.app, s.admin.email)
    })
  }
})

await t.test('unknown host', async (t) => {
  const lookup = dns.lookup as (...args: any[]) => void
  const intercepted = (host: string, ...rest: any[]) => host.endsWith('.invalid')
    ? process.nextTick(rest.at(-1), Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: host }))
    : lookup(host, ...rest)
  dns.lookup = intercepted as typeof dns.lookup
  t.teardown(() => { dns.lookup = lookup as typeof dns.lookup })
  const url = new URL(s.url)
  url.hostname = 'db.eden.invalid'
  await says(t, await appOn(t, s, { DATABASE_URL: url.href }), s.admin.email, { code: 'host_unknown', runbook: CONNECTION })
})

await t.test('TLS refused, and a certificate that nobody knows', withCertificates, async (t) => {
  const certificate = await makeCertificate(t, 'IP:127.0.0.1')
  const demanding = (url: string) => {
    const changed = new URL(url)
    changed.searchParams.set('sslmode', 'require')
    return changed.href
  }
  const plain = await appOn(t, s, { DATABASE_URL: demanding((await startFront(t, s.url)).url) })
  await says(t, plain, s.admin.email, { code: 'tls_refused', runbook: CONNECTION })

  const secure = demanding((await startFront(t, s.url, certificate)).url)
  const strict = await appOn(t, s, { DATABASE_URL: secure })
  await says(t, strict, s.admin.email, { code: 'certificate_untrusted', runbook: CONNECTION })
  t.match((await strict.app.inject('/api/debug/dbinfo')).json().error.message, /DB_SSL_REJECT_UNAUTHORIZED=false/)

  const config = { ...s.app.config, DATABASE_URL: secure, DB_SSL_REJECT_UNAUTHORIZED: false }
  const pool = createPool(secure, config, poolerOf(secure, config))
  t.teardown(() => pool.end())
  t.same((await pool.query('select 1 as one')).rows, [{ one: 1 }], 'with DB_SSL_REJECT_UNAUTHORIZED=false it is taken')
})

await t.test('a deployment that is locked to a database does not start on another, and says which it found', async (t) => {
  const password = 'hunter2-hunter2'
  const refusal = (environment: Record<string, string>): ConfigError => {
    try {
      parseConfig({ ...QUIET, ...environment })
    } catch (error) {
      if (error instanceof ConfigError) return error
    }
    throw new Error('it was not refused')
  }
  const pooler = `postgres://postgres.abcdefghij:${password}@aws-1-ca-central-1.pooler.supabase.com:5432/postgres`
  const direct = `postgres://postgres:${password}@db.abcdefghij.supabase.co:5432/postgres`
  for (const url of [pooler, direct]) parseConfig({ ...QUIET, DATABASE_URL: url, EXPECTED_DB_PROJECT_REF: 'abcdefghij' })
  parseConfig({ ...QUIET, DATABASE_URL: pooler, EXPECTED_DB_HOST: 'db.abcdefghij.supabase.co,AWS-1-ca-central-1.pooler.supabase.com' })
  const wrong = [
    [refusal({ DATABASE_URL: direct, EXPECTED_DB_HOST: 'db.example.com' }), /^EXPECTED_DB_HOST expects db\.example\.com, and DATABASE_URL leads to db\.abcdefghij\.supabase\.co/],
    [refusal({ DATABASE_URL: pooler, EXPECTED_DB_PROJECT_REF: 'zyxwvu' }), /^EXPECTED_DB_PROJECT_REF expects zyxwvu, and DATABASE_URL leads to the project abcdefghij/],
    [refusal({ DATABASE_URL: `postgres://eden:${password}@10.0.0.5/eden`, EXPECTED_DB_PROJECT_REF: 'zyxwvu' }), /leads to 10\.0\.0\.5, which names no project/],
    [refusal({ DATABASE_URL: direct, DATABASE_SESSION_URL: `postgres://eden:${password}@10.0.0.5/eden`, EXPECTED_DB_HOST: 'db.abcdefghij.supabase.co' }), /^EXPECTED_DB_HOST .* DATABASE_SESSION_URL leads to 10\.0\.0\.5/]
  ] as const
  for (const [error, words] of wrong) {
    t.match(error.message, words)
    t.ok(error.message.includes(CONNECTION))
    t.notMatch(error.message, password)
    t.match(causeOf(error), { code: 'wrong_database', runbook: CONNECTION })
  }
  t.match(refusal({ EXPECTED_DB_HOST: 'db.example.com' }).message, /^DATABASE_URL must be set where EXPECTED_DB_HOST is/)
  t.match(refusal({ DATABASE_URL: 'postgres://eden:a/b#c@db.example.com:x/eden' }).message, /^DATABASE_URL must be a URL: special characters/)
})

await t.test('a transaction pooler is known by its port', async (t) => {
  const config = (url: string, more: Record<string, string> = {}) => parseConfig({ ...QUIET, DATABASE_URL: url, ...more })
  const plan = (url: string, more?: Record<string, string>) => {
    const { mode, namedStatements, listens } = poolerOf(url, config(url, more))
    return [mode(), namedStatements(), listens()]
  }
  const supabase = 'postgres://postgres.abcdefghij:x@aws-0-eu-west-1.pooler.supabase.com'
  t.same(plan(`${supabase}:6543/postgres`), ['transaction', false, false])
  t.same(plan(`${supabase}:5432/postgres`), ['session', true, true])
  t.same(plan('postgres://eden:x@10.0.0.5:6432/eden?pgbouncer=true'), ['transaction', false, false])
  t.same(plan('postgres://eden:x@10.0.0.5:6432/eden', { DB_POOLER: 'transaction' }), ['transaction', false, false])
  t.same(plan('postgres://eden:x@10.0.0.5:6432/eden', { DB_POOLER: 'transaction', DB_LISTEN: 'true', DB_PREPARED_STATEMENTS: 'true' }), ['transaction', true, true])
  t.same(plan('postgres://eden:x@10.0.0.5:6432/eden')[0], undefined, 'only its behaviour can tell')
})

await t.test('a pool that stays full: requests are refused in time, and it ends by itself', async (t) => {
  const one = await appOn(t, s, { DB_POOL_MAX: 1, DB_CONNECTION_TIMEOUT_MS: 500 })
  await recovers(t, one.app, s.admin.email)
  const held = await eventually(() => one.app.pool.connect().catch(() => undefined))
  const began = performance.now()
  const asked = await one.app.inject({ url: '/api/projects', headers: { 'x-dev-email': s.admin.email } })
  t.ok(performance.now() - began < 30_000)
  t.match(asked.json(), { status: 503, code: 'EDEN_POOL_EXHAUSTED' })
  await says(t, one, s.admin.email, { code: 'pool_exhausted', runbook: SLOW, problem: 'EDEN_POOL_EXHAUSTED' })
  held.release()
  await recovers(t, one.app, s.admin.email)
})

await t.test('a table or a column that is missing: a request fails without internals, the log has them', async (t) => {
  const one = await appOn(t, s, {})
  const ask = () => one.app.inject({ url: '/api/projects', headers: { 'x-dev-email': s.admin.email } })
  const drills = [
    ['table_missing', 'alter table projects rename to gone_away', 'alter table gone_away rename to projects'],
    ['column_missing', 'alter table projects rename column name to gone_away', 'alter table projects rename column gone_away to name']
  ] as const
  for (const [cause, breakIt, mendIt] of drills) {
    await s.query(breakIt)
    one.lines.length = 0
    const answer = await ask()
    t.match(answer.json(), { status: 500, code: 'EDEN_SCHEMA_MISMATCH', detail: 'the database is not of this release: an operator has to bring it up to date' })
    t.notMatch(answer.body, /relation|column|select|gone_away/i)
    t.match(one.lines.find(({ msg }) => msg === 'request failed'), { cause, runbook: SCHEMA, code: 'EDEN_SCHEMA_MISMATCH', request_id: answer.headers['x-request-id'] })
    t.equal((await one.app.inject('/db/ping')).statusCode, 200, 'the database itself answers')
    await s.query(mendIt)
    t.equal((await ask()).statusCode, 200)
  }
})

await t.test('in production the database is not described', async (t) => {
  const { app } = await appOn(t, s, { NODE_ENV: 'production' })
  const answer = await app.inject('/api/debug/dbinfo')
  t.match(answer.json(), { status: 404, code: 'EDEN_ROUTE_NOT_FOUND' })
})
