import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const merge = (id: string, baseVersion: number, fields: object, headers?: Record<string, string>) => s.ask('PATCH', `/api/tasks/${id}`, { body: { base_version: baseVersion, ...fields }, headers, as: s.member })

await t.test('fields that nobody changed since the base are applied, and what others changed is kept', async (t) => {
  const task = await s.addTask(project.id)
  await s.patch(`/api/tasks/${task.id}`, { title: 'Theirs', priority: 'high' })
  const answer = await merge(task.id, 1, { description: 'Mine', due_at: '2031-01-01T00:00:00Z' })
  t.same([answer.statusCode, answer.headers.etag], [200, '"3"'])
  t.match(answer.json(), { title: 'Theirs', priority: 'high', description: 'Mine', due_at: '2031-01-01T00:00:00Z', version: 3 })
  const [event] = await s.get(`/api/tasks/${task.id}/activity`)
  t.same(Object.keys(event.changes).sort(), ['description', 'due_at'], 'the event says what this change did, no more')
})

await t.test('a base that is current merges like a plain change, and a base that is yet to come is stale', async (t) => {
  const task = await s.addTask(project.id)
  t.match((await merge(task.id, 1, { title: 'Mine' })).json(), { title: 'Mine', version: 2 })
  t.match((await merge(task.id, 3, { title: 'x' })).json(), { status: 412, code: 'EDEN_STALE', current_version: 2 })
  t.match((await merge(task.id, 0, { title: 'x' })).json(), { status: 400, errors: [{ path: 'base_version' }] })
  t.match((await merge(task.id, 2, { status: 'done' })).json(), { status: 422, code: 'EDEN_STATUS_NOT_ALLOWED' }, 'the rules hold for a merge')
})

await t.test('a field that someone did change is a conflict with base, yours and theirs; nothing of it is applied', async (t) => {
  const task = await s.addTask(project.id, { title: 'Base', assignee_id: s.member.id, tags: ['a'] })
  await s.patch(`/api/tasks/${task.id}`, { title: 'First' })
  await s.patch(`/api/tasks/${task.id}`, { title: 'Second', tags: ['b'], due_at: '2031-01-01T00:00:00Z' })
  await s.patch(`/api/tasks/${task.id}`, { assignee_id: null })
  const problem = (await merge(task.id, 1, { title: 'Mine', tags: ['c'], due_at: null, assignee_id: s.manager.id, description: 'Mine too' })).json()
  t.match(problem, {
    status: 409,
    code: 'EDEN_MERGE_CONFLICT',
    current_version: 4,
    conflicts: {
      title: { base: 'Base', yours: 'Mine', theirs: 'Second' },
      tags: { base: ['a'], yours: ['c'], theirs: ['b'] },
      due_at: { base: null, yours: null, theirs: /^2031-01-01T00:00:00/ },
      assignee_id: { base: s.member.id, yours: s.manager.id, theirs: null }
    }
  })
  t.same(Object.keys(problem.conflicts).sort(), ['assignee_id', 'due_at', 'tags', 'title'])
  t.same(problem.errors.map(({ path }: any) => path).sort(), ['assignee_id', 'due_at', 'tags', 'title'])
  t.match(await s.get(`/api/tasks/${task.id}`), { title: 'Second', description: '', version: 4 })
  t.match((await merge(task.id, 2, { assignee_id: s.manager.id })).json().conflicts, { assignee_id: { base: s.member.id, theirs: null } })
  t.equal((await merge(task.id, 4, { title: 'Mine', description: 'Mine too' })).statusCode, 200, 'from the current base it goes through')
})

await t.test('two who want the same do not conflict, however they spell it', async (t) => {
  const task = await s.addTask(project.id, { tags: ['a'] })
  await s.patch(`/api/tasks/${task.id}`, { due_at: '2031-01-01T00:00:00Z', tags: ['b', 'c'], assignee_id: s.member.id })
  const answer = await merge(task.id, 1, { due_at: '2030-12-31T19:00:00.000-05:00', tags: ['b', 'c'], assignee_id: s.member.id.toUpperCase(), description: 'Mine' })
  t.match(answer.json(), { version: 3, description: 'Mine', due_at: '2031-01-01T00:00:00Z' })
})

await t.test('what a change brought along counts: finishing a task moved its ball', async (t) => {
  const task = await s.addTask(project.id, { status: 'in_progress', ball_in_court: s.member.id })
  await s.patch(`/api/tasks/${task.id}`, { status: 'done' })
  t.match((await merge(task.id, 1, { ball_in_court: s.manager.id })).json(), { status: 409, conflicts: { ball_in_court: { base: s.member.id, yours: s.manager.id, theirs: null } } })
})

await t.test('handovers, comments and restorations between base and now do not stand in the way of other fields', async (t) => {
  const task = await s.addTask(project.id)
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: s.member.id })
  await s.post(`/api/tasks/${task.id}/ball/ack`, undefined, { as: s.member })
  await s.post(`/api/tasks/${task.id}/comments`, { body: 'Hello' })
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  await s.post(`/api/tasks/${task.id}/restore`)
  t.match((await merge(task.id, 1, { title: 'Mine' })).json(), { title: 'Mine', ball_in_court: s.member.id, version: 5 })
})

await t.test('If-Match holds for a merge too', async (t) => {
  const task = await s.addTask(project.id)
  await s.patch(`/api/tasks/${task.id}`, { priority: 'low' })
  t.match((await merge(task.id, 1, { title: 'Mine' }, { 'if-match': '"1"' })).json(), { status: 412, current_version: 2 })
  t.match((await merge(task.id, 1, { title: 'Mine' }, { 'if-match': '"2"' })).json(), { version: 3 })
})

await t.test('of many merges at once, of different fields all are applied, and of one field one', async (t) => {
  const task = await s.addTask(project.id)
  const different = await Promise.all([{ title: 'New' }, { description: 'New' }, { priority: 'urgent' }, { department: 'Service' }, { tags: ['new'] }, { due_at: '2031-01-01T00:00:00Z' }].map((fields) => merge(task.id, 1, fields)))
  t.same(different.map(({ statusCode }) => statusCode), Array(6).fill(200))
  t.match(await s.get(`/api/tasks/${task.id}`), { title: 'New', description: 'New', priority: 'urgent', department: 'Service', tags: ['new'], due_at: '2031-01-01T00:00:00Z', version: 7 })
  const same = await Promise.all(Array.from({ length: 8 }, (_, n) => merge(task.id, 7, { title: `Try ${n}` })))
  t.same(same.map(({ statusCode }) => statusCode).sort(), [200, ...Array(7).fill(409)])
  t.match(await s.get(`/api/tasks/${task.id}`), { title: same.find(({ statusCode }) => statusCode === 200)?.json().title, version: 8 })
})
