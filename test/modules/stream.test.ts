import pg from 'pg'
import t from 'tap'
import { buildApp } from '../../app.js'
import { createLiveStream } from '../../modules/notifications/streams.js'
import { eventually, startApp, type Person } from '../helper.js'
import { listen, openSse, type SseClient } from '../sse.js'

const environment = { STREAM_HEARTBEAT_MS: '50', STREAM_POLL_MS: '50', STREAM_RETRY_MS: '1234', STREAMS_PER_PERSON: '3' }
const LISTENER = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'eden-erp-listener'"

const s = await startApp(t, { environment })
const port = await listen(s.app)
const project = await s.addProject()
const person = (name: string) => s.addPerson('member', { name, email: `${name.toLowerCase()}@example.com` })
const positionsOf = async ({ id }: Person) => (await s.query('select position::text from notifications where user_id = $1 order by notifications.position', [id])).map(({ position }) => position as string)
const gauge = async () => Number(/^eden_notification_streams (\d+)$/m.exec((await s.app.inject('/metrics')).body)?.[1])
/** Waits for a condition that some other work brings about. */
const ids = (client: SseClient) => client.events.map(({ id }) => id)

await t.test('each notification comes as an event that is the one of the list, in the order of positions; the first block says where it begins', async (t) => {
  const pat = await person('Pat')
  await s.addTask(project.id, { assignee_id: pat.id })
  await s.get('/api/notifications', { as: pat })
  const client = await openSse(port, pat.email)
  t.teardown(client.cut)
  t.equal(client.status, 200)
  t.match(client.headers, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no', 'x-request-id': /./, 'x-content-type-options': 'nosniff' })
  t.equal(client.headers['content-encoding'], undefined, 'nothing holds it back')
  await client.until(() => client.lastId() !== '')
  t.equal(client.retryMs(), 1234)
  for (let n = 0; n < 5; n++) await s.addTask(project.id, { title: `${n}\n`.trim(), assignee_id: pat.id })
  await client.until(() => client.events.length === 5)
  t.same(client.events.map(({ event }) => event), Array(5).fill('notification'))
  t.same(client.events.map(({ data }) => data), (await s.get('/api/notifications?limit=5', { as: pat })).reverse())
  t.same(ids(client), (await positionsOf(pat)).slice(1), 'what was told before it was opened is not told again')
})

await t.test('it resumes after an id, by header or query, of which the header counts; an id from the future is now', async (t) => {
  const sam = await person('Sam')
  for (let n = 0; n < 4; n++) await s.addTask(project.id, { assignee_id: sam.id })
  await s.app.events.settled()
  const positions = await positionsOf(sam)
  for (const [options, expected] of [
    [{ lastId: positions[1] }, positions.slice(2)], [{ query: `?last_event_id=${positions[0]}` }, positions.slice(1)],
    [{ lastId: positions[2], query: '?last_event_id=0' }, positions.slice(3)], [{ lastId: '0' }, positions]
  ] as const) {
    const client = await openSse(port, sam.email, options)
    await client.until(() => client.events.length === expected.length)
    t.same(ids(client), expected)
    client.cut()
  }
  const client = await openSse(port, sam.email, { lastId: '9007199254740991' })
  await client.until(() => client.lastId() !== '')
  await s.addTask(project.id, { assignee_id: sam.id })
  await client.until(() => client.events.length === 1)
  client.cut()
  for (const lastId of ['x', '-1', '1.5', '9007199254740992']) t.equal((await openSse(port, sam.email, { lastId })).status, 400)
})

await t.test('nothing is lost or repeated, whichever instance wrote it, whatever breaks when: streams, listeners, both at random', async (t) => {
  const other = await buildApp(s.app.config)
  t.teardown(() => other.close())
  const ports = [port, await listen(other)]
  const people = await Promise.all(['Ann', 'Bob', 'Cat'].map(person))
  const seen = new Map(people.map(({ id }) => [id, [] as string[]]))
  const state = { writing: true }
  const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T

  const followers = people.map(async (as) => {
    const all = seen.get(as.id) as string[]
    let lastId = '0'
    for (;;) {
      const done = !state.writing
      const client = await openSse(pick(ports), as.email, { lastId })
      if (client.status !== 200) { // its last place is not free yet
        client.cut()
        continue
      }
      const wanted = done ? (await positionsOf(as)).length - all.length : 1 + Math.floor(Math.random() * 6)
      await client.until(() => client.events.length >= wanted || (!done && !state.writing)).catch(() => {})
      client.cut()
      all.push(...ids(client))
      lastId = client.lastId() || lastId
      if (done) return
    }
  })
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let n = 0; n < 40; n++) {
      const app = pick([s.app, other])
      const answer = await app.inject({ method: 'POST', url: `/api/projects/${project.id}/tasks`, headers: { 'x-dev-email': s.admin.email }, payload: { title: `${writer} ${n}`, assignee_id: pick(people).id } })
      t.equal(answer.statusCode, 201)
      if (n % 10 === 5) await s.query(LISTENER)
    }
  })
  await Promise.all(writers)
  await Promise.all([s.app.events.settled(), other.events.settled()])
  state.writing = false // heartbeats wake who waits for one more
  await Promise.all(followers)
  for (const { id, name } of people) t.same(seen.get(id), await positionsOf({ id } as Person), name)
})

await t.test('what takes up more of one task comes again at its new position, and is one row', async (t) => {
  const kim = await person('Kim')
  const task = await s.addTask(project.id)
  const client = await openSse(port, kim.email)
  t.teardown(client.cut)
  await client.until(() => client.lastId() !== '')
  for (let n = 1; n <= 3; n++) {
    await s.post(`/api/tasks/${task.id}/comments`, { body: '@kim' })
    await client.until(() => client.events.length === n)
  }
  t.match(client.events.map(({ data }) => data.event_count), [1, 2, 3])
  t.equal(new Set(client.events.map(({ data }) => data.id)).size, 1)
  t.same(await positionsOf(kim), [client.lastId()])
})

await t.test('without LISTEN it wakes by the poll, by what another instance wrote', async (t) => {
  const deaf = await buildApp({ ...s.app.config, DB_LISTEN: false })
  t.teardown(() => deaf.close())
  const lee = await person('Lee')
  const client = await openSse(await listen(deaf), lee.email)
  await client.until(() => client.lastId() !== '')
  for (let n = 1; n <= 2; n++) {
    await s.addTask(project.id, { assignee_id: lee.id })
    await client.until(() => client.events.length === n)
  }
  t.notOk(deaf.wakeups.isListening())
  client.cut()
})

await t.test('a database that is away for a moment costs a stream nothing', async (t) => {
  const max = await person('Max')
  const client = await openSse(port, max.email)
  t.teardown(client.cut)
  await client.until(() => client.lastId() !== '')
  for (let n = 0; n < 10; n++) {
    await s.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'eden-erp%'")
    await eventually(async () => (await s.ask('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'x', assignee_id: max.id }, headers: { 'idempotency-key': `max-${n}` } })).statusCode === 201)
  }
  await client.until(() => client.events.length === 10)
  t.same(ids(client), await positionsOf(max))
})

await t.test('a quiet stream beats; who is signed out, asks too much or is nobody gets a problem', async (t) => {
  const eve = await person('Eve')
  const client = await openSse(port, eve.email)
  await client.until(() => client.comments.length >= 2)
  t.match(client.comments, [/^: /])
  client.cut()
  t.equal((await openSse(port, 'nobody@example.com')).status, 401)
})

await t.test('a person has so many and no more, each place is given back, and a gauge counts them', async (t) => {
  const zoe = await person('Zoe')
  await eventually(async () => await gauge() === 0)
  const three = await Promise.all([1, 2, 3].map(() => openSse(port, zoe.email)))
  t.equal(await gauge(), 3)
  t.match((await s.ask('GET', '/api/notifications/stream', { as: zoe })).json(), { status: 429, code: 'EDEN_TOO_MANY_STREAMS' })
  t.equal(await gauge(), 3, 'a refusal takes no place')
  const another = await openSse(port, s.member.email)
  t.equal(another.status, 200, 'another person has places of their own')
  three[0]?.cut()
  await eventually(async () => await gauge() === 3)
  const again = await openSse(port, zoe.email)
  t.equal(again.status, 200)
  for (const client of [...three, another, again]) client.cut()
  await eventually(async () => await gauge() === 0)
})

await t.test('it ends in order when its time is up, and the client comes back where it was', async (t) => {
  const short = await buildApp({ ...s.app.config, STREAM_MAX_AGE_MS: 100 })
  t.teardown(() => short.close())
  const ray = await person('Ray')
  const client = await openSse(await listen(short), ray.email)
  t.ok(await client.ended, 'to its last byte')
  await s.addTask(project.id, { assignee_id: ray.id })
  const again = await openSse(port, ray.email, { lastId: client.lastId() })
  await again.until(() => again.events.length === 1)
  again.cut()
})

await t.test('it ends when its person is sent away or may do something else, by what is told and by the poll; who still may comes back where they were', async (t) => {
  const [gil, moe, pam] = await Promise.all([person('Gil'), person('Moe'), person('Pam')])
  const deaf = await buildApp({ ...s.app.config, DB_LISTEN: false })
  t.teardown(() => deaf.close())
  const deafPort = await listen(deaf)
  const heard = await buildApp({ ...s.app.config, STREAM_POLL_MS: 3_600_000 })
  t.teardown(() => heard.close())
  const heardPort = await listen(heard)

  const [told, polled, other, bystander] = await Promise.all([openSse(heardPort, gil.email), openSse(deafPort, gil.email), openSse(heardPort, moe.email), openSse(heardPort, pam.email)])
  await eventually(async () => heard.wakeups.isListening())
  await s.query('update users set is_active = false where id = $1', [gil.id])
  t.same(await Promise.all([told.ended, polled.ended]), [true, true])
  t.equal((await openSse(heardPort, gil.email)).status, 401)

  await s.ask('PUT', `/api/users/${moe.id}/roles/manager`)
  t.ok(await other.ended)
  await s.addTask(project.id, { assignee_id: moe.id })
  const again = await openSse(heardPort, moe.email, { lastId: other.lastId() })
  await again.until(() => again.events.length === 1)
  t.notOk(bystander.response.complete, 'others go on')
  for (const client of [again, bystander]) client.cut()
})

await t.test('one whose person is sent away while it opens ends as soon as it is open', async (t) => {
  const opening = await buildApp({ ...s.app.config, STREAM_POLL_MS: 3_600_000 })
  t.teardown(() => opening.close())
  const at = await listen(opening)
  const [kit, lou] = await Promise.all([person('Kit'), person('Lou')])
  const first = await openSse(at, lou.email) // with it the instance begins to listen
  await eventually(async () => opening.wakeups.isListening())
  const holder = new pg.Client({ connectionString: s.url })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query('lock table event_cursors in access exclusive mode') // where a stream begins is asked of it
  const late = openSse(at, kit.email)
  await eventually(async () => /^eden_notification_streams 2$/m.test((await opening.inject('/metrics')).body))
  await s.query('update users set is_active = false where id = $1', [kit.id])
  await opening.actors.settled()
  await holder.query('commit')
  t.ok(await (await late).ended)
  first.cut()
})

await t.test('closing ends open streams in order, also of a client that takes nothing, and does not hang', async (t) => {
  const closing = await buildApp({ ...s.app.config, STREAM_HEARTBEAT_MS: 600_000 })
  const at = await listen(closing)
  const ivy = await person('Ivy')
  const [taking, idle] = await Promise.all([openSse(at, ivy.email), openSse(at, ivy.email, { take: false })])
  await taking.until(() => taking.lastId() !== '')
  await closing.close()
  t.ok(await taking.ended)
  idle.cut()
})

await t.test('nothing comes of what the person may not see any more', async (t) => {
  const [tim, ben] = await Promise.all([person('Tim'), person('Ben')])
  const hidden = await s.addProject({ visibility: 'members' })
  for (const { id } of [tim, ben]) await s.ask('PUT', `/api/projects/${hidden.id}/members/${id}`, { body: { role: 'member' } })
  await s.addTask(hidden.id, { assignee_id: tim.id, ball_in_court: ben.id })
  await s.app.events.settled()
  await s.ask('DELETE', `/api/projects/${hidden.id}/members/${tim.id}`)
  const visible = await s.addTask(project.id, { assignee_id: tim.id })
  const client = await openSse(port, tim.email, { lastId: '0' })
  await client.until(() => client.events.length > 0)
  t.same(client.events.map(({ data }) => data.task_id), [visible.id])
  client.cut()
})

await t.test('a client that takes nothing costs one batch, and is dropped after two beats', async (t) => {
  let fetched = 0
  const closed = new Promise<void>((resolve) => {
    const { readable } = createLiveStream({
      after: 0,
      fetch: async (after) => { fetched++; return Array.from({ length: 100 }, (_, n) => ({ position: after + n + 1 })) },
      batch: 100,
      format: () => `data: ${'x'.repeat(1000)}`,
      heartbeatMs: 10,
      retryMs: 1,
      maxAgeMs: 1e6,
      onError: (error) => { throw error },
      onClose: resolve
    })
    readable.read(1) // begins to read, and stops
  })
  const alive = setInterval(() => {}, 1000) // its timers keep no process alive
  await closed
  clearInterval(alive)
  t.equal(fetched, 1)
})
