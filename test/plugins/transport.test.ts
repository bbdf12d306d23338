import { createHash } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t, { environment: { CORS_ORIGINS: 'https://app.example.com,http://localhost:5173' } })

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

await t.test('pages of named origins may call, with credentials; a preflight is remembered', async (t) => {
  const preflight = await s.app.inject({ method: 'OPTIONS', url: '/api/tasks', headers: { origin: 'https://app.example.com', 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization,if-match' } })
  t.equal(preflight.statusCode, 204)
  t.match(preflight.headers, { 'access-control-allow-origin': 'https://app.example.com', 'access-control-allow-credentials': 'true', 'access-control-allow-methods': /PATCH/, 'access-control-allow-headers': /\bAuthorization\b.*\bIf-Match\b/, 'access-control-max-age': '7200', vary: /\bOrigin\b/ })
  for (const as of [s.admin, null]) {
    const { headers } = await s.ask('GET', '/api/projects', { as, headers: { origin: 'http://localhost:5173' } })
    t.match(headers, { 'access-control-allow-origin': 'http://localhost:5173', 'access-control-expose-headers': /\bETag\b.*\bRateLimit\b/, vary: /\bOrigin\b/ }, 'refusals too: a page should see why')
  }
})

await t.test('pages of any other origin are told nothing but that it depends on the origin', async (t) => {
  const others = ['https://evil.example.com', 'https://app.example.com.evil.com', 'https://evil-app.example.com', 'https://app.example.com:8443', 'http://app.example.com', 'https://APP.example.com', 'https://app.example.com/', 'https://app.example.com@evil.com', 'http://localhost:51730', 'null', '*', 'https://app.example.com,https://other.example.com', 'https://app.example.com https://evil.com', '']
  for (const origin of others) {
    for (const answer of [
      await s.ask('GET', '/api/projects', { headers: { origin } }),
      await s.app.inject({ method: 'OPTIONS', url: '/api/tasks', headers: { origin, 'access-control-request-method': 'PATCH' } })
    ]) {
      t.same(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-')), [], origin)
      t.match(answer.headers.vary, /\bOrigin\b/)
    }
  }
})

await t.test('answers carry security headers, refusals and what is served nowhere too', async (t) => {
  for (const answer of [await s.ask('GET', '/api/projects'), await s.ask('GET', '/api/projects', { as: null }), await s.ask('GET', '/nothing'), await s.ask('GET', '/health')]) {
    t.match(answer.headers, { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin' }, answer.body)
    t.equal(answer.headers['content-security-policy'], "default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'none'")
    t.notHas(answer.headers, { 'strict-transport-security': String, 'x-powered-by': String, server: String })
  }
  t.match((await s.ask('GET', '/api/tasks/%ZZ')).headers, { 'x-content-type-options': 'nosniff', 'content-security-policy': "default-src 'none'" }, 'what comes before any hook too')
  const production = await startApp(t, { environment: { NODE_ENV: 'production' } })
  t.equal((await production.ask('GET', '/health')).headers['strict-transport-security'], 'max-age=31536000; includeSubDomains')
})

await t.test('no shared cache keeps an answer: one to a GET is asked for again, one to a change not kept at all', async (t) => {
  const project = await s.addProject()
  const { headers } = await s.ask('GET', `/api/projects/${project.id}`)
  t.equal(headers['cache-control'], 'private, no-cache')
  const again = await s.ask('GET', `/api/projects/${project.id}`, { headers: { 'if-none-match': String(headers.etag) } })
  t.match([again.statusCode, again.headers['cache-control']], [304, 'private, no-cache'])
  for (const answer of [await s.ask('POST', '/api/projects', { body: { code: 'CACHE', name: 'x' } }), await s.ask('PATCH', '/api/me', { body: {} }), await s.ask('POST', '/api/me', { as: null })]) t.equal(answer.headers['cache-control'], 'no-store')
})

await t.test('/docs is a page whose policy allows all that it is made of, and nothing inline', async (t) => {
  const page = await s.ask('GET', '/docs', { as: null })
  t.match(page.headers, { 'content-type': /^text\/html/ })
  const policy = Object.fromEntries(String(page.headers['content-security-policy']).split(';').map((directive) => directive.split(' ')).map(([name, ...values]) => [name, values]))
  const bundles = await Promise.all(['bundle', 'standalone-preset'].map((name) => s.ask('GET', `/docs/static/swagger-ui-${name}.js`, { as: null })))
  const logoStyles = bundles.flatMap(({ body }) => [...body.matchAll(/createElement\("style",null,"([^"]+)"\)/g)]).map(([, style]) => `'sha256-${createHash('sha256').update(style as string).digest('base64')}'`)
  t.equal(logoStyles.length, 1, 'the style elements that the page makes')
  t.same(policy, { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"], 'base-uri': ["'none'"], 'form-action': ["'none'"], 'script-src': ["'self'"], 'style-src': ["'self'", ...logoStyles], 'img-src': ["'self'", 'data:'], 'font-src': ["'self'"], 'connect-src': ["'self'"] })
  t.notMatch(page.body, /<style|<script(?![^>]*\ssrc=)[^>]*>|\son\w+=|\sstyle=|<base|<iframe|<form|https?:\/\//i, 'no inline script, style, handler, form, or address elsewhere')
  t.notMatch(page.body.replaceAll(/<script[^>]*>\s*<\/script>/g, ''), '<script', 'scripts have no text of their own')
  const assets = [...page.body.matchAll(/\s(?:src|href)="([^"]+)"/g)].map(([, url]) => url as string)
  t.ok(assets.length >= 6)
  const types: Record<string, RegExp> = { js: /javascript/, css: /^text\/css/, png: /^image\/png/ }
  for (const url of assets) {
    const path = new URL(url, 'http://here/docs')
    t.equal(path.origin, 'http://here')
    const asset = await s.ask('GET', path.pathname, { as: null })
    t.equal(asset.statusCode, 200, url)
    t.match(asset.headers['content-type'], types[path.pathname.split('.').at(-1) as string], 'as nosniff wants it')
    if (path.pathname.endsWith('.css')) t.notMatch(asset.body, /@import|url\((?!["']?data:)/i, 'styles load nothing')
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
