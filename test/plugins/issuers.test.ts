/** Tokens of another issuer: checked by its own keys, from a real server that rotates them, fails, lies, and is attacked. */
import { createHmac, generateKeyPairSync, sign as signWith, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { COOL_DOWN_MS, KEYS_AGE_MS } from '../../plugins/auth/key-set.js'
import { parseConfig } from '../../plugins/config.js'
import { eventually, JWT_SECRET, QUIET, startApp } from '../helper.js'
import { takeLog } from '../logs.js'

const ISSUER = 'https://issuer.example.com/auth/v1'
const AUDIENCE = 'authenticated'

const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
interface Pair { publicKey: KeyObject, privateKey: KeyObject }
const [first, next, stranger] = [rsa(), rsa(), rsa()]
const curve: Pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
const jwk = ({ publicKey }: Pair, kid: string, more: object = {}) => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', ...more })

/** The issuer's server, which says whatever a test wants. */
let served: unknown = { keys: [jwk(first, 'first', { alg: 'RS256' }), jwk(curve, 'curve', { alg: 'ES256' })] }
let misbehave: ((answer: ServerResponse) => void) | undefined
let asked = 0
const server = createServer((_request, answer) => {
  asked++
  if (misbehave === undefined) answer.setHeader('content-type', 'application/json').end(JSON.stringify(served))
  else misbehave(answer)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
t.teardown(() => { server.close(); server.closeAllConnections() })
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`

let now = new Date()
const later = (ms: number) => { now = new Date(now.getTime() + ms) }
const issuer = { AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE, AUTH_JWKS_URL: url }
const s = await startApp(t, { clock: () => now, environment: { LOG_LEVEL: 'info', ...issuer } })
const lines = takeLog(s.app)
const encode = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token made by hand, so that it can be wrong in any way. */
function token (claims: object | string, { header = {}, key = first.privateKey, alg = 'RS256', secret }: { header?: object, key?: KeyObject, alg?: string, secret?: string | Buffer } = {}): string {
  const signed = `${encode({ alg, typ: 'JWT', ...(alg.startsWith('HS') ? {} : { kid: 'first' }), ...header })}.${encode(claims)}`
  if (secret !== undefined) return `${signed}.${createHmac(alg === 'HS512' ? 'sha512' : 'sha256', secret).update(signed).digest('base64url')}`
  return `${signed}.${alg === 'none' ? '' : signWith('sha256', Buffer.from(signed), alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key).toString('base64url')}`
}
const seconds = () => Math.floor(now.getTime() / 1000)
const claimsOf = (email: string, more: object = {}) => ({ iss: ISSUER, aud: AUDIENCE, sub: `subject of ${email}`, exp: seconds() + 3000, iat: seconds(), email, email_verified: true, ...more })
const ask = (bearer: string, app = s.app) => app.inject({ url: '/api/me', headers: { authorization: `Bearer ${bearer}` } })
/** Whom a token signs in, or the status that it gets. */
const me = async (bearer: string, app = s.app) => {
  const answer = await ask(bearer, app)
  return answer.statusCode === 200 ? answer.json().email : answer.statusCode
}
/** Why a token was refused, as the log has it. */
async function why (bearer: string, app = s.app, log = lines): Promise<string> {
  later(1000) // each in a second of its own
  const answer = await ask(bearer, app)
  if (answer.statusCode !== 401) return `${answer.statusCode}: ${answer.body}`
  return log.find(({ security, request_id: id }) => security === 'sign_in_refused' && id === answer.headers['x-request-id'])?.reason
}
const identities = () => s.query('select i.issuer, i.subject, u.email from user_identities i join users u on u.id = i.user_id order by 2')

await t.test('a first sign-in links by a verified address, in whatever case; then the subject decides', async (t) => {
  t.equal(await me(token(claimsOf(s.member.email.toUpperCase(), { sub: 'the member' }))), s.member.email)
  t.equal(await me(token(claimsOf(s.viewer.email, { sub: 'the viewer' }), { alg: 'ES256', header: { kid: 'curve' }, key: curve.privateKey })), s.viewer.email)
  t.same(await identities(), [{ issuer: ISSUER, subject: 'the member', email: s.member.email }, { issuer: ISSUER, subject: 'the viewer', email: s.viewer.email }])
  t.match(lines.filter(({ security }) => security === 'identity_linked').map(({ target }) => target), [s.member.id, s.viewer.id])
  t.same(await s.query("select actor_id, target_id, details from audit_events where event = 'identity_linked' order by at"), [[s.member, 'the member'], [s.viewer, 'the viewer']].map(([{ id }, subject]: any) => ({ actor_id: id, target_id: id, details: { issuer: ISSUER, subject } })))

  t.equal(await me(token(claimsOf(s.admin.email, { sub: 'the member' }))), s.member.email, 'another address changes nothing')
  t.equal(await me(token(claimsOf('x', { sub: 'the member', email: undefined, email_verified: undefined }))), s.member.email, 'nor does none')
  t.equal(await why(token(claimsOf(s.member.email, { sub: 'someone else who has that address now' }))), 'address or subject is linked already')
  t.equal((await identities()).length, 2)
  t.equal(lines.filter(({ security }) => security === 'identity_linked').length, 2)
  t.equal(asked, 1, 'the keys were fetched once')
})

await t.test('an address that is not surely theirs links nobody', async (t) => {
  const { email } = s.manager
  const unsure = [{ email_verified: false }, { email_verified: undefined }, { email_verified: 'true' }, { email_verified: 1 }, { email_verified: [true] }, { email: [email] }, { email: undefined }, { email: `${email}\0` },
    { email: ` ${email}` }, { email_verified: undefined, user_metadata: { email_verified: true } }, { email_verified: undefined, app_metadata: { email_verified: true } }, { email: email.replace('m', 'ｍ') }]
  for (const more of unsure) t.equal(await why(token(claimsOf(email, more))), 'unknown subject without a verified address', JSON.stringify(more))
  t.equal(await why(token(claimsOf('nobody.of.us@example.com'))), 'unknown or inactive person', 'nobody is added')
  const gone = await s.addPerson('admin', { is_active: false })
  t.equal(await why(token(claimsOf(gone.email))), 'unknown or inactive person')
  await s.query('insert into user_identities (issuer, subject, user_id, email) values ($1, $2, $3, $4)', [ISSUER, 'gone', gone.id, gone.email])
  t.equal(await me(token(claimsOf(gone.email, { sub: 'gone' }))), 401, 'who has left does not come back this way')
  t.equal((await identities()).length, 3)
})

await t.test('two first sign-ins at once are one identity, and both are let in', async (t) => {
  const person = await s.addPerson('viewer')
  const answers = await Promise.all(Array.from({ length: 10 }, () => me(token(claimsOf(person.email)))))
  t.same(answers, Array(10).fill(person.email))
  t.equal(lines.filter(({ security, target }) => security === 'identity_linked' && target === person.id).length, 1)
  const other = await s.addPerson('viewer')
  const rivals = await Promise.all(Array.from({ length: 6 }, (_, i) => me(token(claimsOf(other.email, { sub: `rival ${i}` })))))
  t.same(rivals.sort(), [401, 401, 401, 401, 401, other.email], 'of different accounts with one address one is theirs')
})

await t.test('what is not signed by the issuer, for us, and now, signs nobody in', async (t) => {
  const good = claimsOf(s.member.email, { sub: 'the member' })
  t.equal(await me(token(good)), s.member.email)
  const pem = first.publicKey.export({ type: 'spki', format: 'pem' }) as string
  const der = first.publicKey.export({ type: 'spki', format: 'der' })
  const own = jwk(stranger, 'first')
  const twice = JSON.stringify(good).replace('{', `{"iss":"elsewhere","sub":"${s.admin.id}","aud":"others","exp":1,`)
  const attacks: Record<string, [bearer: string, reason: string]> = {
    'alg: none': [token(good, { alg: 'none' }), 'wrong algorithm'],
    'alg: None': [token(good, { header: { alg: 'None' } }), 'wrong algorithm'],
    'alg: none with a signature': [token(good, { header: { alg: 'none' } }), 'wrong algorithm'],
    'no alg': [token(good, { header: { alg: undefined } }), 'malformed token'],
    'the public key in PEM as a secret': [token(good, { alg: 'HS256', header: { kid: 'first' }, secret: pem }), 'wrong algorithm'],
    'the same without its last line end': [token(good, { alg: 'HS256', header: { kid: 'first' }, secret: pem.trimEnd() }), 'wrong algorithm'],
    'the public key in DER as a secret': [token(good, { alg: 'HS256', header: { kid: 'first' }, secret: der }), 'wrong algorithm'],
    'the public key as a JWK as a secret': [token(good, { alg: 'HS256', header: { kid: 'first' }, secret: JSON.stringify(jwk(first, 'first')) }), 'wrong algorithm'],
    'our own secret': [token(good, { alg: 'HS256', secret: JWT_SECRET }), 'wrong algorithm'],
    'PS256 of the same key': [token(good, { header: { alg: 'PS256' } }), 'wrong algorithm'],
    'RS256 that names the other kind of key': [token(good, { header: { kid: 'curve' } }), 'unknown key'],
    'ES256 that names the other kind of key': [token(good, { alg: 'ES256', key: curve.privateKey, header: { kid: 'first' } }), 'unknown key'],
    'another key': [token(good, { key: stranger.privateKey }), 'wrong signature'],
    'no signature': [token(good).replace(/[^.]+$/, ''), 'wrong signature'],
    'a zero signature': [token(good, { alg: 'ES256', key: curve.privateKey, header: { kid: 'curve' } }).replace(/[^.]+$/, Buffer.alloc(64).toString('base64url')), 'wrong signature'],
    'changed claims': [token(good).split('.').map((part, i) => i === 1 ? encode({ ...good, sub: 'the viewer' }) : part).join('.'), 'wrong signature'],
    'a key of its own (jwk)': [token(good, { key: stranger.privateKey, header: { jwk: own } }), 'wrong signature'],
    'a key of its own, unnamed (jwk)': [token(good, { key: stranger.privateKey, header: { jwk: own, kid: 'own' } }), 'unknown key'],
    'keys of its own elsewhere (jku)': [token(good, { key: stranger.privateKey, header: { jku: url.replace('jwks', 'other') } }), 'wrong signature'],
    'certificates of its own (x5u, x5c)': [token(good, { key: stranger.privateKey, header: { x5u: url.replace('jwks', 'other'), x5c: [der.toString('base64')] } }), 'wrong signature'],
    'something critical that we do not know': [token(good, { header: { crit: ['exp'], exp: 1 } }), 'token refused'],
    'b64 that is critical': [token(good, { header: { crit: ['b64'], b64: false } }), 'malformed token'],
    'an empty crit': [token(good, { header: { crit: [] } }), 'malformed token'],
    'audience: others': [token({ ...good, aud: 'others' }), 'wrong audience'],
    'audience: a list of others': [token({ ...good, aud: ['others', 'authenticated.not'] }), 'wrong audience'],
    'audience: a list in a list': [token({ ...good, aud: [[AUDIENCE]] }), 'wrong audience'],
    'audience: an object': [token({ ...good, aud: { 0: AUDIENCE } }), 'wrong audience'],
    'no audience': [token({ ...good, aud: undefined }), 'a claim is missing'],
    expired: [token({ ...good, exp: seconds() - 10 }), 'token expired'],
    'no expiry': [token({ ...good, exp: undefined }), 'a claim is missing'],
    'expiry as a text': [token({ ...good, exp: `${seconds() + 3000}` }), 'malformed token'],
    'expiry beyond numbers': [token(JSON.stringify(good).replace(/"exp":\d+/, '"exp":1e999')), 'malformed token'],
    'not yet good': [token({ ...good, nbf: seconds() + 600 }), 'token not good yet'],
    'no subject': [token({ ...good, sub: undefined }), 'a claim is missing'],
    'an empty subject': [token({ ...good, sub: '' }), 'malformed token'],
    'a number as subject': [token({ ...good, sub: 7 }), 'malformed token'],
    'a NUL in the subject': [token({ ...good, sub: 'the member\0' }), 'malformed token'],
    'a long subject': [token({ ...good, sub: 'x'.repeat(256) }), 'malformed token'],
    'ours by its claims, theirs by its key': [token({ ...good, iss: 'eden-erp', sub: s.admin.id }), 'unknown key'],
    'the same without naming the key': [token({ ...good, iss: 'eden-erp', sub: s.admin.id }, { header: { kid: undefined } }), 'wrong algorithm'],
    'our secret, a foreign issuer': [token({ ...good, iss: 'https://elsewhere.example.com', sub: s.admin.id }, { alg: 'HS256', secret: JWT_SECRET }), 'wrong issuer'],
    'another issuer': [token({ ...good, iss: `${ISSUER}/` }, { header: { kid: undefined } }), 'wrong algorithm'],
    'a list of issuers': [token({ ...good, iss: [ISSUER] }, { header: { kid: undefined } }), 'wrong algorithm'],
    'claims that are a list': [token('[]', { header: { kid: undefined } }), 'token refused'],
    'four parts': [`${token(good)}.x`, 'malformed token']
  }
  for (const [name, [bearer, reason]] of Object.entries(attacks)) {
    const said = await why(bearer)
    t.equal(said, reason, name)
    t.comment(`${name}: 401, ${said}`)
  }
  t.equal(await me(token(twice)), s.member.email, 'of a claim that is there twice the last counts, for each check')
  t.equal(await why(token(JSON.stringify(good).replace(/}$/, ',"exp":1}'))), 'token expired', 'so that no check and no use differ')
  t.equal(await why(token(JSON.stringify(good).replace(/}$/, ',"sub":"the viewer"}')).replace(/[^.]+$/, 'x'.repeat(342))), 'wrong signature')
  t.equal(await me(token({ ...good, aud: ['others', AUDIENCE] })), s.member.email, 'one of several audiences is ours')
  t.equal(await me(token({ ...good, exp: seconds() - 3 })), s.member.email, 'clocks may be a few seconds apart')
})

await t.test('key ids that are made up find nothing, and do not become requests to the issuer', async (t) => {
  later(COOL_DOWN_MS)
  await why(token(claimsOf('x'), { header: { kid: 'made up' } }))
  const before = asked
  const kids: unknown[] = ['../../first', '/dev/null', "first' or '1'='1", 'first\0', '__proto__', 'constructor', '', ['first'], { first: true }, 7, null, true, 'x'.repeat(10_000), 'FIRST', 'http://127.0.0.1/first']
  for (const kid of kids) t.match(await why(token(claimsOf(s.admin.email), { header: { kid }, key: stranger.privateKey })), /^(unknown key|malformed token|wrong signature)$/, JSON.stringify(kid)?.slice(0, 60))
  t.equal(asked, before, `${kids.length} tokens, no request`)
  later(COOL_DOWN_MS)
  t.same(await Promise.all(Array.from({ length: 50 }, (_, i) => me(token(claimsOf('x'), { header: { kid: `made up ${i}` } })))), Array(50).fill(401))
  t.equal(asked, before + 1, 'fifty at once, one request')
})

await t.test('keys are rotated: the next is found when it is first used, the one before is refused once it is gone', async (t) => {
  const good = claimsOf(s.member.email, { sub: 'the member' })
  served = { keys: [jwk(first, 'first'), jwk(next, 'next')] }
  later(COOL_DOWN_MS)
  const byNext = () => token(claimsOf(s.member.email, { sub: 'the member' }), { key: next.privateKey, header: { kid: 'next' } })
  t.equal(await me(byNext()), s.member.email, 'without a restart')
  t.equal(await me(token(good)), s.member.email)
  served = { keys: [jwk(next, 'next')] }
  later(KEYS_AGE_MS)
  const before = asked
  t.equal(await me(byNext()), s.member.email)
  await eventually(() => asked > before)
  await eventually(async () => await me(token(claimsOf(s.member.email, { sub: 'the member' }))) === 401)
  t.equal(await me(byNext()), s.member.email)
})

await t.test('while the issuer is away, or talks nonsense, its known keys are good and unknown ones are not', async (t) => {
  served = { keys: [jwk(first, 'first'), jwk(next, 'next')] }
  later(COOL_DOWN_MS)
  t.equal(await me(token(claimsOf(s.member.email, { sub: 'the member' }))), s.member.email)
  let decoy = 0
  const elsewhere = createServer((_request, answer) => { decoy++; answer.end(JSON.stringify({ keys: [jwk(stranger, 'stranger')] })) }).listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  t.teardown(() => { elsewhere.close(); elsewhere.closeAllConnections() })
  const failures: Record<string, (answer: ServerResponse) => void> = {
    500: (answer) => { answer.writeHead(500).end(JSON.stringify({ keys: [jwk(stranger, 'stranger')] })) },
    'no answer': (answer) => { answer.destroy() },
    garbage: (answer) => { answer.end('<html>') },
    'no set': (answer) => { answer.end('null') },
    'a list': (answer) => { answer.end('[]') },
    'no keys': (answer) => { answer.end('{"keys": []}') },
    'keys that are none': (answer) => { answer.end('{"keys": [null, 7, "x"]}') },
    'a redirect to other keys': (answer) => { answer.writeHead(302, { location: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/` }).end() },
    'without end': (answer) => { const more = () => { while (answer.writable && answer.write('x'.repeat(65_536))); answer.once('drain', more) }; more() },
    'in half': (answer) => { answer.writeHead(200, { 'content-length': '1000' }); answer.write('{"keys": ['); answer.destroy() }
  }
  for (const [name, failure] of Object.entries(failures)) {
    misbehave = failure
    later(KEYS_AGE_MS)
    const before = asked
    const from = lines.length
    t.equal(await me(token(claimsOf(s.member.email, { sub: 'the member' }))), s.member.email, `${name}: at once`)
    await eventually(() => asked > before)
    await eventually(() => lines.slice(from).some(({ msg }) => /^the keys of the issuer could not be had/.test(msg ?? '')))
    later(COOL_DOWN_MS)
    t.equal(await me(token(claimsOf(s.viewer.email, { sub: 'the viewer' }), { header: { kid: 'next' }, key: next.privateKey })), s.viewer.email, `${name}: and still`)
    t.equal(await why(token(claimsOf(s.member.email), { header: { kid: 'stranger' }, key: stranger.privateKey })), 'unknown key', `${name}: no new ones`)
  }
  t.equal(decoy, 0, 'no redirect was followed')
  misbehave = undefined
  later(COOL_DOWN_MS)
  t.equal(await me(token(claimsOf(s.member.email, { sub: 'the member' }), { key: next.privateKey, header: { kid: 'next' } })), s.member.email)
})

/** The same service with other settings, on the same database. */
async function another (t: Test, environment: Record<string, string>) {
  const app = await buildApp(parseConfig({ ...QUIET, LOG_LEVEL: 'info', DATABASE_URL: s.url, JWT_SECRET, FILES_DIR: s.app.config.FILES_DIR as string, ...environment }), { clock: () => now })
  const log = takeLog(app)
  await app.ready()
  t.teardown(() => app.close())
  return { app, log }
}

await t.test('an instance that never had the keys says 503, asks no more than twice a minute, and recovers', async (t) => {
  misbehave = (answer) => { answer.writeHead(500).end() }
  const { app } = await another(t, issuer)
  const before = asked
  const good = token(claimsOf(s.member.email, { sub: 'the member' }), { key: next.privateKey, header: { kid: 'next' } })
  for (let i = 0; i < 5; i++) t.match((await ask(good, app)).json(), { status: 503, code: 'EDEN_ISSUER_UNAVAILABLE' })
  t.equal(asked, before + 1)
  t.equal(await me(app.jwt.sign({ sub: s.admin.id }), app), s.admin.email, 'our own tokens are good')
  misbehave = undefined
  later(COOL_DOWN_MS)
  t.equal(await me(good, app), s.member.email)
})

await t.test('a slow issuer keeps nobody waiting who has a known key', async (t) => {
  const { app } = await another(t, issuer)
  const good = () => token(claimsOf(s.member.email, { sub: 'the member' }), { key: next.privateKey, header: { kid: 'next' } })
  t.equal(await me(good(), app), s.member.email)
  const held: ServerResponse[] = []
  misbehave = (answer) => { held.push(answer) }
  later(KEYS_AGE_MS)
  for (let i = 0; i < 3; i++) t.equal(await me(good(), app), s.member.email)
  await eventually(() => held.length > 0)
  t.equal(held.length, 1)
  misbehave = undefined
  for (const answer of held) answer.destroy()
})

await t.test('keys of the set that are weak, secret or private sign nobody in', async (t) => {
  const { app, log } = await another(t, issuer)
  const secret = Buffer.from('a secret in a public place, 32 or longer')
  served = { keys: [jwk(weak, 'weak'), { kty: 'oct', k: secret.toString('base64url'), kid: 'secret', alg: 'HS256' }, { ...stranger.privateKey.export({ format: 'jwk' }), kid: 'private' }, jwk(first, 'enc', { use: 'enc' })] }
  const claims = () => claimsOf(s.member.email, { sub: 'the member' })
  t.equal(await why(token(claims(), { key: weak.privateKey, header: { kid: 'weak' } }), app, log), 'token refused')
  t.equal(await why(token(claims(), { alg: 'HS256', secret, header: { kid: 'secret' } }), app, log), 'wrong algorithm')
  t.equal(await why(token(claims(), { key: stranger.privateKey, header: { kid: 'private' } }), app, log), 'token refused')
  t.equal(await why(token(claims(), { header: { kid: 'enc' } }), app, log), 'unknown key')
})

await t.test('an issuer that shares a secret: HS256 and nothing else', async (t) => {
  const secret = 'the legacy secret of a project, which is 32 or longer'
  const { app, log } = await another(t, { AUTH_ISSUER: ISSUER, AUTH_AUDIENCE: AUDIENCE, AUTH_JWT_SECRET: secret, AUTH_EMAIL_VERIFIED_CLAIM: 'app_metadata.email_verified' })
  const good = claimsOf(s.manager.email, { sub: 'the manager', email_verified: undefined, user_metadata: { email_verified: true } })
  t.equal(await why(token(good, { alg: 'HS256', secret }), app, log), 'unknown subject without a verified address', 'what people write themselves proves nothing')
  const sure = { ...good, app_metadata: { email_verified: true } }
  t.equal(await me(token(sure, { alg: 'HS256', secret }), app), s.manager.email)
  const attacks: Record<string, [string, string]> = {
    'alg: none': [token(sure, { alg: 'none' }), 'wrong algorithm'],
    HS512: [token(sure, { alg: 'HS512', secret }), 'wrong algorithm'],
    RS256: [token(sure), 'wrong algorithm'],
    'another secret': [token(sure, { alg: 'HS256', secret: 'a guess that is long enough to be a secret' }), 'wrong signature'],
    'our own secret': [token(sure, { alg: 'HS256', secret: JWT_SECRET }), 'wrong signature'],
    'ours by its claims': [token({ ...sure, iss: 'eden-erp', sub: s.admin.id }, { alg: 'HS256', secret }), 'wrong signature'],
    'its key for everybody, which has no subject': [token({ iss: ISSUER, aud: AUDIENCE, role: 'service_role', exp: seconds() + 3000 }, { alg: 'HS256', secret }), 'a claim is missing'],
    expired: [token({ ...sure, exp: seconds() - 10 }, { alg: 'HS256', secret }), 'token expired'],
    'another audience': [token({ ...sure, aud: 'anon' }, { alg: 'HS256', secret }), 'wrong audience']
  }
  for (const [name, [bearer, reason]] of Object.entries(attacks)) t.equal(await why(bearer, app, log), reason, name)
})

await t.test('an issuer is known whole, by keys that nobody between can change, and is not called as we are', async (t) => {
  const refusal = (environment: Record<string, string>) => { try { parseConfig({ DATABASE_URL: 'postgres://db/eden', JWT_SECRET, ...environment }); return '' } catch (error) { return (error as Error).message } }
  const whole = { ...issuer, AUTH_JWKS_URL: 'https://issuer.example.com/jwks.json' }
  t.equal(refusal(whole), '')
  t.equal(refusal({ ...whole, NODE_ENV: 'production' }), '')
  t.match(refusal({ ...issuer, NODE_ENV: 'production' }), /^AUTH_JWKS_URL must begin with https/)
  t.match(refusal({ ...whole, AUTH_AUDIENCE: '' }), /^AUTH_AUDIENCE must be set/)
  t.match(refusal({ ...whole, AUTH_ISSUER: '' }), /^AUTH_ISSUER must be set with AUTH_AUDIENCE, AUTH_JWKS_URL/)
  t.match(refusal({ ...whole, AUTH_ISSUER: 'eden-erp' }), /^AUTH_ISSUER must not be eden-erp/)
  t.match(refusal({ ...whole, AUTH_JWKS_URL: '' }), /^either AUTH_JWKS_URL or AUTH_JWT_SECRET/)
  t.match(refusal({ ...whole, AUTH_JWT_SECRET: 'x'.repeat(32) }), /^either AUTH_JWKS_URL or AUTH_JWT_SECRET/)
  t.match(refusal({ ...whole, AUTH_JWKS_URL: '', AUTH_JWT_SECRET: JWT_SECRET }), /^AUTH_JWT_SECRET must differ/)
  t.match(refusal({ ...whole, AUTH_JWKS_URL: 'file:///etc/passwd' }), /^AUTH_JWKS_URL must be/)
  t.match(refusal({ ...whole, AUTH_EMAIL_VERIFIED_CLAIM: 'user_metadata.email_verified' }), /^AUTH_EMAIL_VERIFIED_CLAIM must be .* people cannot write themselves/)
})
