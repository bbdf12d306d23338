import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { emptyDatabase } from '../database.js'
import { eventually, QUIET, startApp } from '../helper.js'

async function closedPort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
async function appOn (t: Test, url: string) {
  const app = await buildApp(parseConfig({ ...QUIET, DATABASE_URL: url }))
  t.teardown(() => app.close())
  return app
}

await t.test('a healthy instance says so on every probe, without an identity', async (t) => {
  const { app } = await startApp(t)
  const timestamp = /^\d{4}-.*Z$/
  for (const url of ['/health', '/api/health']) t.same((await app.inject(url)).json(), { status: 'ok' })
  t.match((await app.inject('/api/health/live')).json(), { alive: true, timestamp })
  t.match((await app.inject('/api/health/ready')).json(), { ready: true, timestamp })
  t.match((await app.inject('/api/health/quick')).json(), { healthy: true, status: 'healthy', timestamp })
  t.match((await app.inject('/db/ping')).json(), { db: 'ok', rows: [{ ok: 1 }], latency_ms: Number })
  t.match((await app.inject('/version')).json(), { name: 'eden-erp', version: /^\d+\.\d+\.\d+$/, node: process.version, schema: /^\d{14}_/ })
})

await t.test('without a database it lives, is not ready, and names a cause without a secret', async (t) => {
  const app = await appOn(t, `postgres://eden:hunter2@127.0.0.1:${await closedPort()}/eden`)
  t.equal((await app.inject('/api/health/live')).statusCode, 200)
  const ready = await app.inject('/api/health/ready')
  t.equal(ready.statusCode, 503)
  t.match(ready.json(), { ready: false, reason: /^database unreachable: connection refused/ })
  t.match((await app.inject('/api/health/quick')).json(), { healthy: false, status: 'unhealthy' })
  const ping = await app.inject('/db/ping')
  t.equal(ping.statusCode, 503)
  t.match(ping.json(), { db: 'error', error: /connection refused/ })
  t.notMatch(ready.body + ping.body, 'hunter2')
  t.match((await app.inject('/version')).json(), { name: 'eden-erp', schema: null })
  const asked = await app.inject({ url: '/api/projects', headers: { 'x-dev-email': 'admin@example.com' } })
  t.equal(asked.statusCode, 503)
  t.match(asked.json(), { code: 'EDEN_DATABASE_UNAVAILABLE' })
  t.equal(asked.headers['retry-after'], '1')
})

await t.test('a wrong password and a wrong database are told apart', async (t) => {
  const { url } = await startApp(t)
  const wrong = (change: (url: URL) => void) => {
    const changed = new URL(url)
    change(changed)
    return changed.href
  }
  const noDatabase = await appOn(t, wrong((u) => { u.pathname = '/nowhere' }))
  t.match((await noDatabase.inject('/db/ping')).json(), { error: /does not exist/ })
})

await t.test('pending migrations are named', async (t) => {
  const s = await startApp(t)
  await s.query('delete from kysely_migration where name like \'%_system_roles\'')
  await eventually(async () => (await s.app.inject('/api/health/ready')).statusCode === 503) // an answer serves all who ask within a second
  t.match((await s.app.inject('/api/health/ready')).json(), { ready: false, reason: /^migrations pending: \d{14}_system_roles$/ })
})

await t.test('an instance that shuts down is not ready, and still serves', async (t) => {
  const s = await startApp(t)
  s.app.beginShutdown()
  t.match((await s.app.inject('/api/health/ready')).json(), { ready: false, reason: 'shutting down' })
  t.equal((await s.ask('GET', '/api/projects')).statusCode, 200)
})

await t.test('under pressure requests are shed with Retry-After, probes and metrics answer', async (t) => {
  const s = await startApp(t, { environment: { PRESSURE_MAX_RSS_BYTES: '1' } })
  while (!s.app.isUnderPressure()) await new Promise((resolve) => setImmediate(resolve)) // its first sample takes a moment
  const shed = await s.ask('GET', '/api/projects')
  t.equal(shed.statusCode, 503)
  t.equal(shed.headers['retry-after'], '5')
  t.match(shed.json(), { code: 'EDEN_OVERLOADED' })
  for (const url of ['/health', '/api/health/live', '/db/ping', '/metrics', '/version']) t.equal((await s.app.inject(url)).statusCode, 200, url)
  t.match((await s.app.inject('/api/health/ready')).json(), { ready: false, reason: /^under pressure: memory is \d+ MiB of 0 MiB allowed$/ })
})

await t.test('a database before its first migration is named as such', async (t) => {
  const app = await appOn(t, await emptyDatabase(t as never))
  t.match((await app.inject('/api/health/ready')).json(), { ready: false, reason: /^migrations pending: \d{14}_helpers, / })
})

await t.test('a hundred probes of every kind ask the database once a second', async (t) => {
  const s = await startApp(t, { environment: { PROBE_TIMEOUT_MS: '30000' } })
  let asked = 0
  s.app.onQuery(({ operation }) => { if (operation === 'raw') asked++ })
  const began = performance.now()
  const urls = ['/api/health/ready', '/api/health/quick', '/api/health/detailed', '/db/ping', '/version']
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => s.app.inject(urls[i % urls.length] as string)))
  t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
  const seconds = Math.ceil((performance.now() - began) / 1000)
  t.ok(asked <= 1 + 3 * seconds, `${asked} statements in ${seconds} s, those of the poll for events among them`)
})

await t.test('detailed health has every field of the contract, in numbers', async (t) => {
  const s = await startApp(t, { environment: { PROBE_TIMEOUT_MS: '30000', DB_SLOW_QUERY_MS: '60000' } })
  const answer = await s.app.inject('/api/health/detailed')
  t.equal(answer.statusCode, 200)
  const check = { healthy: true, status: 'healthy', message: String }
  t.match(answer.json(), {
    healthy: true,
    status: 'healthy',
    timestamp: /Z$/,
    duration: Number,
    checks: {
      database: { ...check, responseTime: Number, dbTime: /Z$/, pool: { total: Number, idle: Number, waiting: 0, max: 5 } },
      schema: { ...check, tableCount: Number, columnCount: Number, missingTables: [], missingColumns: [], pendingMigrations: [] },
      api: { ...check, uptime: Number, responseTime: Number, eventLoopDelay: Number, memory: { heapUsed: Number, heapTotal: Number, rss: Number, external: Number } },
      system: { ...check, memory: { heapUsed: Number, heapTotal: Number, heapLimit: Number, rss: Number, usagePercent: Number }, cpu: { user: Number, system: Number, percent: Number }, pid: process.pid, nodeVersion: process.version },
      environment: { ...check, required: { configured: ['DATABASE_URL', 'JWT_SECRET'], missing: [] }, optional: { configured: Number, total: Number }, nodeEnv: 'test' }
    }
  })
  const { checks } = answer.json()
  t.ok(checks.system.memory.usagePercent < 50, 'percent of what ends the process, not of the heap as it happens to be')
  t.ok(checks.schema.tableCount > 20 && checks.schema.columnCount > 200)
})

await t.test('status is health, metrics and alerts in one', async (t) => {
  const s = await startApp(t, { environment: { PROBE_TIMEOUT_MS: '30000' } })
  const { health, metrics, alerts } = (await s.app.inject('/api/health/status')).json()
  t.match([health.status, metrics.requests.total, alerts], [String, Number, []])
})

await t.test('a required variable that is missing outside production is named', async (t) => {
  const { url } = await startApp(t)
  const app = await appOn(t, url)
  t.match((await app.inject('/api/health/detailed')).json().checks.environment, { healthy: true, status: 'degraded', message: /^not set: JWT_SECRET/, required: { configured: ['DATABASE_URL'], missing: ['JWT_SECRET'] } })
})

await t.test('a database that is ahead of this release is served; what it no longer has is worth a look', async (t) => {
  const s = await startApp(t, { environment: { PROBE_TIMEOUT_MS: '30000' } })
  await s.query("insert into kysely_migration values ('29991231000000_of_later', now()::text)")
  await s.query('alter table contacts drop column phone')
  await eventually(async () => (await s.app.inject('/api/health/detailed')).json().checks.schema.status === 'degraded')
  t.equal((await s.app.inject('/api/health/ready')).statusCode, 200)
  t.match((await s.app.inject('/api/health/detailed')).json(), { healthy: true, status: 'degraded', checks: { schema: { status: 'degraded', missingColumns: ['contacts.phone'], message: /ahead of this release/ } } })
})

await t.test('downtime is an alert from its first minute, critical from the fifth, and over when it is', async (t) => {
  let now = new Date('2026-11-28T12:00:00Z')
  const s = await startApp(t, { clock: () => now })
  const downtime = async () => (await s.app.alerts()).find(({ name }) => name === 'service_downtime')
  t.equal(await downtime(), undefined)
  s.app.beginShutdown() // one way not to be ready; it has no way back, so that the last step asks another instance
  t.equal(await downtime(), undefined, 'not at once')
  now = new Date('2026-11-28T12:01:30Z')
  t.same(await downtime(), { name: 'service_downtime', severity: 'warning', value: 1.5, threshold: 1, since: now.toISOString() })
  now = new Date('2026-11-28T12:05:30Z')
  t.match(await downtime(), { severity: 'critical', value: 5.5, threshold: 5, since: now.toISOString() })
  now = new Date('2026-11-28T12:07:00Z')
  t.match(await downtime(), { severity: 'critical', value: 7, since: '2026-11-28T12:05:30.000Z' }, 'since when it exceeds that threshold')
})
