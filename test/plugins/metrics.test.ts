import t from 'tap'
import { startApp } from '../helper.js'

await t.test('requests are counted by route template, statements by kind, connections by state', async (t) => {
  const s = await startApp(t)
  const project = await s.addProject()
  await s.get(`/api/projects/${project.id}`)
  const { body, headers } = await s.app.inject('/metrics')
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  t.match(body, /http_request_duration_seconds_count\{method="GET",route="\/api\/projects\/:id",status_code="200"\} 1/)
  t.match(body, /eden_db_query_duration_seconds_count\{operation="select",outcome="ok"\} \d+/)
  for (const state of ['active', 'idle', 'waiting', 'max']) t.match(body, new RegExp(`eden_db_pool_connections\\{state="${state}"\\} \\d+`))
  t.match(body, /process_resident_memory_bytes \d+/)
  t.notMatch(body, project.id, 'no label grows with traffic')
})

await t.test('a statement that fails is told from one that the client should not have asked for', async (t) => {
  const s = await startApp(t)
  await s.addProject({ code: 'TWICE' })
  t.equal((await s.ask('POST', '/api/projects', { body: { code: 'twice', name: 'Again' } })).statusCode, 409)
  await s.query('alter table companies rename to elsewhere')
  t.equal((await s.ask('GET', '/api/companies')).statusCode, 500)
  const { body } = await s.app.inject('/metrics')
  t.match(body, /eden_db_query_duration_seconds_count\{operation="raw",outcome="refused"\} 1/)
  t.match(body, /eden_db_query_duration_seconds_count\{operation="select",outcome="error"\} 1/)
  const { errors, errorRate } = (await s.app.inject('/api/health/metrics')).json().database
  t.equal(errors, 1)
  t.ok(errorRate > 0 && errorRate < 50)
})

await t.test('people and Prometheus are told the same', async (t) => {
  const s = await startApp(t)
  const project = await s.addProject()
  for (let i = 0; i < 5; i++) await s.get(`/api/projects/${project.id}`)
  await s.ask('GET', '/api/projects/01900000-0000-7000-8000-00000000dead')
  await s.ask('GET', '/api/nowhere')
  await s.query('alter table companies rename to elsewhere')
  const failed = await s.ask('GET', '/api/companies?q=a%20secret')
  const { requests, errors, database, responseTime } = (await s.app.inject('/api/health/metrics')).json()
  const { body } = await s.app.inject('/metrics')
  const sumOf = (name: string, labels = '') => [...body.matchAll(new RegExp(`^${name}\\{?([^}\\n]*)\\}? ([\\d.e+-]+)$`, 'gm'))].filter(([, found]) => found?.includes(labels)).reduce((sum, [,, value]) => sum + Number(value), 0)

  t.equal(requests.total, sumOf('http_request_duration_seconds_count') - 1, 'all but the question for the metrics itself')
  t.equal(requests.byMethod.POST, sumOf('http_request_duration_seconds_count', 'method="POST"'))
  t.equal(requests.byStatus['404'], sumOf('http_request_duration_seconds_count', 'status_code="404"'))
  t.equal(requests.byStatus['404'], 2)
  t.match(requests.topPaths[0], { path: '/api/projects/:id', count: 6, avg: Number })
  t.ok(requests.rate > 0)
  t.equal(errors.total, sumOf('eden_errors_total'))
  t.same(errors.byType, { EDEN_SCHEMA_MISMATCH: 1 })
  t.match(errors.recent, [{ timestamp: /Z$/, type: 'EDEN_SCHEMA_MISMATCH', message: String, route: 'GET /api/companies', requestId: failed.headers['x-request-id'] }])
  t.notMatch(JSON.stringify(errors), 'secret')
  t.ok(errors.rate > 0 && errors.percent > 1)
  t.equal(database.errors, sumOf('eden_db_query_duration_seconds_count', 'outcome="error"'))
  t.equal(database.errors, 1)
  t.ok(database.queries > 0 && database.avgQueryTime > 0)
  t.same(database.connections, { ...database.connections, max: 5 })
  for (const statistic of ['avg', 'min', 'max', 'p50', 'p95', 'p99']) {
    t.ok(Math.abs(responseTime.sinceStart[statistic] - 1000 * sumOf('eden_response_time_seconds', `statistic="${statistic}",over="start"`)) < 0.01, statistic)
  }
  t.ok(responseTime.min <= responseTime.p50 && responseTime.p50 <= responseTime.p95 && responseTime.p95 <= responseTime.max && responseTime.avg > 0)
})

await t.test('an error rate and slow answers are alerts, by the table of thresholds, and told alike to both', async (t) => {
  const s = await startApp(t)
  t.same(await s.app.alerts(), [])
  for (let i = 0; i < 97; i++) s.app.recorder.answer({ isProbe: false, failed: false, milliseconds: 5 })
  for (let i = 0; i < 3; i++) s.app.recorder.answer({ isProbe: false, failed: true, milliseconds: 60_000 })
  s.app.recorder.answer({ isProbe: true, failed: true, milliseconds: 60_000 })
  const { alerts } = (await s.app.inject('/api/health/status')).json()
  t.match(alerts, [
    { name: 'response_time_avg', severity: 'warning', value: 1804.85, threshold: 1000, since: /Z$/ },
    { name: 'error_rate', severity: 'warning', value: 3, threshold: 1 }
  ])
  const { body } = await s.app.inject('/metrics')
  t.match(body, 'eden_alert{name="error_rate",severity="warning"} 1')
  t.match(body, 'eden_alert{name="error_rate",severity="critical"} 0')
})

await t.test('OpenMetrics is served to who asks for it', async (t) => {
  const s = await startApp(t)
  const { body, headers } = await s.app.inject({ url: '/metrics', headers: { accept: 'application/openmetrics-text; version=1.0.0' } })
  t.match(headers['content-type'], /^application\/openmetrics-text; version=1\.0\.0/)
  t.match(body, /# EOF\n$/)
  t.notMatch(body, /_total_total/)
})

await t.test('with METRICS_TOKEN only its bearer reads', async (t) => {
  const METRICS_TOKEN = 'a token of some length'
  const s = await startApp(t, { environment: { METRICS_TOKEN } })
  const status = async (authorization?: string) => (await s.app.inject({ url: '/metrics', headers: authorization === undefined ? {} : { authorization } })).statusCode
  t.same([await status(), await status('Bearer wrong'), await status(`Bearer ${METRICS_TOKEN}`)], [401, 401, 200])
})

await t.test('two apps in one process count apart', async (t) => {
  const [a, b] = [await startApp(t), await startApp(t)]
  await a.get('/api/me')
  t.match((await a.app.inject('/metrics')).body, 'route="/api/me"')
  t.notMatch((await b.app.inject('/metrics')).body, 'route="/api/me"')
})
