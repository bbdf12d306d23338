/**
 * Every operation of the OpenAPI document, with requests that are made from its own schemas: right, almost right and hostile,
 * by all kinds of people. None ends in 5xx, none hangs, and no answer is one that the document does not have.
 *
 *   EDEN_FUZZ_SEED        repeats a run: `EDEN_FUZZ_SEED=… npm test -- test/attacks/fuzz.test.ts`
 *   EDEN_FUZZ_REQUESTS    how many, for long runs by hand: `EDEN_FUZZ_REQUESTS=100000 EDEN_TEST_TIMEOUT_S=36000 npm test -- test/attacks/fuzz.test.ts`
 *   EDEN_FUZZ_AT_ONCE     how many at a time: more than one finds races, but does not repeat them
 *
 * At the end each operation is asked once rightly, and succeeds: whatever was done to the service, it still does all it can.
 */
import { randomInt } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import t from 'tap'
import { startApp } from '../helper.js'
import { listen } from '../sse.js'
import { judgeOf, type Answer } from './fuzz/judge.js'
import { randomOf } from './fuzz/random.js'
import { operationsOf, requestTo, type Asked, type Operation } from './fuzz/requests.js'
import { createWorld } from './fuzz/world.js'

const seed = Number(process.env.EDEN_FUZZ_SEED ?? randomInt(1, 2 ** 31))
const count = Number(process.env.EDEN_FUZZ_REQUESTS ?? 2000)
const atOnce = Number(process.env.EDEN_FUZZ_AT_ONCE ?? 1)
const BOUND_MS = 10_000
/** After so many requests there are new people and things. */
const RENEW_EVERY = 200
const MOST_FAULTS = 20
const SHOWN = 1500

t.comment(`EDEN_FUZZ_SEED=${seed}`)
const s = await startApp(t, { environment: { DB_POOL_MAX: String(Math.max(5, atOnce)), SMTP_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'Eden <eden@example.com>' } })
const document = (await s.app.inject('/openapi.json')).json()
const operations = operationsOf(document)
const judge = judgeOf(document)
const world = await createWorld(s)
const port = await listen(s.app)

/** A stream has no end: its head is enough, and then the client leaves. */
function askStream ({ method, url, headers }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (response) => {
      const isEndless = String(response.headers['content-type']).startsWith('text/event-stream')
      const chunks: Buffer[] = []
      const done = () => resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) })
      response.on('error', () => {})
      if (isEndless) {
        done()
        response.destroy()
        return
      }
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', done)
    })
    request.on('error', reject).end()
  })
}

async function ask (asked: Asked): Promise<Answer> {
  if (asked.operation.responses[200]?.content?.['text/event-stream'] !== undefined) return askStream(asked)
  const { statusCode: status, headers, rawPayload: bytes } = await s.app.inject({ method: asked.method as 'GET', url: asked.url, headers: asked.headers, payload: asked.body })
  return { status, headers, bytes }
}

/** The answer, or that there is none in time. */
async function within (asked: Asked): Promise<Answer | string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => { timer = setTimeout(resolve, BOUND_MS, `no answer within ${BOUND_MS} ms`) })
  try {
    return await Promise.race([ask(asked), late])
  } catch (error) {
    return `no answer: ${String(error)}`
  } finally {
    clearTimeout(timer)
  }
}

const cut = (text: string) => text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text
const statuses = new Map<string, number>()
const tally = new Map<string, number>()
const reached = new Map<string, number>()
const faults = new Map<string, { fault: string, times: number, turn: number, asked: Asked }>()

/** Asks, and holds the answer to the document. @returns whether it is a success */
async function turn (number: number, sure?: Operation): Promise<boolean> {
  const random = randomOf(seed, number)
  const operation = sure ?? operations[(number + random.below(3)) % operations.length] as Operation
  const asked = await requestTo(operation, random, world, sure !== undefined)
  const answer = await within(asked)
  if (typeof answer !== 'string') {
    const kind = `${asked.mode} ${String(answer.status)[0]}xx`
    tally.set(kind, (tally.get(kind) ?? 0) + 1)
    if (answer.status < 400) reached.set(operation.route, (reached.get(operation.route) ?? 0) + 1)
    let body: any
    try { body = JSON.parse(answer.bytes.toString()) } catch { /* no JSON */ }
    const status = answer.status < 500 ? String(answer.status) : `${answer.status} ${body?.code} of ${operation.route}`
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    world.learn(operation.route, answer.status, body, answer.headers['link'])
    // Most of what was deleted comes back, or there would soon be nothing to ask for.
    if (asked.method === 'DELETE' && answer.status === 200 && random.chance(0.8)) await s.ask('POST', `${asked.url.split('?', 1)[0]}/restore`)
    if (answer.status === 401 && asked.who === 'admin' && !operation.isPublic) await world.renew() // was sent away
  }
  const isSuccess = typeof answer !== 'string' && answer.status < 400
  const fault = typeof answer === 'string' ? answer : judge(asked, answer)
  if (fault === undefined) return isSuccess
  const kind = `${operation.route}: ${fault.replaceAll(/[0-9a-f-]{36}|\d{4,}/g, '#').slice(0, 60)}`
  const known = faults.get(kind)
  if (known === undefined) faults.set(kind, { fault, times: 1, turn: number, asked })
  else known.times++
  return isSuccess
}

/** Asks an operation rightly, with new things when the old ones do not do: what else was asked may have ended them. */
async function succeeds (operation: Operation): Promise<boolean> {
  for (let attempt = 0; attempt < 3; attempt++) {
    if (attempt > 0) await world.renew()
    if (await turn(count + attempt, operation)) return true
  }
  return false
}

const sorted = (map: Map<string, number>) => [...map].sort(([a], [b]) => a < b ? -1 : 1).map(([what, times]) => `${what}: ${times}`).join(', ')

await t.test('whatever is sent to an operation, its answer is one that the document has', { timeout: 24 * 3_600_000 }, async (t) => {
  let asked = 0
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (asked < count && faults.size < MOST_FAULTS) {
      const number = asked++
      if (number > 0 && number % RENEW_EVERY === 0) await world.renew()
      await world.steady()
      // Many at once also ask the very same thing twice.
      await turn(atOnce > 1 && number % 3 === 2 ? number - 1 : number)
    }
  }))
  t.comment(`${asked} requests to ${operations.length} operations; ${sorted(statuses)}`)
  t.comment(sorted(tally))
  t.comment(`never answered by a success: ${operations.map(({ route }) => route).filter((route) => !reached.has(route)).join(', ') || 'none'}`)
  await world.renew()
  const failing: string[] = []
  for (const operation of operations) if (!await succeeds(operation)) failing.push(operation.route)
  t.same(failing, [], 'every operation succeeds for who asks it rightly')
  // They are answered as busy, but are a bug: two changes take the same locks in another order.
  t.match(await s.query('select deadlocks from pg_stat_database where datname = current_database()'), [{ deadlocks: '0' }], 'no deadlocks')
  for (const [kind, { fault, times, turn, asked: { who, mode, method, url, headers, body } }] of faults) {
    t.fail(kind, {
      fault: cut(fault),
      times,
      request: `${turn}: ${mode}, ${who}`,
      method,
      url: cut(url),
      headers: cut(JSON.stringify(headers)),
      body: cut(body?.toString() ?? ''),
      repeat: `EDEN_FUZZ_SEED=${seed} EDEN_FUZZ_REQUESTS=${count} EDEN_TEST_TIMEOUT_S=36000 npm test -- test/attacks/fuzz.test.ts`
    })
  }
  if (faults.size === 0) t.pass(`${asked} requests`)
  t.equal(({} as Record<string, unknown>)['polluted'], undefined, 'no prototype was changed')
})
