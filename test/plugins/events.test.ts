import { sql } from 'kysely'
import { v7 as uuidv7 } from 'uuid'
import t from 'tap'
import { buildApp } from '../../app.js'
import { numberEvents } from '../../plugins/events.js'
import { startApp } from '../helper.js'

/** Events as a killed instance leaves them: committed, and not numbered. */
const leave = (s: Awaited<ReturnType<typeof startApp>>, count: number) => s.query(`
  with logged as (
    insert into activity_log (id, created_at, entity_type, entity_id, action, actor_id, version)
    select (select array_agg(v) from unnest($2::uuid[]) v)[n], clock_timestamp(), 'user', $1, 'updated', $1, 1 from generate_series(1, $3::int) n
    returning id, created_at
  )
  insert into event_outbox (event_id, event_at) select id, created_at from logged`, [s.admin.id, Array.from({ length: count }, () => uuidv7()), count])

await t.test('events that a killed instance left are numbered, gapless, however many', async (t) => {
  const s = await startApp(t)
  await leave(s, 2500)
  s.app.events.poke()
  await s.app.events.settled()
  t.match(await s.query('select count(*)::int, min(position)::int, max(position)::int from event_positions'), [{ count: 2500, min: 1, max: 2500 }])
  t.same(await s.query('select from event_outbox'), [])
  t.match(await s.query('select last_position::int from event_sequencer'), [{ last_position: 2500 }])
})

await t.test('two instances that number at once give each event one position', async (t) => {
  const s = await startApp(t)
  const other = await buildApp(s.app.config)
  t.teardown(() => other.close())
  await leave(s, 3000)
  await Promise.all(Array.from({ length: 8 }, (_, i) => numberEvents((i % 2 === 0 ? s.app : other).db)))
  t.match(await s.query('select count(*)::int, count(distinct event_id)::int as events, max(position)::int from event_positions'), [{ count: 3000, events: 3000, max: 3000 }])
})

await t.test('a consumer that fails is tried again, and misses nothing', async (t) => {
  const s = await startApp(t)
  let failing = true
  const seen: number[] = []
  s.app.events.consume(async (_db, upTo) => {
    if (failing) throw new Error('not now')
    seen.push(upTo)
  })
  await s.addProject()
  await s.app.events.settled()
  failing = false
  s.app.events.poke()
  await s.app.events.settled()
  t.same([...new Set(seen)], [1], 'the poll may have asked, too')
})

await t.test('who reads waits for what was committed before, not for all that others go on writing', async (t) => {
  const s = await startApp(t, { environment: { DB_POOL_MAX: '10' } })
  const { id } = await s.addProject()
  const task = await s.addTask(id)
  const seen = { reading: true, writes: 0 }
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    while (seen.reading) {
      await s.patch(`/api/tasks/${task.id}`, { title: `Write ${writer} ${seen.writes}` })
      seen.writes++
    }
  })
  while (seen.writes < 8) await new Promise((resolve) => setImmediate(resolve))
  const before = seen.writes
  await s.get('/api/changes')
  seen.reading = false
  await Promise.all(writers)
  t.ok(seen.writes - before < 200, `${seen.writes - before} writes meanwhile`)
})

await t.test('a database that takes no changes at the moment is a 503', async (t) => {
  const s = await startApp(t, { environment: { DB_POOL_MAX: '1' } })
  const project = await s.addProject()
  await sql`set default_transaction_read_only = on`.execute(s.app.db)
  const answer = await s.ask('PATCH', `/api/projects/${project.id}`, { body: { name: 'Never' } })
  t.match(answer.json(), { status: 503, code: 'EDEN_DATABASE_UNAVAILABLE' })
  await sql`set default_transaction_read_only = off`.execute(s.app.db)
})
