import t from 'tap'
import { nextPage, startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const add = (fields: object = {}) => s.addTask(project.id, { status: 'in_progress', ...fields })
const block = (blocker: { id: string }, blocked: { id: string }, as = s.admin) => s.ask('POST', `/api/tasks/${blocker.id}/dependencies`, { body: { blocks_id: blocked.id }, as })
const finish = (task: { id: string }, status = 'done') => s.ask('PATCH', `/api/tasks/${task.id}`, { body: { status } })

await t.test('a dependency shows at both ends, from each end\'s side', async (t) => {
  const [a, b] = [await add({ title: 'Core drilling' }), await add({ title: 'Pipe risers' })]
  const answer = await block(a, b)
  t.equal(answer.statusCode, 201)
  t.equal(answer.headers.location, `/api/tasks/${a.id}/dependencies`)
  t.match(answer.json(), { relation: 'blocks', task_id: b.id, key: b.key, title: 'Pipe risers', status: 'in_progress', is_open: true })
  t.match(await s.get(`/api/tasks/${a.id}/dependencies`), [{ relation: 'blocks', task_id: b.id }])
  t.match(await s.get(`/api/tasks/${b.id}/dependencies`), [{ relation: 'blocked_by', task_id: a.id, id: answer.json().id }])
  t.match(await s.get(`/api/tasks/${b.id}/activity?entity_type=dependency`), [{ action: 'created', entity_id: answer.json().id, data: { blocker_id: a.id, blocked_id: b.id } }])
})

await t.test('done is refused while a blocker is open, names it, and changes nothing', async (t) => {
  const [a, b, c] = [await add(), await add(), await add()]
  await block(a, c)
  await block(b, c)
  await finish(b, 'closed')
  t.match((await finish(c)).json(), { status: 422, code: 'EDEN_BLOCKED', errors: [{ path: 'status', message: `waits for ${a.key}` }] })
  t.match(await s.get(`/api/tasks/${c.id}`), { status: 'in_progress', version: 1 })
  t.equal((await finish(c, 'closed')).statusCode, 200, 'what will not be done need not wait')
  await s.patch(`/api/tasks/${c.id}`, { status: 'open' })
  await s.patch(`/api/tasks/${c.id}`, { status: 'in_progress' })
  await finish(a)
  t.equal((await finish(c)).statusCode, 200)
})

await t.test('a deleted blocker, and a dependency that was removed, hold nothing up', async (t) => {
  const [a, b, c] = [await add(), await add(), await add()]
  await block(a, c)
  await block(b, c)
  await s.ask('DELETE', `/api/tasks/${a.id}`)
  const removed = await s.ask('DELETE', `/api/tasks/${b.id}/dependencies/${c.id}`)
  t.match(removed.json(), { deleted: true })
  t.equal((await s.ask('DELETE', `/api/tasks/${b.id}/dependencies/${c.id}`)).statusCode, 404)
  t.same(await s.get(`/api/tasks/${c.id}/dependencies`), [])
  t.equal((await finish(c)).statusCode, 200)
})

await t.test('in a bulk change a blocker that it finishes counts as finished, one that it reopens as open', async (t) => {
  const [a, b] = [await add(), await add()]
  await block(a, b)
  const bulk = (...changes: [string, string][]) => s.ask('POST', '/api/tasks/bulk', { body: { changes: changes.map(([id, status]) => ({ id, set: { status } })) } })
  t.equal((await bulk([b.id, 'done'], [a.id, 'done'])).statusCode, 200)
  await bulk([b.id, 'in_progress'])
  t.match((await bulk([a.id, 'in_progress'], [b.id, 'done'])).json(), { status: 422, code: 'EDEN_BLOCKED', errors: [{ path: 'changes.1' }] })
  t.equal((await s.get(`/api/tasks/${a.id}`)).status, 'done', 'all or none')
})

await t.test('a circle of any length, a task that waits for itself, and a pair that is there are refused', async (t) => {
  const chain = []
  for (let i = 0; i < 6; i++) chain.push(await add())
  for (let i = 0; i + 1 < chain.length; i++) t.equal((await block(chain[i], chain[i + 1])).statusCode, 201)
  t.match((await block(chain[5], chain[0])).json(), { status: 409, code: 'EDEN_DEPENDENCY_CYCLE', errors: [{ path: 'blocks_id' }] })
  t.match((await block(chain[1], chain[0])).json(), { status: 409, code: 'EDEN_DEPENDENCY_CYCLE' })
  t.match((await block(chain[0], chain[0])).json(), { status: 409, code: 'EDEN_DEPENDENCY_CYCLE' })
  t.match((await block(chain[0], chain[1])).json(), { status: 409, code: 'EDEN_DEPENDENCY_EXISTS' })
})

await t.test('many at once, on two projects, never close a circle, and each accepted one has its event', async (t) => {
  const other = await s.addProject()
  const tasks = await Promise.all(Array.from({ length: 10 }, (_, i) => s.addTask(i % 2 === 0 ? project.id : other.id)))
  const pairs = tasks.flatMap((a, i) => tasks.map((b, j) => [a, b, (i * 7 + j * 13) % 11] as const)).filter(([a, b]) => a !== b).sort((x, y) => x[2] - y[2])
  const answers = await Promise.all(pairs.map(([a, b]) => block(a, b)))
  t.same([...new Set(answers.map(({ statusCode }) => statusCode))].sort(), [201, 409])
  const ids = tasks.map(({ id }) => id)
  t.same(await s.query(`
    with recursive reach (start, id) as (
      select blocker_id, blocked_id from task_dependencies where blocker_id = any($1)
      union select r.start, d.blocked_id from reach r join task_dependencies d on d.blocker_id = r.id
    ) select start from reach where start = id`, [ids]), [], 'no circle')
  const [{ pairs: kept, events }] = await s.query(`
    select (select count(*)::int from task_dependencies where blocker_id = any($1)) as pairs,
      (select count(*)::int from activity_log where entity_type = 'dependency' and action = 'created' and task_id = any($1)) as events`, [ids])
  t.equal(kept, answers.filter(({ statusCode }) => statusCode === 201).length)
  t.equal(events, kept)
})

await t.test('only tasks that one sees can be tied, are shown and are named', async (t) => {
  const secret = await s.addProject({ visibility: 'members' })
  const hidden = await s.addTask(secret.id, { title: 'Hidden', status: 'in_progress' })
  const open = await add()
  t.match((await block(open, hidden, s.member)).json(), { status: 422, code: 'EDEN_UNKNOWN_TASK', errors: [{ path: 'blocks_id' }] })
  t.equal((await block(hidden, open, s.member)).statusCode, 404)
  t.equal((await block(hidden, open)).statusCode, 201)
  t.same(await s.get(`/api/tasks/${open.id}/dependencies`, { as: s.member }), [])
  t.equal((await s.ask('GET', `/api/tasks/${hidden.id}/dependencies`, { as: s.member })).statusCode, 404)
  const refused = await s.ask('PATCH', `/api/tasks/${open.id}`, { body: { status: 'done' }, as: s.member })
  t.match(refused.json(), { status: 422, code: 'EDEN_BLOCKED' })
  t.notMatch(refused.body, hidden.key)
  t.equal((await block(open, await add(), s.viewer)).statusCode, 403)
})

await t.test('the list has pages, and a count', async (t) => {
  const task = await add()
  for (let i = 0; i < 5; i++) await block(task, await add())
  const seen: string[] = []
  let path: string | undefined = `/api/tasks/${task.id}/dependencies?limit=2&count=true`
  while (path !== undefined) {
    const answer = await s.ask('GET', path)
    t.equal(answer.headers['x-total-count'], '5')
    seen.push(...answer.json().map(({ id }: { id: string }) => id))
    path = nextPage(answer)
  }
  t.equal(new Set(seen).size, 5)
})
