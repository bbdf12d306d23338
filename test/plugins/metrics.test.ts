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

await t.test('a failed statement is counted as one', async (t) => {
  const s = await startApp(t)
  await s.ask('GET', '/api/projects/01900000-0000-7000-8000-00000000dead/tasks')
  await s.addProject({ code: 'TWICE' })
  t.equal((await s.ask('POST', '/api/projects', { body: { code: 'twice', name: 'Again' } })).statusCode, 409)
  t.match((await s.app.inject('/metrics')).body, /eden_db_query_duration_seconds_count\{operation="raw",outcome="error"\} 1/)
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
