/** How often one may ask: by whom it is counted, over several instances, and while the store of counts is away. */
import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { subjectOf } from '../../plugins/rate-limit/address.js'
import { Counters } from '../../plugins/rate-limit/counters.js'
import { eventually, JWT_SECRET, QUIET, startApp } from '../helper.js'
import { takeLog, type LogLine } from '../logs.js'

const s = await startApp(t)
let now = new Date('2026-03-06T12:00:10Z')
const LIMITS = { RATE_LIMIT_IDENTITY: '5', RATE_LIMIT_ADDRESS: '4', RATE_LIMIT_SIGN_IN: '3' }

/** One more instance on the database. Its clock stands still; `/test/sign-in` is a route at which passwords are tried. */
async function instance (t: Test, environment: Record<string, string> = {}): Promise<FastifyInstance> {
  const app = await buildApp(parseConfig({ ...QUIET, LOG_LEVEL: 'info', DATABASE_URL: s.url, JWT_SECRET, FILES_DIR: s.app.config.FILES_DIR, ...LIMITS, ...environment }), { clock: () => now })
  // `/docs/` is where a route may be public without a line in the list.
  app.get('/docs/test/sign-in', { config: { rateLimit: 'sign_in' } }, async () => 'tried')
  app.get('/docs/test/free', { config: { rateLimit: false } }, async () => 'free')
  await app.ready()
  logs.set(app, takeLog(app))
  t.teardown(() => app.close())
  return app
}
const logs = new Map<FastifyInstance, LogLine[]>()
const logOf = (app: FastifyInstance) => logs.get(app) as LogLine[]
const alone = await instance(t)
/** Each test has an address of its own. */
let last = 0
const anAddress = () => `198.51.100.${++last}`
const as = (email: string) => ({ 'x-dev-email': email })
async function ask (app: FastifyInstance, url: string, remoteAddress: string, headers: Record<string, string> = {}) {
  return app.inject({ url, remoteAddress, headers })
}
async function statuses (times: number, one: () => Promise<{ statusCode: number }>): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < times; i++) found.push((await one()).statusCode)
  return found
}

await t.test('a person has so many requests a minute, told by headers; then a 429 says when there are more', async (t) => {
  const app = alone
  const lines = logOf(app)
  const person = await s.addPerson('member')
  const address = anAddress()
  const first = await ask(app, '/api/me', address, as(person.email))
  t.match(first.headers, { 'ratelimit-policy': '"identity";q=5;w=60', ratelimit: '"identity";r=4;t=50' })
  t.same(await statuses(4, () => ask(app, '/api/me', address, as(person.email))), [200, 200, 200, 200])
  const refused = await ask(app, '/api/projects', address, as(person.email))
  t.match(refused.json(), { status: 429, code: 'EDEN_RATE_LIMITED', title: 'Too Many Requests', detail: 'too many requests: try again in 50 s' })
  t.match(refused.headers, { 'retry-after': '50', ratelimit: '"identity";r=0;t=50', 'content-type': /^application\/problem\+json/ })
  t.match(lines.find(({ security }) => security === 'rate_limited'), { policy: 'identity', user_id: person.id, ip: address })
  t.match((await app.inject('/metrics')).body, /^eden_security_events_total\{event="rate_limited"\} 1$/m)
  now = new Date(now.getTime() + 50_000)
  t.equal((await ask(app, '/api/me', address, as(person.email))).statusCode, 200, 'the next minute')
})

await t.test('colleagues behind one address do not limit each other, nor does a stranger there limit them; one person is one everywhere', async (t) => {
  const app = alone
  const [one, other] = [await s.addPerson('member'), await s.addPerson('member')]
  const office = anAddress()
  t.same(await statuses(6, () => ask(app, '/api/me', office, as(one.email))), [200, 200, 200, 200, 200, 429])
  t.same(await statuses(5, () => ask(app, '/api/me', office)), [401, 401, 401, 401, 429], 'nobody, by address')
  t.same(await statuses(2, () => ask(app, '/api/me', office, { authorization: 'Bearer a.b.c' })), [429, 429], 'failed, too')
  t.equal((await ask(app, '/api/me', office, as(other.email))).statusCode, 200)
  t.equal((await ask(app, '/api/me', anAddress(), as(one.email))).statusCode, 429)
  t.equal((await ask(app, '/api/me', anAddress())).statusCode, 401, 'nobody somewhere else')
})

await t.test('what is open counts by address, and what is served nowhere; probes, and routes that say so, are never limited', async (t) => {
  const app = alone
  const address = anAddress()
  t.same(await statuses(3, () => ask(app, '/nothing', address)), [404, 404, 404])
  t.match((await ask(app, '/openapi.json', address)).headers, { 'ratelimit-policy': '"address";q=4;w=60', ratelimit: /^"address";r=0;/ })
  t.same([(await ask(app, '/docs', address)).statusCode, (await ask(app, '/nothing', address)).statusCode], [429, 429])
  for (const probe of ['/health', '/api/health/live', '/api/health/ready', '/db/ping', '/metrics', '/api/health/status', '/docs/test/free']) {
    const answer = await ask(app, probe, address)
    t.equal(answer.statusCode, 200, probe)
    t.notHas(answer.headers, { ratelimit: String })
  }
})

await t.test('X-Forwarded-For buys no more requests; behind a trusted proxy each client has its own', async (t) => {
  const [plain, proxied] = [alone, await instance(t, { TRUST_PROXY: '10.0.0.1' })]
  const from = (app: FastifyInstance, peer: string) => { let n = 0; return () => ask(app, '/api/me', peer, { 'x-forwarded-for': `203.0.113.${n++}` }) }
  t.same(await statuses(5, from(plain, anAddress())), [401, 401, 401, 401, 429])
  t.same(await statuses(5, from(proxied, '10.0.0.1')), [401, 401, 401, 401, 401])
})

await t.test('an IPv6 address counts with its /64, and IPv4 in whatever form as itself', async (t) => {
  t.equal(subjectOf('2001:db8:1:2:3:4:5:6'), subjectOf('2001:db8:1:2:ffff::1'))
  t.not(subjectOf('2001:db8:1:2::1'), subjectOf('2001:db8:1:3::1'))
  t.equal(subjectOf('::ffff:198.51.100.7'), '198.51.100.7')
  t.equal(subjectOf('not an address: at all'), 'not an address: at all')
  const app = alone
  let n = 0
  t.same(await statuses(5, () => ask(app, '/api/me', `2001:db8:7:7::${++n}`)), [401, 401, 401, 401, 429])
})

await t.test('no limit is no header', async (t) => {
  const app = await instance(t, { RATE_LIMIT_IDENTITY: '0', RATE_LIMIT_ADDRESS: '0', RATE_LIMIT_SIGN_IN: '0' })
  for (const url of ['/api/me', '/docs/test/sign-in']) t.notHas((await ask(app, url, anAddress(), as(s.admin.email))).headers, { ratelimit: String })
})

await t.test('by default the limits are such that a page never meets them in production, nor a load test elsewhere', async (t) => {
  const policy = async (environment: Record<string, string>, headers: Record<string, string>) => (await ask(await instance(t, { RATE_LIMIT_IDENTITY: '', RATE_LIMIT_ADDRESS: '', RATE_LIMIT_SIGN_IN: '', ...environment }), '/api/me', anAddress(), headers)).headers['ratelimit-policy']
  const token = `Bearer ${s.app.jwt.sign({ sub: s.admin.id }, { iat: now.getTime() / 1000, expiresIn: '30000d' } as never)}`
  t.equal(await policy({ NODE_ENV: 'production' }, { authorization: token }), '"identity";q=1200;w=60')
  t.equal(await policy({ NODE_ENV: 'production' }, {}), '"address";q=300;w=60')
  t.equal(await policy({}, as(s.admin.email)), '"identity";q=1200000;w=60')
})

/** What instances share, whatever it is that they share it by. */
async function sharing (t: Test, environment: Record<string, string>): Promise<void> {
  const [a, b] = [await instance(t, environment), await instance(t, environment)]
  await eventually(async () => { // Redis is connected to behind the scenes
    await Promise.all([a, b].map((app) => ask(app, '/docs/test/sign-in', anAddress())))
    return a.rateLimits.isShared() && b.rateLimits.isShared()
  })
  await t.test('attempts to sign in count exactly over all instances, also at once', async (t) => {
    const address = anAddress()
    const tries = await Promise.all(Array.from({ length: 20 }, (_, i) => ask([a, b][i % 2] as FastifyInstance, '/docs/test/sign-in', address)))
    t.equal(tries.filter(({ statusCode }) => statusCode === 200).length, 3)
    t.equal(tries.filter(({ statusCode }) => statusCode === 429).length, 17)
    t.match(tries.find(({ statusCode }) => statusCode === 429)?.headers, { 'ratelimit-policy': '"sign_in";q=3;w=60', 'retry-after': String })
    t.equal((await ask(b, '/docs/test/sign-in', anAddress())).statusCode, 200, 'another address')
    t.equal((await ask(b, '/api/me', address)).statusCode, 401, 'a limit of its own')
  })
  await t.test('other requests are known to the others after the next exchange', async (t) => {
    const person = await s.addPerson('member')
    const me = (app: FastifyInstance) => ask(app, '/api/me', anAddress(), as(person.email))
    t.same(await statuses(3, () => me(a)), [200, 200, 200])
    await a.rateLimits.sync()
    t.equal((await me(b)).statusCode, 200, 'the first one there asks on trust')
    await b.rateLimits.sync()
    t.same(await statuses(2, () => me(b)), [200, 429])
  })
  await t.test('a minute that is over counts no more', async (t) => {
    const address = anAddress()
    await statuses(4, () => ask(a, '/docs/test/sign-in', address))
    now = new Date(now.getTime() + 60_000)
    t.match((await ask(b, '/docs/test/sign-in', address)).headers, { ratelimit: /^"sign_in";r=2;/ })
  })
}

await t.test('PostgreSQL', async (t) => {
  const environment = { RATE_LIMIT_STORE: 'postgres' }
  await sharing(t, environment)

  await t.test('costs a signed-in request no statement, and what is refused none at all', async (t) => {
    const app = await instance(t, environment)
    const address = anAddress()
    const queries = async (times: number, one: () => Promise<{ statusCode: number }>) => {
      const before = logOf(app).length
      await statuses(times, one)
      return logOf(app).slice(before).filter(({ msg }) => msg === 'request').map(({ db_queries: count }) => count)
    }
    t.same(await queries(4, () => ask(app, '/api/me', address, as(s.admin.email))), [2, 2, 2, 2], 'the person, and what is asked for')
    t.same(await queries(50, () => ask(app, '/docs/test/sign-in', address)), [...Array(3).fill(1), ...Array(47).fill(0)])
  })

  await t.test('keeps no address and no name, and forgets minutes that are over', async (t) => {
    const rows = await s.query('select *, pg_column_size(bucket) as size from rate_buckets')
    t.ok(rows.length > 0 && rows.every(({ bucket, size }) => /^[\w-]{22}$/.test(bucket) && size < 30))
    t.equal((await s.query("select relpersistence from pg_class where relname = 'rate_buckets'"))[0].relpersistence, 'u', 'not in the WAL')
    const app = await instance(t, environment)
    const [{ over }] = await s.query('select count(*)::int as over from rate_buckets where expires_at < $1', [now])
    t.same(await app.jobs.runNow('expire_rate_buckets'), { buckets: over })
    t.same(await s.query('select 1 from rate_buckets where expires_at < $1', [now]), [])
  })

  await t.test('when it does not answer, each instance counts for itself, nobody gets a 500, and it is told once', async (t) => {
    const app = await instance(t, environment)
    const lines = logOf(app)
    const address = anAddress()
    await s.query('alter table rate_buckets rename to rate_buckets_away')
    t.same(await statuses(5, () => ask(app, '/docs/test/sign-in', address)), [200, 200, 200, 429, 429])
    await app.rateLimits.sync()
    t.match((await app.inject('/metrics')).body, /^eden_rate_limits_shared 0$/m)
    await s.query('alter table rate_buckets_away rename to rate_buckets')
    await app.rateLimits.sync()
    t.match((await app.inject('/metrics')).body, /^eden_rate_limits_shared 1$/m)
    t.same(lines.filter(({ msg }) => msg.includes('rate limits')).map(({ level, msg }) => [level, msg]), [
      [40, 'the store of rate limits does not answer: this instance counts for itself'], [30, 'rate limits are shared between instances again']
    ])
    t.equal((await ask(await instance(t, environment), '/docs/test/sign-in', address)).statusCode, 429, 'what was counted meanwhile was handed in')
  })
})

const redis = spawnSync('redis-server', ['--version']).error === undefined
if (!redis && process.env['CI'] !== undefined) throw new Error('CI is to have a redis-server')
await t.test('Redis', { skip: redis ? false : 'redis-server is not installed' }, async (t) => {
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
  const start = () => spawn('redis-server', ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--requirepass', 'hunter2'], { stdio: 'ignore' })
  let server = start()
  t.teardown(() => { server.kill('SIGKILL') })
  const environment = { RATE_LIMIT_STORE: 'redis', REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` }
  await sharing(t, environment)

  await t.test('when it is away, at the start or later, each instance counts for itself until it is back', async (t) => {
    server.kill('SIGKILL')
    await once(server, 'exit')
    const app = await instance(t, environment)
    const lines = logOf(app)
    const address = anAddress()
    t.same(await statuses(4, () => ask(app, '/docs/test/sign-in', address)), [200, 200, 200, 429])
    t.equal(app.rateLimits.isShared(), false)
    server = start()
    await eventually(async () => {
      await app.rateLimits.sync()
      return app.rateLimits.isShared()
    })
    t.notMatch(JSON.stringify(lines), 'hunter2')
  })
})

await t.test('a store that never answers holds up nobody for long, and what it was told late is not counted twice here', async (t) => {
  const told: (string | undefined)[] = []
  const counters = new Counters({ windowMs: 60_000, now: () => 0, store: { add: () => new Promise(() => {}), close: async () => {} }, tell: (error) => told.push(error?.message) })
  t.match(await counters.hitExactly('a', 9), { count: 1, resetMs: 60_000 })
  t.same(told, ['no answer within 1000 ms'])
  t.equal(counters.hit('a').count, 2)
})

await t.test('a flood of addresses takes no more memory than it may', async (t) => {
  const counters = new Counters({ windowMs: 60_000, now: () => 0, tell: () => {} })
  counters.hit('first')
  for (let i = 0; i < 100_000; i++) counters.hit(`address ${i}`)
  t.equal(counters.hit('first').count, 1, 'the oldest was forgotten')
  t.equal(counters.hit('address 99999').count, 2)
})

await t.test('Redis wants a URL, which is never repeated', async (t) => {
  t.throws(() => parseConfig({ RATE_LIMIT_STORE: 'redis' }), { message: 'REDIS_URL must be set with RATE_LIMIT_STORE=redis' })
  t.throws(() => parseConfig({ RATE_LIMIT_STORE: 'redis', REDIS_URL: `http://${randomUUID()}` }), { message: 'REDIS_URL must be a URL that begins with redis:// or rediss://' })
})
