/** Ten thousand wrong passwords, as a botnet would send them: how many are looked at, what they give away, and who is in their way. */
import { hash } from '@node-rs/argon2'
import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import { PARAMETERS } from '../../modules/accounts/passwords/hasher.js'
import { FREE_OF_STRANGERS } from '../../modules/accounts/sign-in/lockout.js'
import { counted } from '../accounts.js'
import { eventually, startApp } from '../helper.js'
import { takeLog } from '../logs.js'

const RIGHT = 'only the owner knows this one'
const PEOPLE = 20
/** By the clock: in each a fifth of the networks tries, from one address of its own. */
const MINUTES = 5
const NETWORKS = 200
const TRIES = 50
const ALLOWED = 20
/** As many at once as a busy service has, and fewer than may wait for a hash. */
const AT_ONCE = 50

let now = new Date('2026-03-06T12:00:00Z')
const s = await startApp(t, { clock: () => now, environment: { TRUST_PROXY: 'loopback', RATE_LIMIT_SIGN_IN: String(ALLOWED), LOG_LEVEL: 'warn' } })
const log = takeLog(s.app)
const login = (email: string, password: string, ip: string, trusted = '') => s.app.inject({ method: 'POST', url: '/api/auth/login', remoteAddress: '127.0.0.1', headers: { 'x-forwarded-for': `${trusted}${ip}` }, payload: { email, password } })
const verified = () => counted(s, 'eden_password_hashes_total{work="verify"}')
const FLOOD = ['sign_in_failed', 'sign_in_throttled', 'rate_limited'] as const
const eventsSoFar = () => Promise.all(FLOOD.map((event) => counted(s, `eden_security_events_total{event="${event}"}`)))

// Not the cheap hash of other tests: what is verified for nobody costs as much as this.
const passwordHash = await hash(RIGHT, PARAMETERS)
const people = await Promise.all(Array.from({ length: PEOPLE }, (_, i) => s.addPerson('member', { email: `somebody.${String(i).padStart(2, '0')}@example.com` })))
await s.query('insert into user_credentials (user_id, password_hash) select unnest($1::uuid[]), $2', [people.map(({ id }) => id), passwordHash])
/** One that is there, one that is not, and so on. */
const emails = people.flatMap(({ email }) => [email, email.replace('some', 'no')])
const owner = people[0]?.email as string
/** The network that all of them signed in from. */
const home = (i: number) => `192.0.2.${10 + i}`

/** What can be seen of an answer, but for its own id and time and how many tries the address has left. */
function seen ({ statusCode, headers, body }: LightMyRequestResponse): string {
  const { request_id: _id, ...problem } = JSON.parse(body)
  const { 'x-request-id': _header, date: _date, ratelimit: _left, ...rest } = headers
  return JSON.stringify([statusCode, problem, rest])
}

/** Does what there is to do, so many at once. */
async function inTurn<T> (work: T[], one: (item: T) => Promise<void>): Promise<void> {
  const left = [...work]
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await one(item)
  }))
}

await t.test('ten thousand wrong passwords at twenty people and twenty others, from two hundred networks in five minutes', { timeout: 240_000 }, async (t) => {
  for (const [i, { email }] of people.entries()) t.equal((await login(email, RIGHT, home(i))).statusCode, 200)
  const before = await verified()
  const answers = new Map(emails.map((email) => [email, new Map<string, number>()]))
  const codes: Record<string, number> = {}
  const memory = process.memoryUsage.rss()
  let most = 0
  let sent = 0
  for (let minute = 0; minute < MINUTES; minute++) {
    now = new Date(now.getTime() + 60_000)
    const networks = Array.from({ length: NETWORKS / MINUTES }, (_, n) => minute * NETWORKS / MINUTES + n)
    const flood = inTurn(networks, async (network) => {
      for (let i = 0; i < TRIES; i++) {
        // Each begins with another, so that all are tried as often, and as often by who has no tries left. What a client writes before its address is nobody's.
        const email = emails[(network * TRIES + i) % emails.length] as string
        const answer = await login(email, `wrong ${sent++}`, `198.18.${network}.7`, `${home(0)}, `)
        const answersOf = answers.get(email) as Map<string, number>
        const text = seen(answer)
        answersOf.set(text, (answersOf.get(text) ?? 0) + 1)
        const code = `${answer.statusCode} ${answer.json().code}`
        codes[code] = (codes[code] ?? 0) + 1
      }
      most = Math.max(most, process.memoryUsage.rss() - memory)
    })
    if (minute === 2) t.equal((await login(owner, RIGHT, home(0))).statusCode, 200, 'an owner signs in while it goes on, from where they are known')
    await flood
  }
  const looked = await verified() - before - 1
  t.comment(`${sent} tried, ${looked} looked at; ${most >> 20} MiB more at most`, codes)

  // Ten free, and then one more each time that the delay is over, which doubles: within five minutes of ten thousand 600.
  const each = FREE_OF_STRANGERS + 1 + MINUTES - 1
  t.equal(looked, emails.length * each)
  t.same(codes, { '401 EDEN_SIGN_IN_FAILED': looked, '429 EDEN_SIGN_IN_THROTTLED': NETWORKS * ALLOWED - looked, '429 EDEN_RATE_LIMITED': NETWORKS * (TRIES - ALLOWED) }, 'nobody was let in, and nothing broke')
  const [first, ...others] = [...answers.values()].map((of) => [...of].sort())
  t.ok(first !== undefined && first.length > MINUTES && others.every((other) => JSON.stringify(other) === JSON.stringify(first)), 'all forty got the same answers and headers, as often: who is there cannot be told')
  t.ok(most < 512 << 20, 'ten thousand hashes at once would be 190 GB')
  t.equal((await login(owner, RIGHT, home(0))).statusCode, 200, 'the owner signs in after it, at once')
  t.match((await login(owner, RIGHT, '198.51.100.1')).json(), { status: 429, code: 'EDEN_SIGN_IN_THROTTLED' }, 'who has guessed it does not get in either, before the delay is over')
})

await t.test('the alerts count every one of them, and the log and the audit log have them as a few lines', async (t) => {
  const counts = await eventsSoFar()
  t.same(counts, [600, 3401, 6000])
  const lines = () => FLOOD.map((event) => log.filter(({ security }) => security === event))
  const told = () => lines().map((of) => of.reduce((sum, { suppressed = 1 }) => sum + suppressed, 0))
  await eventually(() => JSON.stringify(told()) === JSON.stringify(counts)) // the rest of the last second
  const rows = await eventually(async () => {
    await s.app.auditTrail.written()
    const found = await s.query<{ event: string, rows: number, times: number }>('select event, count(*)::int as rows, sum(times)::int as times from audit_events where event = any($1) group by event', [FLOOD])
    return found.reduce((sum, { times }) => sum + times, 0) === counts.reduce((sum, count) => sum + count) && found
  })
  t.same(FLOOD.map((event) => rows.find((row) => row.event === event)?.times), counts, 'none is missing')
  for (const of of [lines().flat().length, rows.reduce((sum, { rows: n }) => sum + n, 0)]) t.ok(of < 1000, `${of} for ten thousand`)
  t.notMatch(log.map((line) => JSON.stringify(line)).join('\n') + JSON.stringify(await s.query('select * from audit_events')), /wrong \d|only the owner/, 'no password is among them')
  t.ok(lines().flat().every(({ ip }) => ip === undefined || /^198\./.test(ip)), 'where they came from is what the proxy says, not what they do')
})

await t.test('four hundred at once, for an address of its own each: what cannot wait is refused, and is no failure', { timeout: 120_000 }, async (t) => {
  now = new Date(now.getTime() + 60_000)
  const before = await verified()
  const memory = process.memoryUsage.rss()
  let most = 0
  const timer = setInterval(() => { most = Math.max(most, process.memoryUsage.rss() - memory) }, 20)
  t.teardown(() => clearInterval(timer))
  const statuses = (await Promise.all(Array.from({ length: 400 }, (_, i) => login(`sprayed.${i}@example.com`, 'Password-2026', `198.19.${i % 250}.${i >> 8}`)))).map(({ statusCode }) => statusCode)
  const count = (status: number) => statuses.filter((one) => one === status).length
  t.equal(count(401), await verified() - before)
  t.equal(count(401) + count(503), 400)
  t.ok(count(401) > 0 && count(503) > 0)
  t.ok(most < 512 << 20, `${most >> 20} MiB more`)
  t.equal((await login(owner, RIGHT, home(0))).statusCode, 200)
  t.equal((await login('sprayed.399@example.com', 'Password-2026', '198.51.100.1')).statusCode, 401)
  t.comment(`${count(401)} looked at, ${count(503)} refused; ${most >> 20} MiB more at most`)
})
