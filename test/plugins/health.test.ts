import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { emptyDatabase } from '../database.js'
import { QUIET, startApp } from '../helper.js'

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
  t.match((await s.app.inject('/api/health/ready')).json(), { ready: false, reason: 'under pressure' })
})

await t.test('a database before its first migration is named as such', async (t) => {
  const app = await appOn(t, await emptyDatabase(t as never))
  t.match((await app.inject('/api/health/ready')).json(), { ready: false, reason: /^migrations pending: \d{14}_helpers, / })
})

await t.test('a hundred probes ask the database once a second', async (t) => {
  const s = await startApp(t)
  let asked = 0
  s.app.onQuery(() => { asked++ })
  const began = performance.now()
  await Promise.all(Array.from({ length: 100 }, () => s.app.inject('/api/health/ready')))
  const seconds = Math.ceil((performance.now() - began) / 1000)
  t.ok(asked <= 1 + 2 * seconds, `${asked} statements in ${seconds} s, the poll for events among them`)
})
