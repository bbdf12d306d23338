#!/usr/bin/env node
// Whether a running Eden ERP does what it should: checks in order, `ok` or `FAIL` for each, and exit code 1 when one failed.
// Plain Node 20, no dependency, no build.
//
//   TEST_BASE_URL=https://erp.example.com node scripts/prod-smoke-test.js [--require-sign-in]
//
//   TEST_BASE_URL        the service; without it http://127.0.0.1:PORT, PORT being 3000 unless set
//   SMOKE_TOKEN          an access token for the checks that need an identity
//   SMOKE_EMAIL          without a token: who to be by the development header; default admin@edenmep.ca. Production ignores
//                        that header: then these checks are skipped, unless --require-sign-in makes that a failure
//   SMOKE_METRICS_TOKEN  what METRICS_TOKEN is there, where it is set
//   SMOKE_TIMEOUT_MS     the longest that one check may take; default 5000
//
// It leaves no data behind. Every change in this API is recorded for ever, so no write can be undone without a trace.
// Writes are therefore made that must be refused, each one step further in than the last: a body that is not valid (400,
// behind sign-in and permission), a task in a project that is not there (404, behind the schema, by the database), and a
// change with an If-Match that cannot be right (412, by the very statement that changes a row, which finds and locks it).
// That last change, by the way, changes a title to what it is.

const base = (process.env.TEST_BASE_URL || `http://127.0.0.1:${process.env.PORT || 3000}`).replace(/\/+$/, '')
const timeout = Number(process.env.SMOKE_TIMEOUT_MS || 5000)
const requireSignIn = process.argv.includes('--require-sign-in')
const token = process.env.SMOKE_TOKEN
const email = process.env.SMOKE_EMAIL || 'admin@edenmep.ca'
const identity = token ? { authorization: `Bearer ${token}` } : { 'x-dev-email': email }
const nobody = '00000000-0000-7000-8000-000000000000'

const totals = { ok: 0, failed: 0, skipped: 0 }

/** Why a check does not apply here. */
class Skip extends Error {}

function expect (condition, message) {
  if (!condition) throw new Error(message)
}

/** One request within the time-out of a check, its body included; redirects are not followed. */
async function ask (path, { method = 'GET', headers = {}, body, signal }) {
  const answer = await fetch(base + path, {
    method, signal, redirect: 'manual', headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers }, body: body === undefined ? undefined : JSON.stringify(body)
  })
  const text = await answer.text()
  let json
  try { json = JSON.parse(text) } catch { json = undefined }
  return { status: answer.status, headers: answer.headers, text, json }
}

function expectStatus ({ status, json }, wanted) {
  expect(status === wanted, `answered ${status}${json?.reason ?? json?.error ?? json?.detail ? ` (${String(json.reason ?? json.error ?? json.detail).slice(0, 200)})` : ''}, not ${wanted}`)
}

/** That each path of `shape` is there with its type: 'number', 'string', 'boolean', 'array', 'object', or a value. */
function expectShape (json, shape) {
  for (const [path, wanted] of Object.entries(shape)) {
    const value = path.split('.').reduce((part, key) => part?.[key], json)
    const type = Array.isArray(value) ? 'array' : typeof value
    expect(['number', 'string', 'boolean', 'array', 'object'].includes(wanted) ? type === wanted && value !== null : value === wanted, `${path} is ${JSON.stringify(value)?.slice(0, 80)}, not ${wanted}`)
  }
}

/** Refusals are problem details with a code that can be looked up. */
function expectProblem (answer, status) {
  expectStatus(answer, status)
  expect(answer.headers.get('content-type')?.startsWith('application/problem+json'), `the refusal is ${answer.headers.get('content-type')}, not application/problem+json`)
  expectShape(answer.json, { status, title: 'string', code: 'string', request_id: 'string' })
}

async function check (name, work) {
  const started = performance.now()
  const controller = new AbortController()
  let timer
  const expired = new Promise((resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeout} ms`))
      controller.abort()
    }, timeout)
  })
  let outcome = 'ok'
  let reason = ''
  try {
    await Promise.race([work((path, options = {}) => ask(path, { ...options, signal: controller.signal })), expired])
  } catch (error) {
    outcome = error instanceof Skip ? 'skip' : 'FAIL'
    reason = `: ${error.cause?.code ?? error.cause?.message ?? error.message}`
  } finally {
    clearTimeout(timer)
  }
  totals[outcome === 'ok' ? 'ok' : outcome === 'skip' ? 'skipped' : 'failed']++
  console.log(`${outcome.padEnd(4)}  ${name.padEnd(24)} ${String(Math.round(performance.now() - started)).padStart(6)} ms${reason}`)
  return outcome === 'ok'
}

/** A GET that must answer 200 with a shape. */
const shape = (name, path, wanted) => check(name, async (ask) => {
  const answer = await ask(path)
  expectStatus(answer, 200)
  expectShape(answer.json, wanted)
})

async function checkOperations () {
  await shape('live', '/api/health/live', { alive: true, timestamp: 'string' })
  await shape('ready', '/api/health/ready', { ready: true, timestamp: 'string' })
  await shape('quick', '/api/health/quick', { healthy: true, status: 'string', timestamp: 'string' })
  await shape('detailed', '/api/health/detailed', {
    healthy: true, status: 'string', duration: 'number', 'checks.database.healthy': true, 'checks.database.pool': 'object', 'checks.schema.healthy': true, 'checks.schema.missingTables': 'array', 'checks.api.healthy': true, 'checks.api.memory': 'object', 'checks.system.healthy': true, 'checks.system.memory.usagePercent': 'number', 'checks.environment.healthy': true
  })
  await shape('metrics', '/api/health/metrics', {
    uptime: 'number', 'requests.total': 'number', 'requests.byStatus': 'object', 'responseTime.avg': 'number', 'responseTime.p95': 'number', 'errors.total': 'number', 'errors.recent': 'array', 'database.queries': 'number', 'database.connections.max': 'number', 'system.memory': 'object', 'system.nodeVersion': 'string'
  })
  await shape('status', '/api/health/status', { 'health.status': 'string', 'metrics.requests.total': 'number', alerts: 'array' })
  await shape('db/ping', '/db/ping', { db: 'ok', rows: 'array', latency_ms: 'number' })
  await shape('health', '/health', { status: 'ok' })
  await shape('version', '/version', { name: 'eden-erp', version: 'string', node: 'string' })
  await shape('openapi.json', '/openapi.json', { openapi: 'string', paths: 'object', 'info.title': 'string' })
  await check('prometheus', async (ask) => {
    const secret = process.env.SMOKE_METRICS_TOKEN
    const answer = await ask('/metrics', { headers: secret ? { authorization: `Bearer ${secret}` } : {} })
    if (answer.status === 401 && !secret) throw new Skip('wants a token: set SMOKE_METRICS_TOKEN')
    expectStatus(answer, 200)
    expect(/^process_cpu_seconds_total /m.test(answer.text), 'process_cpu_seconds_total is not among the metrics')
  })
}

async function checkRefusals () {
  await check('401 without identity', async (ask) => { expectProblem(await ask('/api/projects'), 401) })
  await check('404 as a problem', async (ask) => { expectProblem(await ask('/nothing-of-this-name'), 404) })
  await check('security headers', async (ask) => {
    const { headers } = await ask('/api/health/live')
    expect(headers.get('x-content-type-options') === 'nosniff', 'X-Content-Type-Options is not nosniff')
    expect(headers.has('content-security-policy'), 'there is no Content-Security-Policy')
    expect(headers.has('x-frame-options'), 'there is no X-Frame-Options')
    expect(!headers.has('x-powered-by'), 'X-Powered-By tells what it runs on')
  })
}

/** Whether the target takes our identity; says which, or why nothing that needs one is checked. */
async function signIn () {
  const name = token ? 'sign-in by token' : 'sign-in by header'
  let taken = false
  await check(name, async (ask) => {
    const answer = await ask('/api/projects?limit=1', { headers: identity })
    const how = token ? 'SMOKE_TOKEN is refused' : `the development header for ${email} is not taken (production ignores it): set SMOKE_TOKEN`
    if (answer.status === 401 && !token && !requireSignIn) throw new Skip(`${how}; nothing that needs an identity is checked`)
    expect(answer.status !== 401, how)
    expectStatus(answer, 200)
    expect(Array.isArray(answer.json), 'the answer is no list of projects')
    taken = true
  })
  return taken
}

async function checkSignedIn () {
  const list = (name, path) => check(name, async (ask) => {
    const answer = await ask(path, { headers: identity })
    expectStatus(answer, 200)
    expect(Array.isArray(answer.json), 'the answer is no list')
  })
  await list('projects', '/api/projects?limit=5')
  await list('tasks', '/api/tasks?limit=5')
  for (const report of ['tasks/status', 'tasks/ball', 'tasks/priority', 'tasks/overdue', 'activity/recent']) await list(`report ${report}`, `/api/reports/${report}`)

  await check('write: invalid', async (ask) => { expectProblem(await ask('/api/projects', { method: 'POST', headers: identity, body: {} }), 400) })
  await check('write: unknown project', async (ask) => { expectProblem(await ask(`/api/projects/${nobody}/tasks`, { method: 'POST', headers: identity, body: { title: 'Smoke test' } }), 404) })
  await check('write: stale', async (ask) => {
    const { json: [task] } = await ask('/api/tasks?limit=1', { headers: identity })
    if (task === undefined) throw new Skip('there is no task to change')
    expectProblem(await ask(`/api/tasks/${task.id}`, { method: 'PATCH', headers: { ...identity, 'if-match': '"0"' }, body: { title: task.title } }), 412)
  })
}

if (!/^https?:\/\//.test(base) || !(timeout > 0)) {
  console.error('TEST_BASE_URL is a URL that begins with http:// or https://, SMOKE_TIMEOUT_MS a number of milliseconds')
  process.exit(2)
}
console.log(`smoke test of ${base}, at most ${timeout} ms for each check`)
await checkOperations()
await checkRefusals()
if (await signIn()) await checkSignedIn()
console.log(`\n${totals.ok} ok, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(totals.failed === 0 ? 0 : 1)
