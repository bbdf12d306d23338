import { createHmac } from 'node:crypto'
import Fastify from 'fastify'
import t from 'tap'
import { buildApp } from '../../app.js'
import { keyId } from '../../plugins/auth/access-tokens.js'
import { parseConfig } from '../../plugins/config.js'
import { JWT_SECRET, QUIET, startApp } from '../helper.js'
import { takeLog } from '../logs.js'

const s = await startApp(t)
const me = async (headers: Record<string, string>, app = s.app) => {
  const answer = await app.inject({ url: '/api/me', headers })
  return answer.statusCode === 200 ? answer.json().email : answer.statusCode
}
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token made by hand, so that it can be wrong in any way. */
function token (claims: object, { alg = 'HS256', secret = JWT_SECRET, header = {} }: { alg?: string, secret?: string, header?: object } = {}): string {
  const signed = `${encode({ alg, typ: 'JWT', ...header })}.${encode(claims)}`
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

const NEXT = 'the secret that comes after, at least 32 long'
/** An instance on the same database that has these secrets. */
async function instance (secrets: { JWT_SECRET: string, JWT_SECRET_OTHER?: string }) {
  const app = await buildApp(parseConfig({ ...QUIET, LOG_LEVEL: 'info', DB_POOL_MAX: '2', DATABASE_URL: s.url, FILES_DIR: s.app.config.FILES_DIR as string, ...secrets }))
  const log = takeLog(app)
  await app.ready()
  t.teardown(() => app.close())
  return { app, log, sign: () => app.jwt.sign({ sub: s.member.id }) }
}

await t.test('a secret is changed in three steps, and at no time is a token refused by any instance', async (t) => {
  const steps = [{ JWT_SECRET }, { JWT_SECRET, JWT_SECRET_OTHER: NEXT }, { JWT_SECRET: NEXT, JWT_SECRET_OTHER: JWT_SECRET }, { JWT_SECRET: NEXT }]
  const instances = await Promise.all(steps.map(instance))
  const [first, prepared, changed, last] = instances.map(({ sign }) => sign()) as [string, string, string, string]
  const kidOf = (one: string) => JSON.parse(Buffer.from(one.split('.', 1)[0] as string, 'base64url').toString()).kid
  t.same([first, prepared, changed, last].map(kidOf), [JWT_SECRET, JWT_SECRET, NEXT, NEXT].map(keyId))
  t.match(keyId(NEXT), /^[\w-]{8}$/)
  const good = async (one: string, { app }: { app: typeof s.app }) => await me({ authorization: `Bearer ${one}` }, app) === s.member.email
  // While instances are replaced, two steps serve side by side, and each takes what the other signs.
  for (const i of [0, 1]) {
    const pair = instances.slice(i, i + 2)
    for (const a of pair) for (const b of pair) t.ok(await good(a.sign(), b), `steps ${i} and ${i + 1}`)
  }
  for (const one of [first, prepared, changed]) t.ok(await good(one, instances[2]!), 'the old ones are good until they expire')
  for (const one of [changed, last]) t.ok(await good(one, instances[3]!))
  for (const one of [first, prepared]) t.notOk(await good(one, instances[3]!), 'and end with their secret')
  t.notOk(await good(last, instances[0]!), 'in two steps this would have happened to everybody')
  t.same(instances[3]!.log.filter(({ security }) => security !== undefined).map(({ reason }) => reason), ['unknown key', 'unknown key'])
})

await t.test('a token without a key id is tried with both secrets; one that names a key only with that', async (t) => {
  const { app, log } = await instance({ JWT_SECRET: NEXT, JWT_SECRET_OTHER: JWT_SECRET })
  const ask = (one: string) => me({ authorization: `Bearer ${one}` }, app)
  for (const secret of [NEXT, JWT_SECRET]) {
    t.equal(await ask(token(good, { secret })), s.member.email)
    t.equal(await ask(token(good, { secret, header: { kid: keyId(secret) } })), s.member.email)
    t.equal(await ask(token({ ...good, exp: now - 1 }, { secret })), 401)
    t.equal(await ask(token({ ...good, exp: now - 1 }, { secret, header: { kid: keyId(secret) } })), 401)
    t.equal(await ask(token({ ...good, iss: 'elsewhere' }, { secret })), 401)
  }
  t.equal(await ask(token(good, { secret: NEXT, header: { kid: keyId(JWT_SECRET) } })), 401, 'the id of the other')
  t.equal(await ask(token(good, { secret: 'a guess of a secret that is long enough' })), 401)
  const kids: unknown[] = ['../../etc/passwd', "x' union select 'secret", '/dev/null', '', '__proto__', 'constructor', 'toString', [keyId(NEXT)], { toString: keyId(NEXT) }, 0, null, true, `${keyId(NEXT)} `, keyId(NEXT).toUpperCase() + '\0', 'x'.repeat(10_000), JWT_SECRET]
  const from = log.length
  for (const secret of ['', NEXT]) for (const kid of kids) t.equal(await ask(token(good, { secret, header: { kid } })), 401, JSON.stringify(kid).slice(0, 40))
  const reasons = new Set(log.slice(from).filter(({ security, reason }) => security === 'sign_in_refused' && reason !== undefined).map(({ reason }) => reason))
  t.same([...reasons], ['unknown key'])
  t.notMatch(JSON.stringify(log), /etc\/passwd|union select|xxxxxxxx/, 'what a token says is not in the log')
  t.equal(await ask(token(good, { secret: NEXT, alg: 'none', header: { kid: keyId(NEXT) } })), 401)
  t.equal(await ask(token(good, { secret: NEXT, header: { kid: keyId(NEXT), crit: ['b64'], b64: false } })), 401, 'something critical')
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
  for (const name of ['settings', 'database', 'errors', 'rate-limit']) app.register(fp(async () => {}, { name }))
  app.register(auth)
  app.register(async (scope) => { scope.get('/api/forgotten', () => 'open to all') })
  await t.rejects(async () => { await app.ready() }, /GET \/api\/forgotten declares no permission/)
})
