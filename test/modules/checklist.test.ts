import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const steps = ['Measure', 'Order', 'Install', 'Test', 'Label']
async function taskWith (labels: string[]) {
  const task = await s.addTask(project.id)
  const items = []
  for (const label of labels) items.push(await s.post(`/api/tasks/${task.id}/checklist`, { label }))
  return { task, items, path: `/api/tasks/${task.id}/checklist` }
}
const labels = async (path: string) => (await s.get(`${path}?limit=200`)).map(({ label }: { label: string }) => label)
/** The places that the database has, which are 1 to n whatever happened. */
const places = async (taskId: string) => (await s.query('select position from checklist_items where task_id = $1 order by position', [taskId])).map(({ position }) => position)

await t.test('steps stand in the order in which they were added, and tell who ticked them off', async (t) => {
  const { items, path } = await taskWith(steps)
  t.same(await labels(path), steps)
  const done = await s.patch(`/api/checklist/${items[1].id}`, { is_done: true }, { as: s.member })
  t.match(done, { label: 'Order', is_done: true, done_by: s.member.id, done_at: done.updated_at, version: 2 })
  const again = await s.patch(`/api/checklist/${items[1].id}`, { is_done: true })
  t.match(again, { done_by: s.member.id, version: 2 }, 'a second tick changes nothing')
  t.match(await s.patch(`/api/checklist/${items[1].id}`, { is_done: false, label: 'Order twice' }), { is_done: false, done_by: null, done_at: null, label: 'Order twice', version: 3 })
})

await t.test('each change is an event of the task, with what changed from what to what', async (t) => {
  const { task, items } = await taskWith(['Measure'])
  await s.patch(`/api/checklist/${items[0].id}`, { label: 'Measure again', is_done: true })
  await s.ask('DELETE', `/api/checklist/${items[0].id}`)
  t.match((await s.get(`/api/tasks/${task.id}/activity?entity_type=checklist_item`)).reverse(), [
    { action: 'created', version: 1, changes: { label: [null, 'Measure'] } },
    { action: 'updated', version: 2, changes: { label: ['Measure', 'Measure again'], is_done: [false, true] } },
    { action: 'deleted', version: 2, changes: { label: ['Measure again', null] } }
  ])
})

await t.test('a stale change and a stale removal are refused, and tell the version', async (t) => {
  const { items } = await taskWith(['Measure'])
  await s.patch(`/api/checklist/${items[0].id}`, { is_done: true })
  for (const method of ['PATCH', 'DELETE'] as const) {
    const answer = await s.ask(method, `/api/checklist/${items[0].id}`, { headers: { 'if-match': '"1"' }, ...(method === 'PATCH' ? { body: { label: 'Never' } } : {}) })
    t.match(answer.json(), { status: 412, code: 'EDEN_STALE', current_version: 2 })
  }
})

await t.test('a removed step leaves no hole', async (t) => {
  const { task, items, path } = await taskWith(steps)
  t.match((await s.ask('DELETE', `/api/checklist/${items[1].id}`)).json(), { deleted: true, id: items[1].id })
  t.equal((await s.ask('DELETE', `/api/checklist/${items[1].id}`)).statusCode, 404)
  t.same(await labels(path), ['Measure', 'Install', 'Test', 'Label'])
  t.same(await places(task.id), [1, 2, 3, 4])
})

await t.test('the named steps come first, in their order; a removed one is passed over, and the same order is no event', async (t) => {
  const { task, items, path } = await taskWith(steps)
  const [measure, order, install, test, label] = items.map(({ id }) => id)
  await s.ask('DELETE', `/api/checklist/${test}`)
  const answer = await s.post(`${path}/reorder`, { ids: [label, test, order] })
  t.same(answer.map((item: any) => item.id), [label, order, measure, install])
  await s.post(`${path}/reorder`, { ids: [label, order] })
  t.equal((await s.get(`/api/tasks/${task.id}/activity?action=checklist_reordered`)).length, 1)
})

await t.test('people who add, remove and reorder at once neither lose nor double a step', async (t) => {
  const { task, items, path } = await taskWith(steps)
  const ids = items.map(({ id }) => id)
  const orders = [ids, [...ids].reverse(), [ids[2], ids[0]], [ids[4], ids[1], ids[3]]]
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => {
    if (i % 4 === 0) return s.ask('POST', path, { body: { label: `Added ${i}` } })
    if (i === 7) return s.ask('DELETE', `/api/checklist/${ids[3]}`)
    return s.ask('POST', `${path}/reorder`, { body: { ids: orders[i % 4] } })
  }))
  t.same(answers.filter(({ statusCode }) => statusCode >= 400).map(({ body }) => body), [])
  const kept = await labels(path)
  t.same([...kept].sort(), ['Measure', 'Order', 'Install', 'Label', ...Array.from({ length: 10 }, (_, i) => `Added ${i * 4}`)].sort())
  t.same(await places(task.id), Array.from({ length: 14 }, (_, i) => i + 1))
})

await t.test('a checklist has 200 steps at most', async (t) => {
  const { task, path } = await taskWith([])
  await s.query(`insert into checklist_items (id, task_id, label, position, created_by, created_at, updated_at)
    select gen_random_uuid(), $1, 'Step ' || n, n, $2, now(), now() from generate_series(1, 200) n`, [task.id, s.admin.id])
  t.match((await s.ask('POST', path, { body: { label: 'One more' } })).json(), { status: 422, code: 'EDEN_CHECKLIST_FULL' })
  t.equal((await s.get(`${path}?limit=200`)).length, 200)
})

await t.test('an idempotent repetition adds one step', async (t) => {
  const { path } = await taskWith([])
  const add = () => s.ask('POST', path, { body: { label: 'Once' }, headers: { 'idempotency-key': 'step-once' } })
  const [first, second] = [await add(), await add()]
  t.same(second.json(), first.json())
  t.same(await labels(path), ['Once'])
})

await t.test('what one does not see is not there, and who may only read may not write', async (t) => {
  const secret = await s.addProject({ visibility: 'members' })
  const hidden = await s.addTask(secret.id)
  const item = await s.post(`/api/tasks/${hidden.id}/checklist`, { label: 'Secret' })
  for (const [method, path, body] of [['GET', `/api/tasks/${hidden.id}/checklist`], ['POST', `/api/tasks/${hidden.id}/checklist`, { label: 'x' }], ['PATCH', `/api/checklist/${item.id}`, { label: 'x' }],
    ['DELETE', `/api/checklist/${item.id}`], ['POST', `/api/tasks/${hidden.id}/checklist/reorder`, { ids: [item.id] }]] as const) {
    t.equal((await s.ask(method, path, { as: s.member, body })).statusCode, 404, `${method} ${path}`)
  }
  const { path } = await taskWith([])
  t.equal((await s.ask('POST', path, { as: s.viewer, body: { label: 'x' } })).statusCode, 403)
})
