import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const unknown = '01900000-0000-7000-8000-00000000dead'
const bulk = (changes: object[], options: { headers?: Record<string, string> } = {}) => s.ask('POST', '/api/tasks/bulk', { body: { changes }, ...options })
const addTasks = (count: number, fields = {}) => Promise.all(Array.from({ length: count }, () => s.addTask(project.id, fields)))
const events = (id: string) => s.query('select action, version, changes, request_id from activity_log where task_id = $1 order by version', [id])

await t.test('all changes are made, one event each under one request, and answered in the order asked', async (t) => {
  const tasks = await addTasks(6)
  const asked = [4, 0, 5, 2, 1, 3].map((n) => tasks[n])
  const answer = await bulk(asked.map(({ id }, n) => ({ id, version: 1, set: { title: `Title ${n}`, priority: 'high' } })), { headers: { 'x-request-id': 'bulk-1' } })
  t.equal(answer.statusCode, 200)
  t.match(answer.json(), asked.map(({ id, key }, n) => ({ id, key, title: `Title ${n}`, priority: 'high', version: 2 })))
  for (const { id } of tasks) t.match(await events(id), [{ action: 'created' }, { action: 'updated', version: 2, request_id: 'bulk-1', changes: { priority: ['normal', 'high'] } }])
})

await t.test('a change that changes nothing is answered and not logged', async (t) => {
  const [a, b] = await addTasks(2)
  const answer = await bulk([{ id: a.id, set: { title: a.title } }, { id: b.id, set: { title: 'New' } }])
  t.match(answer.json(), [{ id: a.id, version: 1, updated_at: a.updated_at }, { id: b.id, version: 2 }])
  t.equal((await events(a.id)).length, 1)
})

await t.test('one refusal refuses all, says which and why, and changes nothing', async (t) => {
  const gone = await s.addPerson('member', { is_active: false })
  const deleted = (await addTasks(1))[0]
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  const elsewhere = await s.addTask((await s.addProject()).id)
  const cases: [change: (id: string) => object, expected: object][] = [
    [(id) => ({ id, version: 7, set: { title: 'x' } }), { status: 412, code: 'EDEN_STALE', current_version: 1 }],
    [(id) => ({ id, set: { status: 'done' } }), { status: 422, code: 'EDEN_STATUS_NOT_ALLOWED', allowed: ['todo', 'in_progress', 'closed'] }],
    [(id) => ({ id, set: { status: 'closed', ball_in_court: s.member.id } }), { status: 422, code: 'EDEN_TASK_FINISHED' }],
    [(id) => ({ id, set: { assignee_id: gone.id } }), { status: 422, code: 'EDEN_INACTIVE_PERSON' }],
    [() => ({ id: unknown, set: { title: 'x' } }), { status: 404, code: 'EDEN_NOT_FOUND' }],
    [() => ({ id: deleted.id, set: { title: 'x' } }), { status: 404, code: 'EDEN_NOT_FOUND' }]
  ]
  for (const [change, expected] of cases) {
    const tasks = await addTasks(3)
    const answer = await bulk([{ id: tasks[0].id, set: { title: 'x' } }, change(tasks[1].id), { id: tasks[2].id, set: { title: 'x' } }])
    t.match(answer.json(), { ...expected, errors: [{ path: 'changes.1' }] })
    for (const { id } of tasks) t.equal((await events(id)).length, 1)
    t.match(await s.query('select distinct title, version from tasks where id = any($1)', [tasks.map(({ id }) => id)]), [{ title: 'A task', version: 1 }])
  }
  // What only the database can refuse.
  for (const [set, code] of [[{ assignee_id: unknown }, 'EDEN_UNKNOWN_ASSIGNEE'], [{ parent_id: elsewhere.id }, 'EDEN_UNKNOWN_PARENT']] as const) {
    const tasks = await addTasks(2)
    t.match((await bulk([{ id: tasks[0].id, set: { title: 'x' } }, { id: tasks[1].id, set }])).json(), { status: 422, code })
    t.match(await s.query('select distinct title, version from tasks where id = any($1)', [tasks.map(({ id }) => id)]), [{ title: 'A task', version: 1 }])
  }
})

await t.test('a request is refused when it is empty, too long, names a task twice or says what is none', async (t) => {
  const { id } = (await addTasks(1))[0]
  for (const [changes, path] of [[[], 'changes'], [Array(501).fill({ id, set: { title: 'x' } }), 'changes'], [[{ id, set: { title: 'x' } }, { id: id.toUpperCase(), set: { title: 'y' } }], 'changes'],
    [[{ id, set: {} }], 'changes.0.set'], [[{ id, set: { title: 'x' }, note: 'x' }], 'changes.0.note'], [[{ id, set: { nonsense: 1 } }], 'changes.0.set.nonsense'], [[{ set: { title: 'x' } }], 'changes.0.id'], [[{ id, version: 0, set: { title: 'x' } }], 'changes.0.version']] as const) {
    t.match((await bulk(changes as object[])).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path }] }, path)
  }
  t.equal((await events(id)).length, 1)
})

await t.test('500 tasks change in one request: rows, holds, events and notifications once each', async (t) => {
  const { id } = await s.addProject()
  await s.query(`
    with x as (insert into tasks (id, project_id, number, title, ball_since, last_activity_at, created_by, created_at, updated_at)
      select gen_random_uuid(), $1, n, 'Seed', now(), now(), $2, now(), now() from generate_series(1, 500) n returning id, created_at)
    insert into ball_holds (task_id, no, passed_by, started_at) select id, 1, $2, created_at from x`, [id, s.admin.id])
  const ids = (await s.query('select id from tasks where project_id = $1 order by md5(id::text)', [id])).map((row) => row.id as string)
  const answer = await bulk(ids.map((id) => ({ id, version: 1, set: { status: 'todo', ball_in_court: s.manager.id, assignee_id: s.member.id } })))
  t.equal(answer.statusCode, 200)
  t.same(answer.json().map((task: any) => task.id), ids)
  t.match(await s.query('select count(*)::int from activity_log where project_id = $1 and task_id is not null and version = 2', [id]), [{ count: 500 }])
  t.match(await s.query('select count(*)::int, count(*) filter (where ended_at is null)::int as open from ball_holds h join tasks t on t.id = h.task_id where t.project_id = $1', [id]), [{ count: 1000, open: 500 }])
  t.same(await s.get('/api/notifications/unread-count', { as: s.manager }), { count: 500 })
  t.same(await s.get('/api/notifications/unread-count', { as: s.member }), { count: 500 })
})

await t.test('overlapping requests in opposite orders at once neither deadlock nor mix: each is done whole, one after the other', async (t) => {
  const tasks = await addTasks(40)
  const ids = tasks.map(({ id }) => id)
  const rounds = Array.from({ length: 12 }, (_, n) => (n % 2 ? [...ids].reverse() : ids).slice(n % 5, n % 5 + 30).map((id) => ({ id, set: { title: `Round ${n}`, tags: [`${n}`], ball_in_court: n % 3 ? s.member.id : s.manager.id } })))
  const answers = await Promise.all(rounds.map((changes) => bulk(changes)))
  t.same(answers.map(({ statusCode }) => statusCode), Array(12).fill(200))
  for (const task of await s.query('select title, tags, version, id from tasks where id = any($1)', [ids])) {
    t.equal(task.title, `Round ${task.tags[0]}`)
    const touched = rounds.filter((changes) => changes.some(({ id }) => id === task.id)).length
    t.equal(task.version, 1 + touched)
    t.equal((await events(task.id)).length, 1 + touched)
  }
})

await t.test('of overlapping requests from the same versions one is done and the others change nothing', async (t) => {
  const ids = (await addTasks(20)).map(({ id }) => id)
  const attempts = Array.from({ length: 6 }, (_, n) => (n % 2 ? [...ids].reverse() : ids).map((id) => ({ id, version: 1, set: { title: `Try ${n}` } })))
  const answers = await Promise.all(attempts.map((changes) => bulk(changes)))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 412, 412, 412, 412, 412])
  t.match(await s.query('select distinct title, version from tasks where id = any($1)', [ids]), [{ title: `Try ${answers.findIndex(({ statusCode }) => statusCode === 200)}`, version: 2 }])
})

await t.test('a family is built in one request, and a cycle in one request is refused', async (t) => {
  const [a, b, c] = await addTasks(3)
  t.equal((await bulk([{ id: b.id, set: { parent_id: a.id } }, { id: c.id, set: { parent_id: b.id } }])).statusCode, 200)
  const [d, e] = await addTasks(2)
  t.match((await bulk([{ id: d.id, set: { parent_id: e.id } }, { id: e.id, set: { parent_id: d.id } }])).json(), { status: 422, code: 'EDEN_PARENT_CYCLE' })
  t.equal((await events(d.id)).length, 1)
})
