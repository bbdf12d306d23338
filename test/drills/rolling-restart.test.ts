import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import { migrateToLatest, releaseMigrations } from '../../plugins/database/migrator.js'
import { createTestDatabase } from '../database.js'
import { server } from '../program.js'
import { openSse, type SseClient } from '../sse.js'
import { startBalancer, type Balancer } from './balancer.js'

t.setTimeout(600_000) // six processes start, one after the other, which takes a loaded machine its time
/** How long an instance goes on after SIGTERM: many probes' worth, on a slow machine too. */
const SHUTDOWN_DELAY_MS = 5000
/** From SIGTERM to the end, with room for a loaded machine. */
const EXIT_WITHIN_MS = 40_000
const WORKERS = 3
const admin = { 'x-dev-email': 'admin@example.com' }

interface Instance { child: ChildProcess, port: number, ended: Promise<{ code: number | null, output: string }> }

/** A real process of the service, once the balancer gives it requests. */
async function startInstance (t: Test, url: string, balancer: Balancer): Promise<Instance> {
  const child = spawn(process.execPath, server, {
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_ENV: 'development',
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_LEVEL: 'warn',
      DATABASE_URL: url,
      DB_POOL_MAX: '5',
      SHUTDOWN_DELAY_MS: String(SHUTDOWN_DELAY_MS),
      PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0' // a busy machine is not what this is about
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => { child.kill('SIGKILL') })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }))
  const port = () => Number(/^ {2}API +http:\S+:(\d+)\/api$/m.exec(output)?.[1] ?? 0)
  while (port() === 0 && child.exitCode === null) await delay(20)
  if (port() === 0) throw new Error(`it never listened: ${output}`)
  balancer.add(port())
  while (!balancer.isReady(port())) await delay(20)
  return { child, port: port(), ended }
}

/** Asks over connections that are kept; what does not come to an answer rejects. */
function createClient (port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: WORKERS })
  const ask = (method: string, path: string, { body, headers = {} }: { body?: object, headers?: Record<string, string> } = {}) => new Promise<{ status: number, json: any, text: string }>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method, path, agent, headers: { ...admin, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk) => { text += chunk }).on('error', reject).on('end', () => {
        resolve({ status: answer.statusCode ?? 0, text, get json () { return JSON.parse(text) } })
      })
    })
    asked.on('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
  return { ask, close: () => agent.destroy() }
}

/** One live stream that is opened again from where it was, whenever it ends, as a browser does it. */
function follow (port: number, email: string) {
  const ids: string[] = []
  const problems: string[] = []
  let opened = 0
  const until = new AbortController()
  let current: SseClient | undefined
  const done = (async () => {
    for (let lastId = '0'; !until.signal.aborted;) {
      try {
        const stream = await openSse(port, email, { lastId })
        if (stream.status !== 200) {
          problems.push(`the stream was answered ${stream.status}`)
          await delay(50)
          continue
        }
        opened++
        current = stream
        if (until.signal.aborted) stream.cut()
        await stream.ended
        ids.push(...stream.events.map(({ id }) => id))
        current = undefined
        lastId = stream.lastId()
      } catch (error) {
        problems.push(`the stream was not opened: ${(error as Error).message}`)
        await delay(50)
      }
    }
  })()
  return {
    ids,
    problems,
    seen: () => ids.length + (current?.events.length ?? 0),
    opened: () => opened,
    stop: async () => {
      until.abort()
      current?.cut()
      await done
    }
  }
}

await t.test('two instances are restarted in turn, twice, under load: no request fails, nothing that was acknowledged is lost or done twice, the stream misses and repeats nothing', { timeout: 580_000 }, async (t) => {
  const url = await createTestDatabase(t as never)
  const db = new pg.Client(url)
  await db.connect()
  t.teardown(() => db.end())
  const member = '01900000-0000-7000-8000-000000000002'
  await db.query(`
    insert into users (id, email, name) values ('01900000-0000-7000-8000-000000000001', 'admin@example.com', 'Ada Min'), ('${member}', 'member@example.com', 'Mem Ber');
    insert into user_roles select '01900000-0000-7000-8000-000000000001'::uuid, id from roles where slug = 'admin' union all select '${member}'::uuid, id from roles where slug = 'member'`)
  const balancer = await startBalancer()
  t.teardown(() => balancer.close())
  let instances: Instance[] = await Promise.all([startInstance(t, url, balancer), startInstance(t, url, balancer)])
  const { ask, close } = createClient(balancer.port)
  t.teardown(close)
  const project = (await ask('POST', '/api/projects', { body: { code: 'ROLL', name: 'Rolling' } })).json
  await ask('POST', `/api/projects/${project.id}/members`, { body: { user_id: member } })
  const stream = follow(balancer.port, 'member@example.com')

  // Steady and bounded: each worker asks again when it was answered, after a short breath.
  const load = new AbortController()
  const counts: Record<string, number> = {}
  const failures: string[] = []
  const acknowledged = new Map<string, string>()
  async function one (method: string, path: string, options: Parameters<typeof ask>[2] = {}) {
    const kind = method === 'GET' ? 'reads' : method === 'POST' ? 'tasks added' : 'tasks changed'
    counts[kind] = (counts[kind] ?? 0) + 1
    const answer = await ask(method, path, options).catch((error: Error) => ({ status: 0, text: error.message, json: undefined }))
    if (answer.status < 200 || answer.status >= 300) failures.push(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 200)}`)
    return answer
  }
  const workers = Promise.all(Array.from({ length: WORKERS }, async (_, worker) => {
    for (let n = 0; !load.signal.aborted; n++) {
      const title = `task ${worker}-${n}`
      const added = await one('POST', `/api/projects/${project.id}/tasks`, { body: { title, assignee_id: member }, headers: { 'idempotency-key': title.replace(' ', '-') } })
      if (added.status !== 201) continue
      acknowledged.set(added.json.id, title)
      await one('PATCH', `/api/tasks/${added.json.id}`, { body: { description: title } })
      await one('GET', `/api/tasks/${added.json.id}`)
      await one('GET', `/api/projects/${project.id}/tasks?limit=5`)
      await delay(100)
    }
  }))

  const exits: number[] = []
  for (let round = 0; round < 2; round++) {
    for (const old of instances) {
      const began = performance.now()
      old.child.kill('SIGTERM')
      const { code, output } = await old.ended
      exits.push(Math.round(performance.now() - began))
      t.equal(code, 0, output)
      balancer.remove(old.port)
      const next = await startInstance(t, url, balancer)
      instances = [...instances.filter((instance) => instance !== old), next]
    }
    if (round === 0) {
      // The next release's migration, while the instances of this one serve.
      const more = { '20991231000000_of_later': { up: async (db: any) => { await sql`alter table tasks add column of_later text`.execute(db) } } }
      t.same(await migrateToLatest(url, { provider: { getMigrations: async () => ({ ...await releaseMigrations.getMigrations(), ...more }) }, attempts: 20 }), ['20991231000000_of_later'])
    }
  }
  load.abort()
  await workers

  t.same(failures, [], 'no request failed')
  t.same(stream.problems, [], 'the stream was always opened again')
  t.ok(exits.every((ms) => ms < EXIT_WITHIN_MS), `${exits.join(', ')} ms from SIGTERM to exit 0`)
  const { rows } = await db.query<{ id: string, title: string, description: string }>('select id, title, description from tasks order by id')
  t.same(rows.map(({ id, title }) => `${id} ${title}`), [...acknowledged].map(([id, title]) => `${id} ${title}`).sort(), 'every task that was acknowledged is there once, and no other')
  t.same(rows.filter(({ title, description }) => title !== description), [], 'every change is there')

  // What is told of the last tasks may still be on its way.
  const told = async () => (await db.query<{ task_id: string, position: string }>('select task_id, position from notifications where user_id = $1 and position is not null order by notifications.position', [member])).rows
  while (new Set((await told()).map(({ task_id: task }) => task)).size < acknowledged.size || (await db.query('select from event_outbox')).rowCount !== 0) await delay(50)
  const expected = (await told()).map(({ position }) => position)
  while (stream.seen() < expected.length) await delay(50)
  await stream.stop()
  t.same(stream.ids, expected, 'the stream told all that was to be told, in order, once')
  t.ok(stream.opened() >= 3, `opened ${stream.opened()} times`)
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  t.equal(balancer.answered().length, 6, 'six processes took part')
  t.comment(`${total} requests (${Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(', ')}), 0 failed; by instance ${balancer.answered().join(', ')}; stream opened ${stream.opened()} times, ${stream.ids.length} events; SIGTERM to exit ${exits.join(', ')} ms`)
  for (const { child } of instances) child.kill('SIGTERM')
  for (const { ended } of instances) t.equal((await ended).code, 0)
})
