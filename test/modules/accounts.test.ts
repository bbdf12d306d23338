/** Signing in by password, and staying so: tokens, their reuse, sessions and their ends, and who gets in the way of whom. */
import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { DUMMY, isOutdated } from '../../modules/accounts/passwords/hasher.js'
import { MOST_SESSIONS } from '../../modules/accounts/sessions/queries.js'
import { FREE_OF_NETWORK, FREE_OF_STRANGERS } from '../../modules/accounts/sign-in/lockout.js'
import { clientOf, counted, givePassword, PASSWORD } from '../accounts.js'
import { startApp, type TestApp } from '../helper.js'

/** The clock of all instances stands still: on a busy machine a delay would be over before it is looked at. */
const now = new Date()
const s = await startApp(t, { clock: () => now })
const { login, refresh, post, me, bearer } = clientOf(s)
const VERIFIED = 'eden_password_hashes_total{work="verify"}'

let count = 0
/** Someone with a password, whom no other test knows. */
async function someone (fields = {}, app: TestApp = s) {
  const person = await app.addPerson('member', { email: `some.one.${++count}@example.com`, name: `Someone ${count}`, ...fields })
  await givePassword(app, person)
  return person
}
const signedIn = async (email: string) => (await login(email)).json()
/** Everything of a session was so long ago. */
const ago = (sessionOf: string, interval: string) => s.query(`update refresh_tokens set rotated_at = rotated_at - interval '${interval}' where session_id in (select id from sessions where user_id = $1)`, [sessionOf])
const sessionsOf = (id: string) => s.query('select * from sessions where user_id = $1 order by created_at', [id])

await t.test('a password gets an access token, good for fifteen minutes, and a refresh token', async (t) => {
  const person = await someone()
  const answer = await login(person.email.toUpperCase(), PASSWORD, { ip: '2001:db8:1:2:3::4', headers: { 'user-agent': `A browser ${'x'.repeat(400)}` } })
  t.equal(answer.statusCode, 200, answer.body)
  t.equal(answer.headers['cache-control'], 'no-store')
  const body = answer.json()
  t.match(body, { token_type: 'Bearer', expires_in: 900, refresh_token: /^[\w-]{43}$/, user: { id: person.id, email: person.email, name: person.name } })
  const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
  t.equal(claims.exp - claims.iat, 900)
  t.match(claims, { sub: person.id, sid: /^[0-9a-f-]{36}$/, iss: 'eden-erp' })
  const days = (Date.parse(body.refresh_expires_at) - Date.now()) / 86_400_000
  t.ok(days > 6.9 && days < 7.1)
  t.equal(await me(body.access_token), 200)
  const [kept] = await s.query('select * from refresh_tokens where session_id = $1', [claims.sid])
  t.ok(kept.token_hash.equals(createHash('sha256').update(body.refresh_token).digest()), 'the token itself is nowhere')
  t.match(await s.get('/api/me/sessions', { as: person }), [{ id: claims.sid, ip: '2001:db8:1:2:3::4', user_agent: /^A browser x{290}$/, current: false }])
})

await t.test('whatever is wrong, the answer and the work are the same', async (t) => {
  const known = await someone()
  const without = await s.addPerson('member', { email: 'no.password@example.com' })
  const gone = await someone({ is_active: false })
  const answers = []
  for (const [email, password] of [['nobody@example.com', PASSWORD], [known.email, 'a wrong password'], [without.email, PASSWORD], [gone.email, PASSWORD], [gone.email, 'a wrong password']] as const) {
    const before = await counted(s, VERIFIED)
    const answer = await login(email, password)
    t.equal(await counted(s, VERIFIED), before + 1, email)
    const { request_id: _id, ...problem } = answer.json()
    answers.push({ status: answer.statusCode, problem, headers: Object.keys(answer.headers).sort() })
  }
  t.match(answers[0], { status: 401, problem: { code: 'EDEN_SIGN_IN_FAILED' } })
  for (const answer of answers) t.same(answer, answers[0])
  t.notOk(isOutdated(DUMMY), 'what is verified where there is no hash costs what a hash of now costs')
})

await t.test('a hash that was made with other parameters is made anew at the next sign-in', async (t) => {
  const person = await someone()
  const hashOf = async () => (await s.query('select password_hash from user_credentials where user_id = $1', [person.id]))[0].password_hash
  t.ok(isOutdated(await hashOf()))
  await login(person.email, 'a wrong password')
  t.ok(isOutdated(await hashOf()), 'not by who does not know it')
  await login(person.email)
  const renewed = await hashOf()
  t.match(renewed, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  await login(person.email)
  t.equal(await hashOf(), renewed)
})

await t.test('one password however it was typed: composed, decomposed, full width', async (t) => {
  const person = await someone()
  await givePassword(s, person, 'Ångström café №12'.normalize('NFKC'))
  for (const typed of ['Ångström café №12', 'Ångström café №12'.normalize('NFD'), 'Ångström café No12', 'Ångström ｃａｆé №12']) t.equal((await login(person.email, typed)).statusCode, 200, typed)
  t.equal((await login(person.email, 'angström café №12')).statusCode, 401)
})

await t.test('passwords that are none, or too long, are refused before any work', async (t) => {
  const before = await counted(s, VERIFIED)
  for (const [password, status] of [['', 400], ['x'.repeat(201), 400], ['x'.repeat(1_000_000), 400], ['x'.repeat(2_000_000), 413], ['\ud800'.repeat(12), 400], ['a\0b', 400]] as const) {
    const answer = await login('nobody@example.com', password)
    t.equal(answer.statusCode, status)
    t.notMatch(answer.body, 'xxx')
  }
  t.equal(await counted(s, VERIFIED), before)
})

await t.test('a refresh token is good once; each is followed by the next', async (t) => {
  const person = await someone()
  const first = await signedIn(person.email)
  const second = (await refresh(first.refresh_token)).json()
  t.match(second, { token_type: 'Bearer', expires_in: 900, user: { id: person.id } })
  t.not(second.refresh_token, first.refresh_token)
  t.equal(await me(second.access_token), 200)
  const third = (await refresh(second.refresh_token)).json()
  t.equal(await me(third.access_token), 200)
  t.equal((await sessionsOf(person.id)).length, 1, 'it is one session')
})

await t.test('who comes with a token of before ends the session, for the thief and for the owner', async (t) => {
  const person = await someone()
  const other = await signedIn(person.email)
  const stolen = await signedIn(person.email)
  const owners = (await refresh(stolen.refresh_token)).json()
  await ago(person.id, '11 seconds')
  t.equal(await me(owners.access_token), 200)
  const before = await counted(s, 'eden_security_events_total{event="refresh_reused"}')
  const thief = await refresh(stolen.refresh_token)
  t.match([thief.statusCode, thief.json().code], [401, 'EDEN_REFRESH_FAILED'])
  t.equal(await counted(s, 'eden_security_events_total{event="refresh_reused"}'), before + 1)
  t.equal(await me(owners.access_token), 401, 'at the next request')
  t.equal((await refresh(owners.refresh_token)).statusCode, 401)
  t.match((await sessionsOf(person.id)).map(({ end_reason: reason }) => reason), [null, 'refresh_reused'])
  t.equal(await me(other.access_token), 200, 'another session goes on')
  t.equal((await refresh(stolen.refresh_token)).statusCode, 401)
  t.equal(await counted(s, 'eden_security_events_total{event="refresh_reused"}'), before + 1, 'what is over is not told again')
})

await t.test('sixteen refreshes at once with one token get one successor, and nobody is signed out', async (t) => {
  const person = await someone()
  const { refresh_token: token } = await signedIn(person.email)
  const answers = await Promise.all(Array.from({ length: 16 }, () => refresh(token)))
  t.same(answers.map(({ statusCode }) => statusCode), Array(16).fill(200))
  const tokens = new Set(answers.map((answer) => answer.json().refresh_token))
  t.equal(tokens.size, 1)
  const [session] = await sessionsOf(person.id)
  t.equal((await s.query('select 1 from refresh_tokens where session_id = $1', [session.id])).length, 2)
  const next = (await refresh([...tokens][0] as string)).json()
  t.equal((await refresh(token)).json().refresh_token, next.refresh_token, 'a tab that comes late gets the newest')
})

await t.test('sixteen at once with a stolen token: all are refused, and the session ends once', async (t) => {
  const person = await someone()
  const { refresh_token: token } = await signedIn(person.email)
  await refresh(token)
  await ago(person.id, '11 seconds')
  const before = await counted(s, 'eden_security_events_total{event="refresh_reused"}')
  const answers = await Promise.all(Array.from({ length: 16 }, () => refresh(token)))
  t.same(answers.map(({ statusCode }) => statusCode), Array(16).fill(401))
  t.equal(await counted(s, 'eden_security_events_total{event="refresh_reused"}'), before + 1)
})

await t.test('without grace a token is good once even for those who come at once', async (t) => {
  const strict = await startApp(t, { environment: { REFRESH_GRACE_SECONDS: '0' } })
  const person = await someone({}, strict)
  const client = clientOf(strict)
  const { refresh_token: token } = (await client.login(person.email)).json()
  const answers = await Promise.all(Array.from({ length: 16 }, () => client.refresh(token)))
  t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 1)
  t.match(await strict.query('select end_reason from sessions'), [{ end_reason: 'refresh_reused' }])
})

await t.test('a session ends when it was not used, and at its last hour however much it was', async (t) => {
  const person = await someone()
  const idle = await signedIn(person.email)
  await s.query('update sessions set expires_at = now() where user_id = $1', [person.id])
  t.equal(await me(idle.access_token), 401)
  t.equal((await refresh(idle.refresh_token)).statusCode, 401)
  const busy = await signedIn(person.email)
  await s.query("update sessions set expires_at = now() + interval '1 hour', must_end_at = now() + interval '1 hour' where user_id = $1 and expires_at > now()", [person.id])
  const { refresh_expires_at: end } = (await refresh(busy.refresh_token)).json()
  t.ok(Date.parse(end) <= Date.now() + 3_600_000)
})

await t.test('who was deactivated gets no new token, and the ones of before are no good', async (t) => {
  const person = await someone()
  const session = await signedIn(person.email)
  await s.query('update users set is_active = false where id = $1', [person.id])
  t.equal((await refresh(session.refresh_token)).statusCode, 401)
  t.equal(await me(session.access_token), 401)
})

await t.test('an access token is of its own session, which is of its own person', async (t) => {
  const [ann, ben] = [await someone(), await someone()]
  await Promise.all([signedIn(ann.email), signedIn(ben.email)])
  const [session] = await sessionsOf(ben.id)
  for (const sid of [session.id, '01900000-0000-7000-8000-00000000dead', 'x', '']) t.equal(await me(s.app.jwt.sign({ sub: ann.id, sid })), 401, sid)
  t.equal(await me(s.app.jwt.sign({ sub: ben.id, sid: session.id })), 200)
  t.equal((await s.ask('DELETE', `/api/me/sessions/${session.id}`, { as: ann })).statusCode, 404)
  t.equal((await s.ask('GET', '/api/me/sessions', { as: ann })).json().length, 1)
})

await t.test('signing out ends this session at once: by its refresh token, old or new, or by its access token', async (t) => {
  const person = await someone()
  const [one, two, three, stays] = [await signedIn(person.email), await signedIn(person.email), await signedIn(person.email), await signedIn(person.email)]
  const next = (await refresh(two.refresh_token)).json()
  t.same((await post('/logout', { refresh_token: one.refresh_token })).json(), { ended_sessions: 1 })
  t.same((await post('/logout', { refresh_token: two.refresh_token })).json(), { ended_sessions: 1 }, 'the one before does too')
  t.same((await post('/logout', undefined, { headers: bearer(three.access_token) })).json(), { ended_sessions: 1 })
  for (const token of [one, two, next, three]) t.equal(await me(token.access_token), 401)
  for (const token of [one, next, three]) t.equal((await refresh(token.refresh_token)).statusCode, 401)
  t.same((await post('/logout', { refresh_token: one.refresh_token })).json(), { ended_sessions: 0 }, 'a second time changes nothing')
  t.equal((await post('/logout', undefined, { headers: bearer(three.access_token) })).statusCode, 401)
  t.equal((await post('/logout', {})).statusCode, 401)
  t.equal(await me(stays.access_token), 200)
})

await t.test('one sees where one is signed in, and ends one session or all', async (t) => {
  const person = await someone()
  const [here, there, elsewhere] = [await signedIn(person.email), await signedIn(person.email), await signedIn(person.email)]
  const list = (token: string) => s.app.inject({ url: '/api/me/sessions', headers: bearer(token) })
  const sessions = (await list(here.access_token)).json()
  t.same(sessions.map((one: any) => one.current), [false, false, true], 'the last used first')
  const [{ sid }] = [there].map(({ access_token: token }) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()))
  t.same((await s.app.inject({ method: 'DELETE', url: `/api/me/sessions/${sid}`, headers: bearer(here.access_token) })).json(), { deleted: true, id: sid })
  t.equal(await me(there.access_token), 401)
  t.equal((await s.app.inject({ method: 'DELETE', url: `/api/me/sessions/${sid}`, headers: bearer(here.access_token) })).statusCode, 404)
  t.same((await post('/logout-all', undefined, { headers: bearer(here.access_token) })).json(), { ended_sessions: 2 })
  for (const token of [here, elsewhere]) t.equal(await me(token.access_token), 401)
})

await t.test(`of more than ${MOST_SESSIONS} sessions the one that was not used for longest ends`, async (t) => {
  const person = await someone()
  const first = await signedIn(person.email)
  await s.query(`insert into sessions (id, user_id, ip, expires_at, must_end_at) select gen_random_uuid(), $1, '127.0.0.1', now() + interval '1 day', now() + interval '1 day' from generate_series(1, ${MOST_SESSIONS - 1})`, [person.id])
  t.equal(await me(first.access_token), 200)
  await login(person.email)
  t.equal(await me(first.access_token), 401)
  t.equal((await s.get('/api/me/sessions', { as: person })).length, MOST_SESSIONS)
})

/** Tries wrong passwords one after the other. @returns the statuses */
async function guess (email: string, times: number, ip: (i: number) => string, client = clientOf(s)): Promise<number[]> {
  const statuses: number[] = []
  for (let i = 0; i < times; i++) statuses.push((await client.login(email, `guess number ${i}`, { ip: ip(i) })).statusCode)
  return statuses
}
/** So much time passes for the lockout of an address. */
const pass = (email: string, seconds: number) => s.query("update sign_in_throttles set blocked_until = blocked_until - $2 * interval '1 second', failed_at = failed_at - $2 * interval '1 second' where address_hash = sha256(convert_to(lower($1), 'UTF8'))", [email, seconds])

async function lockout (t: Test, email: string): Promise<unknown[]> {
  const story: unknown[] = []
  story.push(await guess(email, FREE_OF_NETWORK + 2, () => '198.51.100.7'))
  for (let i = 0; i < 12; i++) {
    const before = await counted(s, VERIFIED)
    const answer = await login(email, PASSWORD, { ip: '198.51.100.7' })
    t.equal(await counted(s, VERIFIED), before, 'nothing is verified while one has to wait')
    story.push([answer.statusCode, answer.json().code, Math.abs(Number(answer.headers['retry-after']) - Math.min(2 ** i, 900)) <= 1])
    await pass(email, 1000)
    story.push(...await guess(email, 1, () => '198.51.100.7'))
  }
  return story
}

await t.test('failures are slowed ever more, alike for an address that is there and for one that is not', async (t) => {
  const person = await someone()
  const [known, unknown] = [await lockout(t, person.email), await lockout(t, 'never.was@example.com')]
  t.same(known, unknown)
  t.same(known[0], [...Array(FREE_OF_NETWORK + 1).fill(401), 429])
  t.same(known.slice(1), Array(12).fill([[429, 'EDEN_SIGN_IN_THROTTLED', true], 401]).flat())
})

await t.test('an attacker from elsewhere, from however many networks, does not lock the owner out', async (t) => {
  const person = await someone()
  t.equal((await login(person.email, PASSWORD, { ip: '192.0.2.10' })).statusCode, 200)
  const attack = await guess(person.email, FREE_OF_STRANGERS + 5, (i) => `198.51.${i}.7`)
  t.same(attack, [...Array(FREE_OF_STRANGERS + 1).fill(401), 429, 429, 429, 429])
  t.equal((await login(person.email, PASSWORD, { ip: '198.51.200.7' })).statusCode, 429, 'a stranger waits, also with the right password')
  t.equal((await login(person.email, PASSWORD, { ip: '192.0.2.10' })).statusCode, 200, 'the owner does not')
  t.equal((await login(person.email, PASSWORD, { ip: '192.0.2.99' })).statusCode, 200, 'nor from another address of their network')
  t.equal((await login(person.email, PASSWORD, { ip: '::ffff:192.0.2.10' })).statusCode, 200, 'nor from the same, as IPv6 writes it')
  t.equal((await login(person.email, PASSWORD, { ip: '198.51.200.7' })).statusCode, 429, 'and strangers are not let in by that')
  t.same(await guess(person.email, FREE_OF_NETWORK + 2, () => '192.0.2.10'), [...Array(FREE_OF_NETWORK + 1).fill(401), 429], 'whoever guesses from there is slowed as well')
})

await t.test('of many guesses at once no more are looked at than of one after the other, on two instances too', async (t) => {
  const person = await someone()
  const app = await buildApp(s.app.config, { clock: () => now })
  t.teardown(() => app.close())
  await app.ready()
  const twin = clientOf({ app })
  const before = await counted(s, VERIFIED)
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? login : twin.login)(person.email, `guess ${i}`, { ip: '198.51.100.8' })))
  const looked = answers.filter(({ statusCode }) => statusCode === 401).length
  t.equal(await counted(s, VERIFIED) + await counted({ app }, VERIFIED), before + FREE_OF_NETWORK + 1)
  t.equal(looked, FREE_OF_NETWORK + 1)
  t.equal(answers.filter(({ statusCode }) => statusCode === 429).length, 60 - looked)
})

await t.test('a sign-in forgives what failed before it, and after a day so does time', async (t) => {
  const person = await someone()
  await guess(person.email, FREE_OF_NETWORK - 1, () => '192.0.2.20')
  t.equal((await login(person.email, PASSWORD, { ip: '192.0.2.20' })).statusCode, 200)
  t.same(await guess(person.email, FREE_OF_NETWORK + 2, () => '192.0.2.20'), [...Array(FREE_OF_NETWORK + 1).fill(401), 429])
  await pass(person.email, 86_500)
  t.same(await guess(person.email, FREE_OF_NETWORK, () => '192.0.2.20'), Array(FREE_OF_NETWORK).fill(401))
})

await t.test('more passwords at once than may wait are answered 503, and are no failures', async (t) => {
  const small = await startApp(t, { environment: { PASSWORD_HASHES_AT_ONCE: '1', PASSWORD_HASHES_WAITING: '2' } })
  const people = await Promise.all(Array.from({ length: 12 }, () => someone({}, small)))
  const client = clientOf(small)
  const answers = await Promise.all(people.map(({ email }) => client.login(email, 'wrong as it is')))
  const busy = answers.filter(({ statusCode }) => statusCode === 503)
  t.ok(busy.length > 0 && answers.some(({ statusCode }) => statusCode === 401))
  t.match(busy[0]?.json(), { code: 'EDEN_SIGN_IN_BUSY' })
  t.ok(busy.every(({ headers }) => Number(headers['retry-after']) > 0))
  const failed = await small.query('select 1 from sign_in_throttles where failures > 0 and network <> \'0.0.0.0/0\'')
  t.equal(failed.length, answers.length - busy.length)
  for (const { email } of people) t.equal((await client.login(email)).statusCode, 200)
})
