import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t, { environment: { CORS_ORIGINS: 'https://app.example.com,https://other.example.com' } })

await t.test('a well-formed X-Request-Id is taken, another is replaced; it is in the answer and in the problem', async (t) => {
  const mine = await s.ask('GET', '/api/nothing', { headers: { 'x-request-id': 'trace-1.a:b_c' } })
  t.equal(mine.headers['x-request-id'], 'trace-1.a:b_c')
  t.equal(mine.json().request_id, 'trace-1.a:b_c')
  for (const bad of ['', 'a b', 'x'.repeat(101), '<script>']) {
    const answer = await s.ask('GET', '/api/nothing', { headers: { 'x-request-id': bad } })
    t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/, JSON.stringify(bad))
  }
})

await t.test('an unknown route is a 404 problem that names it, without its query', async (t) => {
  const answer = await s.ask('GET', '/api/nothing?token=hunter2')
  t.match(answer.headers['content-type'], /^application\/problem\+json(;|$)/)
  t.match(answer.json(), { type: 'urn:eden-erp:problem:EDEN_ROUTE_NOT_FOUND', title: 'Not Found', status: 404, code: 'EDEN_ROUTE_NOT_FOUND', instance: '/api/nothing' })
  t.notMatch(answer.body, 'hunter2')
})

await t.test('what goes wrong inside is a 500 that tells nothing of the inside', async (t) => {
  await s.query('alter table projects rename column description to gone')
  const answer = await s.ask('GET', '/api/projects')
  await s.query('alter table projects rename column gone to description')
  t.equal(answer.statusCode, 500)
  t.match(answer.json(), { code: 'EDEN_SCHEMA_MISMATCH', detail: /^the database is not of this release/ })
  t.notMatch(answer.body, /column|description|select|projects\b.*exist/i)
})

await t.test('what nobody thought of is one too', async (t) => {
  await s.query("create function fail_oddly() returns trigger language plpgsql as $$ begin raise exception 'the inside' using errcode = '0A000'; end $$")
  await s.query('create trigger fails_oddly before insert on companies execute function fail_oddly()')
  const answer = await s.ask('POST', '/api/companies', { body: { name: 'A company', kind: 'vendor' } })
  await s.query('drop trigger fails_oddly on companies')
  t.equal(answer.statusCode, 500)
  t.match(answer.json(), { code: 'EDEN_INTERNAL', detail: 'something went wrong here, not with the request' })
  t.notMatch(answer.body, /inside|0A000/)
})

await t.test('named origins may call with a preflight; others get no permission', async (t) => {
  const preflight = (origin: string) => s.app.inject({ method: 'OPTIONS', url: '/api/tasks', headers: { origin, 'access-control-request-method': 'PATCH' } })
  const allowed = await preflight('https://app.example.com')
  t.equal(allowed.headers['access-control-allow-origin'], 'https://app.example.com')
  t.match(allowed.headers['access-control-allow-methods'], /PATCH/)
  t.equal((await preflight('https://evil.example.com')).headers['access-control-allow-origin'], undefined)
})

await t.test('answers carry security headers, refusals too', async (t) => {
  for (const answer of [await s.ask('GET', '/api/projects'), await s.ask('GET', '/api/projects', { as: null })]) {
    t.match(answer.headers, { 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN', 'content-security-policy': /default-src 'self'/ })
  }
})

await t.test('a long answer is compressed for who can read it', async (t) => {
  const project = await s.addProject({ description: 'Rough-in before the slab pour. '.repeat(100) })
  const fetch = (encoding: string) => s.ask('GET', `/api/projects/${project.id}`, { headers: { 'accept-encoding': encoding } })
  const [br, gzip, plain] = [await fetch('br'), await fetch('gzip'), await fetch('identity')]
  t.equal(br.headers['content-encoding'], 'br')
  t.same(JSON.parse(brotliDecompressSync(br.rawPayload).toString()), plain.json())
  t.same(JSON.parse(gunzipSync(gzip.rawPayload).toString()), plain.json())
})
