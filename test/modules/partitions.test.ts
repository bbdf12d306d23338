import t from 'tap'
import { ensureActivityPartitions } from '../../modules/activity/index.js'
import { startApp } from '../helper.js'

const partitions = "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'activity_log'::regclass and c.relname ~ '_\\d{4}_\\d\\d$' order by 1"

await t.test('partitions are made ahead, once, and each is as the others', async (t) => {
  const s = await startApp(t)
  const before = (await s.query(partitions)).length
  const made = await ensureActivityPartitions(s.app.db, 24)
  t.equal(made.length, 6, 'the migrations made 18 months')
  t.same(await ensureActivityPartitions(s.app.db, 24), [])
  t.equal((await s.query(partitions)).length, before + 6)
  await Promise.all([ensureActivityPartitions(s.app.db, 30), ensureActivityPartitions(s.app.db, 30), s.addProject()])
  t.equal((await s.query(partitions)).length, before + 12)
  const shapes = await s.query(`select distinct array(select tgname::text from pg_trigger where tgrelid = c.oid and not tgisinternal order by 1) as triggers,
    (select count(*)::int from pg_index where indrelid = c.oid) as indexes, (select count(*)::int from pg_constraint where conrelid = c.oid and contype <> 'n') as constraints
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'activity_log'::regclass`)
  t.equal(shapes.length, 1, JSON.stringify(shapes))
})

await t.test('events that came before their partition move into it, and the log goes on as one', async (t) => {
  const s = await startApp(t)
  const project = await s.addProject()
  await s.query(`
    with logged as (
      insert into activity_log (id, created_at, entity_type, entity_id, action, actor_id, project_id, version)
      select gen_random_uuid(), date_trunc('month', now()) + interval '20 months' + make_interval(days => n), 'project', $2, 'updated', $1, $2, n from generate_series(1, 40) n
      returning id, created_at
    ) insert into event_outbox (event_id, event_at) select id, created_at from logged`, [s.admin.id, project.id])
  s.app.events.poke()
  await s.app.events.settled()
  const state = async () => s.query('select * from activity_log order by created_at, id')
  const before = await state()
  t.match(await s.query('select count(*)::int from activity_log_default'), [{ count: 40 }])
  const writing = Promise.all(Array.from({ length: 10 }, (_, n) => s.patch(`/api/projects/${project.id}`, { name: `${n}` })))
  t.equal((await ensureActivityPartitions(s.app.db, 20)).length, 2)
  await writing
  const left = await s.query('select count(*)::int from activity_log_default')
  t.ok(left[0].count > 0 && left[0].count < 40, 'those of the month after wait for theirs')
  t.equal((await ensureActivityPartitions(s.app.db, 22)).length, 2)
  t.match(await s.query('select count(*)::int from activity_log_default'), [{ count: 0 }])
  const known = new Set(before.map(({ id }) => id))
  t.same((await state()).filter(({ id }) => known.has(id)), before)
  t.equal((await s.get('/api/changes?limit=200')).length, 51)
  for (const table of ['activity_log', 'activity_log_default']) await t.rejects(s.query(`truncate ${table}`), { constraint: 'append_only' } as any)
  await s.query('insert into activity_log (id, created_at, entity_type, entity_id, action, actor_id, version) values (gen_random_uuid(), now() + interval \'50 years\', \'user\', $1, \'updated\', $1, 1)', [s.admin.id])
  await t.rejects(s.query('delete from activity_log_default'), { constraint: 'append_only' } as any, 'what was away is append-only again')
  t.same(await s.query('select conname from pg_constraint where conparentid = 0 and conrelid = \'activity_log_default\'::regclass and contype in (\'f\', \'p\')'), [], 'and its keys are the log\'s')
})

await t.test('TRUNCATE of the log and of each partition is refused, also for its owner and by cascade', async (t) => {
  const s = await startApp(t)
  await s.addProject()
  await ensureActivityPartitions(s.app.db, 19)
  const [{ count }] = await s.query('select count(*)::int from activity_log')
  for (const { name } of [{ name: 'activity_log' }, { name: 'activity_log_default' }, ...await s.query(partitions)]) {
    await t.rejects(s.query(`truncate ${name}`), { constraint: 'append_only' } as any, name)
  }
  await t.rejects(s.query('truncate projects cascade'), { constraint: 'append_only' } as any)
  t.match(await s.query('select count(*)::int from activity_log'), [{ count }])
})

await t.test('many who write at the same time wait, and none of them or of those who make partitions fails', async (t) => {
  const s = await startApp(t, { environment: { DB_POOL_MAX: '12' } })
  const project = await s.addProject()
  const task = await s.addTask(project.id)
  const state = { making: true, writes: 0 }
  const writers = [['PATCH', `/api/tasks/${task.id}`, 'title'], ['PATCH', `/api/projects/${project.id}`, 'name'], ['PATCH', '/api/me', 'name'], ['POST', `/api/projects/${project.id}/tasks`, 'title'], ['POST', `/api/tasks/${task.id}/comments`, 'body']] as const
  const failed: string[] = []
  const writing = writers.map(async ([method, path, field]) => {
    for (let n = 0; state.making; n++) {
      const answer = await s.ask(method, path, { body: { [field]: `${n}` }, ...(method === 'POST' ? { headers: { 'idempotency-key': `${path}-${n}` } } : {}) })
      if (answer.statusCode >= 400) failed.push(answer.body)
      state.writes++
    }
  })
  for (let months = 19; months <= 40; months++) {
    const before = state.writes
    while (state.writes < before + 5) await new Promise((resolve) => setImmediate(resolve))
    await ensureActivityPartitions(s.app.db, months)
  }
  state.making = false
  await Promise.all(writing)
  t.same(failed, [])
})
