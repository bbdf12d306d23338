import { createHmac } from 'node:crypto'
import Fastify from 'fastify'
import t from 'tap'
import { JWT_SECRET, startApp } from '../helper.js'

const s = await startApp(t)
const me = async (headers: Record<string, string>, app = s.app) => {
  const answer = await app.inject({ url: '/api/me', headers })
  return answer.statusCode === 200 ? answer.json().email : answer.statusCode
}
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token made by hand, so that it can be wrong in any way. */
function token (claims: object, { alg = 'HS256', secret = JWT_SECRET } = {}): string {
  const signed = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${alg === 'none' ? '' : createHmac('sha256', secret).update(signed).digest('base64url')}`
}
const now = Math.floor(Date.now() / 1000)
const good = { sub: s.member.id, iss: 'eden-erp', exp: now + 600 }

await t.test('the development e-mail decides; the id serves when no e-mail is sent', async (t) => {
  t.equal(await me({ 'x-dev-email': s.member.email }), s.member.email)
  t.equal(await me({ 'x-dev-email': s.member.email.toUpperCase() }), s.member.email)
  t.equal(await me({ 'x-dev-user-email': s.member.email }), s.member.email)
  t.equal(await me({ 'x-dev-user-id': s.member.id }), s.member.email)
  t.equal(await me({ 'x-dev-email': s.member.email, 'x-dev-user-id': '00000000-0000-0000-0000-000000000000' }), s.member.email)
})

await t.test('nobody, an unknown person and one who has left are 401, as a problem', async (t) => {
  const gone = await s.addPerson('admin', { is_active: false })
  for (const headers of [{}, { 'x-dev-email': 'no@example.com' }, { 'x-dev-email': gone.email }, { 'x-dev-user-id': 'garbage' }, { 'x-dev-user-id': gone.id }] as Record<string, string>[]) t.equal(await me(headers), 401)
  const answer = await s.ask('GET', '/api/projects', { as: null })
  t.equal(answer.headers['www-authenticate'], 'Bearer')
  t.match(answer.json(), { code: 'EDEN_UNAUTHENTICATED', request_id: answer.headers['x-request-id'] })
})

await t.test('our own access token signs in', async (t) => {
  t.equal(await me({ authorization: `Bearer ${token(good)}` }), s.member.email)
  t.equal(await me({ authorization: `Bearer ${s.app.jwt.sign({ sub: s.viewer.id })}` }), s.viewer.email)
})

await t.test('a token that is not ours, or not good any more, is 401 and never falls back to the headers', async (t) => {
  const bad = {
    expired: token({ ...good, exp: now - 1 }),
    'without expiry': token({ sub: good.sub, iss: good.iss }),
    'without subject': token({ iss: good.iss, exp: good.exp }),
    'of another issuer': token({ ...good, iss: 'elsewhere' }),
    'of another secret': token(good, { secret: 'another secret of at least 32 characters' }),
    unsigned: token(good, { alg: 'none' }),
    'of another algorithm': token(good, { alg: 'HS512' }),
    'for nobody': token({ ...good, sub: '01900000-0000-7000-8000-00000000dead' }),
    'for no id': token({ ...good, sub: "' or 1=1" }),
    'not yet good': token({ ...good, nbf: now + 600 }),
    garbage: 'garbage'
  }
  for (const [name, value] of Object.entries(bad)) t.equal(await me({ authorization: `Bearer ${value}`, 'x-dev-email': s.admin.email }), 401, name)
  t.equal(await me({ authorization: 'Basic YTpi', 'x-dev-email': s.admin.email }), 401, 'another scheme')
})

await t.test('in production the development headers are ignored', async (t) => {
  const production = await startApp(t, { environment: { NODE_ENV: 'production' } })
  t.equal(await me({ 'x-dev-email': production.admin.email }, production.app), 401)
  t.equal(await me({ authorization: `Bearer ${production.app.jwt.sign({ sub: production.admin.id })}` }, production.app), production.admin.email)
})

await t.test('a permission that the roles do not give is 403, and names it', async (t) => {
  const answer = await s.ask('POST', '/api/projects', { as: s.viewer, body: { code: 'V', name: 'V' } })
  t.match(answer.json(), { status: 403, code: 'EDEN_FORBIDDEN', detail: /projects:write/ })
  const roleless = await s.addPerson(null)
  t.equal((await s.ask('GET', '/api/projects', { as: roleless })).statusCode, 403)
  t.equal((await s.ask('GET', '/api/me', { as: roleless })).statusCode, 200)
})

await t.test('permission comes before validation: strangers learn nothing of the schema', async (t) => {
  t.equal((await s.ask('POST', '/api/projects', { as: null, body: {} })).statusCode, 401)
  t.equal((await s.ask('POST', '/api/projects', { as: s.viewer, body: {} })).statusCode, 403)
})

await t.test('a route without a permission that is not in the reviewed list does not start', async (t) => {
  const { default: fp } = await import('fastify-plugin')
  const { default: auth } = await import('../../plugins/auth/index.js')
  const app = Fastify()
  app.decorate('config', s.app.config)
  for (const name of ['settings', 'database', 'errors']) app.register(fp(async () => {}, { name }))
  app.register(auth)
  app.register(async (scope) => { scope.get('/api/forgotten', () => 'open to all') })
  await t.rejects(async () => { await app.ready() }, /GET \/api\/forgotten declares no permission/)
})
