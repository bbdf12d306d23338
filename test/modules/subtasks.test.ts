import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const add = (fields: object = {}) => s.addTask(project.id, { status: 'in_progress', ...fields })
const patch = (id: string, body: object, headers?: Record<string, string>) => s.ask('PATCH', `/api/tasks/${id}`, { body, headers })
const subtasks = async ({ id }: { id: string }) => (await s.get(`/api/tasks/${id}`)).subtasks

await t.test('a parent tells how far its direct subtasks are; what is closed or deleted is no part of it', async (t) => {
  const parent = await add()
  t.same(parent.subtasks, { total: 0, done: 0 })
  const [a, b, c] = [await add({ parent_id: parent.id }), await add({ parent_id: parent.id }), await add({ parent_id: parent.id })]
  await add({ parent_id: a.id, status: 'done' })
  t.same(await subtasks(parent), { total: 3, done: 0 })
  t.same(await subtasks(a), { total: 1, done: 1 })
  await patch(a.id, { status: 'done' })
  t.same(await subtasks(parent), { total: 3, done: 1 })
  await patch(b.id, { status: 'closed' })
  t.same(await subtasks(parent), { total: 2, done: 1 })
  await s.ask('DELETE', `/api/tasks/${c.id}`)
  t.same(await subtasks(parent), { total: 1, done: 1 })
  await s.post(`/api/tasks/${c.id}/restore`)
  await patch(a.id, { parent_id: null })
  t.same(await subtasks(parent), { total: 1, done: 0 })
  const listed = (await s.get(`/api/tasks?project=${project.id}`)).find(({ id }: { id: string }) => id === parent.id)
  t.same(listed.subtasks, { total: 1, done: 0 })
  t.same((await s.get(`/api/tasks?parent=${parent.id}`)).map(({ id }: { id: string }) => id).sort(), [b.id, c.id].sort())
})

await t.test('the answer to a bulk change of a whole family tells what it left', async (t) => {
  const [parent, a, b, newcomer] = [await add(), await add(), await add(), await add()]
  for (const { id } of [a, b]) await patch(id, { parent_id: parent.id })
  const [first] = await s.post('/api/tasks/bulk', {
    changes: [
      { id: parent.id, set: { title: 'Parent' } }, { id: a.id, set: { status: 'done' } }, { id: newcomer.id, set: { parent_id: parent.id } }
    ]
  })
  t.same(first.subtasks, { total: 3, done: 1 })
  t.same(await subtasks(parent), first.subtasks)
})

await t.test('a parent is done or open whatever its subtasks are', async (t) => {
  const parent = await add()
  const child = await add({ parent_id: parent.id })
  t.match((await patch(parent.id, { status: 'done' })).json(), { status: 'done', subtasks: { total: 1, done: 0 } })
  await patch(child.id, { status: 'done' })
  t.match(await s.get(`/api/tasks/${parent.id}`), { status: 'done', version: 2, subtasks: { total: 1, done: 1 } })
})

await t.test('who has a parent in a cache gets it again when a subtask moves, and changes it on the same version', async (t) => {
  const parent = await add()
  const child = await add({ parent_id: parent.id })
  const read = async (tag?: string) => s.ask('GET', `/api/tasks/${parent.id}`, { headers: tag === undefined ? {} : { 'if-none-match': tag } })
  const tag = String((await read()).headers.etag)
  t.equal(tag, '"1.0-1"')
  t.equal((await read(tag)).statusCode, 304)
  await patch(child.id, { status: 'done' })
  t.match((await read(tag)).json(), { version: 1, subtasks: { done: 1 } })
  t.equal((await read('"1.1-1"')).statusCode, 304)
  const changed = await patch(parent.id, { title: 'x' }, { 'if-match': tag })
  t.equal(changed.statusCode, 200, 'what others did to a subtask is no change of the parent')
  t.equal(changed.headers.etag, '"2.1-1"')
  t.equal((await patch(parent.id, { title: 'y' }, { 'if-match': tag })).statusCode, 412)
  t.equal((await patch(parent.id, { title: 'y' }, { 'if-match': '"2"' })).statusCode, 200)
})

await t.test('families are ten levels deep at most, from above and from below', async (t) => {
  const chain = [await add()]
  for (let n = 1; n < 10; n++) chain.push(await add({ parent_id: chain.at(-1).id }))
  const refused = { status: 422, code: 'EDEN_TOO_DEEP', errors: [{ path: 'parent_id' }] }
  t.match((await s.ask('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'x', parent_id: chain[9].id } })).json(), refused)
  const top = await add()
  t.match((await patch(chain[0].id, { parent_id: top.id })).json(), refused)
  t.equal((await patch(chain[1].id, { parent_id: top.id })).statusCode, 200, 'ten again')
  t.match((await patch(top.id, { parent_id: chain[0].id })).json(), refused)
  t.match((await patch(chain[1].id, { parent_id: chain[9].id })).json(), { status: 422, code: 'EDEN_PARENT_CYCLE' })
})

await t.test('many who make families at once leave neither a circle nor one too deep', async (t) => {
  const tasks = await Promise.all(Array.from({ length: 16 }, () => add()))
  const answers = await Promise.all(Array.from({ length: 160 }, (_, n) => patch(tasks[(n * 7) % 16].id, { parent_id: tasks[(n * 5 + Math.floor(n / 16)) % 16].id })))
  t.same([...new Set(answers.map(({ statusCode }) => statusCode))].sort(), [200, 422])
  const [{ circles, depth }] = await s.query(`
    with recursive down (root, id, level) as (
      select id, id, 1 from tasks where project_id = $1
      union all select d.root, t.id, d.level + 1 from down d join tasks t on t.parent_id = d.id where d.level < 20
    ) select count(*) filter (where root = id and level > 1)::int as circles, max(level) as depth from down`, [project.id])
  t.equal(circles, 0)
  t.ok(depth <= 10, `${depth} levels`)
})

await t.test('a parent is in the same project, says the database', async (t) => {
  const elsewhere = await s.addTask((await s.addProject()).id)
  const child = await add()
  await t.rejects(s.query('update tasks set parent_id = $1 where id = $2', [elsewhere.id, child.id]), /tasks_parent_id_fkey/)
})
