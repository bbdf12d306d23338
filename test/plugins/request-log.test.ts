import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { currentRequest } from '../../plugins/request-context.js'
import { eventually, formWith, startApp, type TestApp } from '../helper.js'
import { takeLog, type LogLine } from '../logs.js'

const s = await startApp(t, { environment: { LOG_LEVEL: 'debug' } })
const lines = takeLog(s.app)

/** Statements by the request on whose behalf they were sent, counted beside the service; nobody's have no id. */
const sent = new Map<string | undefined, number>()
s.app.onQuery(() => {
  const id = currentRequest()?.id
  sent.set(id, (sent.get(id) ?? 0) + 1)
})

/** One request and its line. */
async function lineOf (...[method, path, options]: Parameters<TestApp['ask']>): Promise<{ line: LogLine, status: number, id: string }> {
  const answer = await s.ask(method, path, options)
  await s.app.events.settled()
  const id = String(answer.headers['x-request-id'])
  const found = lines.filter(({ msg, request_id: of }) => msg === 'request' && of === id)
  if (found.length !== 1) throw new Error(`${found.length} lines of ${method} ${path}`)
  return { line: found[0] as LogLine, status: answer.statusCode, id }
}
const isMilliseconds = (value: unknown) => typeof value === 'number' && value >= 0 && value < 60_000

const project = await s.addProject()
const task = await s.addTask(project.id)

await t.test('an answer has one line: who asked for what, what came of it, and what it cost', async (t) => {
  const { line, id } = await lineOf('GET', `/api/projects/${project.id}?`, { as: s.member })
  const { level, time, pid, hostname, duration_ms: duration, db_ms: database, ...rest } = line
  t.same(rest, { request_id: id, user_id: s.member.id, method: 'GET', route: '/api/projects/:id', status: 200, db_queries: 2, msg: 'request' }, 'two statements: the person and the project')
  t.equal(level, 30)
  t.ok(Math.abs(Date.now() - Number(time)) < 60_000 && typeof pid === 'number' && typeof hostname === 'string')
  t.ok(isMilliseconds(duration) && isMilliseconds(database) && database > 0)
})

await t.test('a refusal has its code; who is nobody has no user id; what is served nowhere has no route', async (t) => {
  t.match((await lineOf('GET', '/api/projects/01900000-0000-7000-8000-00000000dead')).line, { status: 404, code: 'EDEN_NOT_FOUND', route: '/api/projects/:id' })
  const nobody = await lineOf('GET', '/api/projects', { as: null })
  t.match(nobody.line, { status: 401, code: 'EDEN_UNAUTHENTICATED', db_queries: 0 })
  t.notHas(nobody.line, { user_id: String })
  const nowhere = await lineOf('GET', '/api/nowhere?q=1')
  t.match(nowhere.line, { status: 404, code: 'EDEN_ROUTE_NOT_FOUND' })
  t.notHas(nowhere.line, { route: String })
  t.notMatch(JSON.stringify(nowhere.line), 'nowhere')
})

await t.test('the caller\'s own request id is used when it is one, and never otherwise', async (t) => {
  t.equal((await lineOf('GET', '/api/me', { headers: { 'x-request-id': 'call-1.2:3' } })).id, 'call-1.2:3')
  for (const bad of ['a b', 'x'.repeat(101), '{"level":60}']) t.not((await lineOf('GET', '/api/me', { headers: { 'x-request-id': bad } })).id, bad)
})

await t.test('the statements of a request are counted: with a body, in a transaction, in an upload, and when it is refused', async (t) => {
  const requests: Record<string, Parameters<TestApp['ask']>> = {
    'a read': ['GET', `/api/projects/${project.id}/tasks?count=true`],
    'a body': ['POST', `/api/projects/${project.id}/tasks`, { body: { title: 'Counted' } }],
    'a transaction': ['POST', '/api/projects', { body: { code: 'ONCE', name: 'Once' }, headers: { 'idempotency-key': 'log-1' } }],
    'a transaction that is repeated': ['POST', '/api/projects', { body: { code: 'ONCE', name: 'Once' }, headers: { 'idempotency-key': 'log-1' } }],
    'a transaction that is taken back': ['POST', '/api/projects', { body: { code: 'once', name: 'Twice' }, headers: { 'idempotency-key': 'log-2' } }],
    'a change': ['PATCH', `/api/tasks/${task.id}`, { body: { title: 'Changed' }, headers: { 'if-match': `"${task.version}"` } }],
    'an upload': ['POST', `/api/tasks/${task.id}/attachments`, formWith('some bytes', 'plan.txt')],
    'a body that is refused': ['POST', '/api/projects', { body: { nonsense: true } }]
  }
  const counts: Record<string, number> = {}
  for (const [name, request] of Object.entries(requests)) {
    const { line, id, status } = await lineOf(...request)
    counts[name] = line['db_queries']
    t.equal(line['db_queries'], sent.get(id) ?? 0, `${name}: ${status}, ${line['db_queries']} statements`)
    t.equal(line['status'], status, name)
    t.equal(line['db_ms'] > 0, line['db_queries'] > 0, name)
  }
  t.equal(counts['a body'], 3, 'the person, the project, and the task with its event')
  t.ok(Number(counts['a transaction']) >= 6, 'begin, lock, key, work, memory, commit')
  t.ok(Number(counts['an upload']) >= 4)
  t.equal(counts['a body that is refused'], 1, 'the person')
})

await t.test('a body that comes in pieces over a connection is one request still', async (t) => {
  await s.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = s.app.server.address() as AddressInfo
  const outgoing = request({ port, host: '127.0.0.1', method: 'POST', path: `/api/projects/${project.id}/tasks`, headers: { 'x-dev-email': s.admin.email, 'content-type': 'application/json', 'x-request-id': 'in-pieces' } })
  outgoing.write('{ "title": ')
  await eventually(async () => sent.has('in-pieces')) // who it is has been asked
  outgoing.end('"In pieces" }')
  const [answer] = await once(outgoing, 'response')
  t.equal(answer.statusCode, 201)
  answer.resume()
  await eventually(async () => lines.some(({ msg, request_id: id }) => msg === 'request' && id === 'in-pieces'))
  t.equal(lines.find(({ msg, request_id: id }) => msg === 'request' && id === 'in-pieces')?.['db_queries'], 3)
  t.equal(sent.get('in-pieces'), 3)
})

await t.test('requests at once are not mixed up', async (t) => {
  const many = await Promise.all(Array.from({ length: 30 }, (_, n) => n % 3 === 0
    ? lineOf('POST', '/api/projects', { body: { code: `MANY-${n}`, name: 'Many' }, headers: { 'idempotency-key': `many-${n}` } })
    : n % 3 === 1 ? lineOf('GET', '/api/me', { as: s.viewer }) : lineOf('GET', `/api/projects/${project.id}`, { as: s.member })))
  t.same([...new Set(many.filter((_, n) => n % 3 === 1).map(({ line }) => `${line['user_id']} ${line['route']} ${line['db_queries']}`))].length, 1)
  for (const [n, { line, id }] of many.entries()) {
    t.equal(line['db_queries'], sent.get(id) ?? 0)
    t.equal(line['user_id'], [s.admin, s.viewer, s.member][n % 3]?.id)
  }
})

await t.test('what a change sets off, jobs and polls ask on nobody\'s behalf', async (t) => {
  await s.app.events.settled()
  const before = sent.get(undefined) ?? 0
  const { line } = await lineOf('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'It is numbered' } })
  t.equal(line['db_queries'], 3)
  const after = sent.get(undefined) ?? 0
  t.ok(after > before, 'numbering its event is not its own work')
  await s.app.jobs.runNow('expire_idempotency_keys')
  t.ok(Number(sent.get(undefined)) > after)
  t.ok([...sent.keys()].every((id) => id === undefined || lines.some(({ msg, request_id: of }) => msg === 'request' && of === id)), 'whoever is counted for has a line')
})

await t.test('a probe is quiet while it is good, and loud when it is not', async (t) => {
  t.equal((await lineOf('GET', '/api/health/ready', { as: null })).line.level, 20, 'debug')
  t.equal((await lineOf('GET', '/api/health/live', { as: null })).line.level, 20)
  s.app.beginShutdown()
  const { line } = await lineOf('GET', '/api/health/ready', { as: null })
  t.match(line, { level: 30, status: 503, route: '/api/health/ready' })
})
