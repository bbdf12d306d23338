/** The runbook's "Authentication Failures": for each cause what the client gets, what the log says, and what is counted. */
import { createHmac, createSign, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { buildApp } from '../../app.js'
import { ConfigError, parseConfig } from '../../plugins/config.js'
import { MOST_LINES_A_SECOND } from '../../plugins/security.js'
import { eventually, JWT_SECRET, QUIET, startApp, type TestApp } from '../helper.js'
import { takeLog } from '../logs.js'

const FRONT_END = 'https://erp.example.com'
let now = new Date()
const s = await startApp(t, { clock: () => now, environment: { LOG_LEVEL: 'info', AUTH_DEV_HEADERS: 'true', CORS_ORIGINS: FRONT_END } })
const lines = takeLog(s.app)
// The same service as it is in production, on the same database.
const production = await buildApp(parseConfig({ ...QUIET, NODE_ENV: 'production', LOG_LEVEL: 'info', DATABASE_URL: s.url, JWT_SECRET, FILES_DIR: s.app.config.FILES_DIR }), { clock: () => now })
const productionLines = takeLog(production)
await production.ready()
t.teardown(() => production.close())
// And after its secret was changed: tokens from before are no longer its own.
const changed = await buildApp(parseConfig({ ...QUIET, LOG_LEVEL: 'info', DATABASE_URL: s.url, JWT_SECRET: 'the secret after it was changed, 32 long' }), { clock: () => now })
const changedLines = takeLog(changed)
await changed.ready()
t.teardown(() => changed.close())

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
/** A token made by hand, so that it can be wrong in any way. */
function token (claims: object, { alg = 'HS256', secret = JWT_SECRET } = {}): string {
  const signed = `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`
  const signature = alg === 'none' ? '' : alg === 'RS256' ? createSign('sha256').update(signed).sign(rsa, 'base64url') : createHmac('sha256', secret).update(signed).digest('base64url')
  return `${signed}.${signature}`
}
const seconds = Math.floor(Date.now() / 1000)
const good = { sub: s.member.id, iss: 'eden-erp', exp: seconds + 6000 }
const gone = await s.addPerson('admin', { is_active: false })
const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

async function countOf (event: string, app = s.app): Promise<number> {
  return Number(new RegExp(`^eden_security_events_total\\{event="${event}"\\} (\\d+)$`, 'm').exec((await app.inject('/metrics')).body)?.[1])
}

interface Failure { what: string, headers?: Record<string, string>, path?: string, method?: 'GET' | 'POST', app?: TestApp['app'], status?: 401 | 403, events?: string[], reason?: string, permission?: string }
const failures: Failure[] = [
  { what: 'no identity', reason: 'no identity' },
  { what: 'another scheme', headers: { authorization: 'Basic YTpi' }, reason: 'not a bearer token' },
  { what: 'no token after the scheme', headers: { authorization: 'Bearer' }, reason: 'not a bearer token' },
  { what: 'a malformed token', headers: bearer('garbage'), reason: 'malformed token' },
  { what: 'an expired token', headers: bearer(token({ ...good, exp: seconds - 1 })), reason: 'token expired' },
  { what: 'a token without expiry', headers: bearer(token({ sub: good.sub, iss: good.iss })), reason: 'a claim is missing' },
  { what: 'a wrong signature', headers: bearer(token(good, { secret: 'the secret of someone else, 32 or longer' })), reason: 'wrong signature' },
  { what: 'JWT_SECRET was changed', headers: bearer(token(good)), app: changed, reason: 'wrong signature' },
  { what: 'no algorithm', headers: bearer(token(good, { alg: 'none' })), reason: 'no signature' },
  { what: 'the algorithm RS256', headers: bearer(token(good, { alg: 'RS256' })), reason: 'wrong algorithm' },
  { what: 'a token that is not good yet', headers: bearer(token({ ...good, nbf: seconds + 6000 })), reason: 'token not good yet' },
  { what: 'another issuer', headers: bearer(token({ ...good, iss: 'https://elsewhere.example.com' })), reason: 'wrong issuer' },
  { what: 'a token for nobody', headers: bearer(token({ ...good, sub: '01900000-0000-7000-8000-00000000dead' })), reason: 'unknown or inactive person' },
  { what: 'a token for one who has left', headers: bearer(token({ ...good, sub: gone.id })), reason: 'unknown or inactive person' },
  { what: 'a token whose session is over', headers: bearer(token({ ...good, sid: '01900000-0000-7000-8000-00000000dead' })), reason: 'session is over, or unknown or inactive person' },
  { what: 'a development header of nobody', headers: { 'x-dev-email': 'nobody@example.com' }, reason: 'unknown or inactive person' },
  { what: 'a development header of one who has left', headers: { 'x-dev-email': gone.email }, reason: 'unknown or inactive person' },
  { what: 'a development header in production', headers: { 'x-dev-email': s.admin.email }, app: production, events: ['development_headers_ignored', 'sign_in_refused'], reason: 'no identity' },
  { what: 'a permission that is missing', headers: { 'x-dev-email': s.viewer.email }, method: 'POST', status: 403, events: ['permission_refused'], permission: 'projects:write' }
]

for (const { what, headers = {}, path = '/api/projects', method = 'GET', app = s.app, status = 401, events = ['sign_in_refused'], reason, permission } of failures) {
  await t.test(what, async (t) => {
    now = new Date(now.getTime() + 60_000) // each in a second of its own
    const log = app === production ? productionLines : app === changed ? changedLines : lines
    const before = await Promise.all(events.map((event) => countOf(event, app)))
    const answer = await app.inject({ method, url: path, headers, ...method === 'POST' ? { payload: { code: 'X', name: 'X' } } : {} })
    t.equal(answer.statusCode, status)
    t.same(answer.json(), {
      type: `urn:eden-erp:problem:${status === 401 ? 'EDEN_UNAUTHENTICATED' : 'EDEN_FORBIDDEN'}`,
      title: status === 401 ? 'Unauthorized' : 'Forbidden',
      status,
      detail: status === 401 ? 'sign in: a bearer token is missing or no longer good' : 'this needs the permission projects:write',
      instance: path,
      code: status === 401 ? 'EDEN_UNAUTHENTICATED' : 'EDEN_FORBIDDEN',
      request_id: answer.headers['x-request-id']
    }, 'and not why')
    t.equal(answer.headers['www-authenticate'], status === 401 ? 'Bearer' : undefined)
    const told = log.filter(({ security, request_id: id }) => security !== undefined && id === answer.headers['x-request-id'])
    t.same(told.map(({ security }) => security), events)
    t.match(told.at(-1), { level: 40, method, route: path, ip: '127.0.0.1', ...reason === undefined ? {} : { reason }, ...permission === undefined ? {} : { permission, user_id: s.viewer.id } })
    t.same(await Promise.all(events.map((event) => countOf(event, app))), before.map((count) => count + 1))
    t.comment(`${what}: ${status} ${answer.json().code}; log: ${told.map(({ security, reason, permission }) => [security, reason ?? permission].filter(Boolean).join(', ')).join('; ')}`)
  })
}

await t.test('what is good signs in beside all that', async (t) => {
  for (const app of [s.app, production]) t.equal((await app.inject({ url: '/api/me', headers: bearer(token(good)) })).json().id, s.member.id)
  t.equal((await changed.inject({ url: '/api/me', headers: bearer(changed.jwt.sign({ sub: s.member.id })) })).statusCode, 200)
})

await t.test('a browser at another origin gets no leave to call; ours does, before it signs in', async (t) => {
  const preflight = (origin: string, app = s.app) => app.inject({ method: 'OPTIONS', url: '/api/projects', headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' } })
  const ours = await preflight(FRONT_END)
  t.equal(ours.statusCode, 204)
  t.equal(ours.headers['access-control-allow-origin'], FRONT_END)
  const foreign = await preflight('https://evil.example.com')
  t.equal(foreign.headers['access-control-allow-origin'], undefined)
  t.equal((await preflight(FRONT_END, production)).headers['access-control-allow-origin'], undefined, 'none by default')
  t.notMatch(foreign.body, 'evil')
})

await t.test('production does not start without JWT_SECRET or with development headers, and names the variable', async (t) => {
  const refusal = (environment: Record<string, string>) => {
    try {
      parseConfig({ NODE_ENV: 'production', DATABASE_URL: s.url, JWT_SECRET, ...environment })
    } catch (error) {
      return error instanceof ConfigError ? error.message : error
    }
    return 'it starts'
  }
  t.equal(refusal({ JWT_SECRET: '' }), 'JWT_SECRET must be set in production: at least 32 characters')
  t.equal(refusal({ JWT_SECRET: 'short-and-secret' }), 'JWT_SECRET must be at least 32 characters')
  t.equal(refusal({ AUTH_DEV_HEADERS: 'true' }), 'AUTH_DEV_HEADERS must not be true in production: anyone could act as anyone')
  t.equal(refusal({}), 'it starts')
})

await t.test('two hundred wrong tokens are counted one by one, told in a few lines, and slow nothing down', async (t) => {
  now = new Date(now.getTime() + 60_000)
  const before = await countOf('sign_in_refused')
  const from = lines.length
  const tellings = () => lines.slice(from).filter(({ security }) => security === 'sign_in_refused')
  const wrong = () => s.ask('GET', '/api/projects', { as: null, headers: bearer(token(good, { secret: `guess ${Math.random()} of a secret that is long` })) })
  const guesses = Promise.all(Array.from({ length: 200 }, wrong))
  const began = performance.now()
  const probes = await Promise.all(['/api/health/live', '/api/health/ready', '/api/health/quick'].map((path) => s.app.inject(path)))
  t.same(probes.map(({ statusCode }) => statusCode), [200, 200, 200])
  t.ok(performance.now() - began < 10_000, 'probes answer meanwhile')
  t.ok((await guesses).every(({ statusCode }) => statusCode === 401))
  t.equal(await countOf('sign_in_refused'), before + 200)
  t.equal(tellings().filter(({ request_id: id }) => id !== undefined).length, MOST_LINES_A_SECOND)
  await eventually(async () => tellings().length > MOST_LINES_A_SECOND)
  t.equal(tellings().reduce((sum, { suppressed }) => sum + (suppressed ?? 1), 0), 200, 'the lines account for each')
  t.equal(lines.slice(from).filter(({ msg, status }) => msg === 'request' && status === 401).length, 200, 'every answer has its own line')
})

await t.test('a flood of one event hides no other, and after a second there are lines again', async (t) => {
  now = new Date(now.getTime() + 60_000)
  const from = lines.length
  const told = () => lines.slice(from).filter(({ security }) => security !== undefined).map(({ security, suppressed }) => suppressed === undefined ? security : `${suppressed} more ${security}`)
  for (let i = 0; i < MOST_LINES_A_SECOND + 3; i++) await s.ask('GET', '/api/projects', { as: null })
  await s.ask('POST', '/api/projects', { as: s.viewer, body: {} })
  t.equal(told().filter((one) => one === 'permission_refused').length, 1)
  now = new Date(now.getTime() + 1000)
  await s.ask('GET', '/api/projects', { as: null })
  t.equal(told().at(-1), 'sign_in_refused')
  t.equal(told().filter((one) => one === 'sign_in_refused').length, MOST_LINES_A_SECOND + 1)
  t.equal(lines.slice(from).reduce((sum, { suppressed }) => sum + (suppressed ?? 0), 0), 3, 'what was left out was told before')
  now = new Date(now.getTime() - 3_600_000)
  await s.ask('GET', '/api/projects', { as: null })
  t.equal(told().at(-1), 'sign_in_refused', 'a clock that is set back silences nothing')
})

await t.test('what was left out is told at the end too', async (t) => {
  now = new Date(now.getTime() + 120_000)
  const from = changedLines.length
  for (let i = 0; i < MOST_LINES_A_SECOND + 5; i++) await changed.inject('/api/projects')
  await changed.close()
  t.equal(changedLines.slice(from).filter(({ security }) => security !== undefined).reduce((sum, { suppressed }) => sum + (suppressed ?? 1), 0), MOST_LINES_A_SECOND + 5)
})
