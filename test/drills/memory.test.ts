/** The runbook's "Memory Leak": what the probes say while the heap of a real service fills up, what requests get, and that all is well again when it is free. */
import t from 'tap'
import { createTestDatabase, execute } from '../database.js'
import { eventually } from '../helper.js'
import { serve } from './served.js'

const ADMIN = '01900000-0000-7000-8000-000000000001'

await t.test('a heap that fills up is told, sheds requests at the end, and is well again when it is free', { timeout: 240_000 }, async (t) => {
  const url = await createTestDatabase(t)
  await execute(url, `insert into users (id, email, name) values ('${ADMIN}', 'admin@example.com', 'Ada Min')`, `insert into user_roles select '${ADMIN}', id from roles where slug = 'admin'`)
  const service = await serve({
    heapMebibytes: 480,
    environment: { DATABASE_URL: url, JWT_SECRET: 'a secret for drills only, at least 32 long', JOBS_ENABLED: 'false', LOG_LEVEL: 'info', PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0', PROBE_TIMEOUT_MS: '5000' }
  })
  t.teardown(() => service.end())
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`http://${service.address}${path}`, { headers, signal: AbortSignal.timeout(20_000) })
    return { status: answer.status, headers: answer.headers, text: await answer.text() }
  }
  const json = async (path: string) => JSON.parse((await ask(path)).text)
  const work = () => ask('/api/projects?limit=1', { 'x-dev-email': 'admin@example.com' })
  const system = async () => (await json('/api/health/detailed')).checks.system
  const alertsOf = async () => (await json('/api/health/status')).alerts.filter(({ name }: { name: string }) => name === 'memory_usage')

  await t.test('it is well at first', async (t) => {
    t.match(await system(), { status: 'healthy', message: /^[\d.]+ % of the memory that ends the process$/ })
    t.equal((await ask('/api/health/ready')).status, 200)
    t.equal((await work()).status, 200)
  })

  await t.test('above 75 % it is degraded, and serves', async (t) => {
    service.request({ heapShare: 0.82 })
    await eventually(async () => (await system()).status === 'degraded')
    const { memory, message } = await system()
    t.ok(memory.usagePercent > 75 && memory.usagePercent < 90, message)
    t.match(await json('/api/health/detailed'), { healthy: true, status: 'degraded' })
    t.match(await alertsOf(), [{ name: 'memory_usage', severity: 'warning', threshold: 75 }])
    t.equal((await ask('/api/health/ready')).status, 200)
    t.equal((await work()).status, 200)
    t.comment(`degraded: ${message}`)
  })

  await t.test('above 95 % requests are shed and say when to come back; probes and metrics answer', async (t) => {
    service.request({ heapShare: 0.965 })
    await eventually(async () => (await ask('/api/health/ready')).status === 503)
    const { reason } = await json('/api/health/ready')
    t.match(reason, /^under pressure: the heap is \d+ MiB of \d+ MiB allowed$/)
    const detailed = await json('/api/health/detailed')
    t.match(detailed, { healthy: false, status: 'unhealthy', checks: { system: { status: 'unhealthy', message: /^9[5-9][\d.]* % of the memory/ }, api: { status: 'unhealthy', message: /^under pressure: the heap/ } } })
    t.match(await alertsOf(), [{ name: 'memory_usage', severity: 'critical', threshold: 90 }])
    const shed = await work()
    t.equal(shed.status, 503)
    t.ok(Number(shed.headers.get('retry-after')) > 0)
    t.match(JSON.parse(shed.text), { code: 'EDEN_OVERLOADED', detail: 'the service is busy: try again shortly' })
    t.equal((await ask('/api/health/live')).status, 200, 'it is not to be killed for being full')
    const metrics = await ask('/metrics')
    t.equal(metrics.status, 200)
    t.ok(Number(/^eden_memory_usage_ratio ([\d.]+)$/m.exec(metrics.text)?.[1]) > 0.95)
    t.match(metrics.text, /^eden_ready 0$/m)
    t.comment(`ready: ${reason}; detailed: ${detailed.checks.system.message}; a request: ${shed.status}, Retry-After ${shed.headers.get('retry-after')}`)
  })

  await t.test('it is well again when it is free', async (t) => {
    service.request({ heapShare: 0 })
    await eventually(async () => (await ask('/api/health/ready')).status === 200)
    await eventually(async () => (await work()).status === 200)
    await eventually(async () => (await system()).status === 'healthy')
    t.same(await alertsOf(), [])
  })
  t.match(service.output(), /"code":"EDEN_OVERLOADED","cause":"overloaded","runbook":"docs\/runbook\.md#/, 'the log names the section of the runbook')
})
