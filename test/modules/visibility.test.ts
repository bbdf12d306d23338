import t from 'tap'
import { startApp, type Person } from '../helper.js'

// One project for members only, one for the company, the same things in both.
const s = await startApp(t)
const outsider = await s.addPerson('manager', { name: 'Out Sider', email: 'out.sider@example.com' })
const hidden = await s.addProject({ code: 'HID', visibility: 'members' })
const shared = await s.addProject({ code: 'SHA' })
await s.ask('PUT', `/api/projects/${hidden.id}/members/${s.member.id}`, { body: { role: 'member' } })
const fields = { title: 'Zebra valve', assignee_id: outsider.id, ball_in_court: outsider.id, due_at: '2020-01-01T00:00:00Z', tags: ['zebra'], department: 'Service' }
const [secret, open] = [await s.addTask(hidden.id, fields), await s.addTask(shared.id, fields)]
const gone = await s.addTask(hidden.id)
const say = (task: { id: string }) => s.post(`/api/tasks/${task.id}/comments`, { body: 'Look, @out.sider' })
const [whisper, word] = [await say(secret), await say(open)]
await s.ask('DELETE', `/api/tasks/${gone.id}`)

const ids = (rows: { id: string }[]) => rows.map(({ id }) => id)

await t.test('to a non-member, all that is in the project answers 404, reads and writes alike', async (t) => {
  const bodies: Record<string, object> = { projects: { name: 'x' }, tasks: { title: 'x' }, comments: { body: 'x' } }
  for (const path of [`projects/${hidden.id}`, `projects/${hidden.id}/tasks`, `projects/${hidden.id}/members`, `projects/${hidden.id}/activity`,
    `tasks/${secret.id}`, `tasks/${secret.id}/comments`, `tasks/${secret.id}/ball`, `tasks/${secret.id}/activity`, `tasks/${gone.id}/activity`, `comments/${whisper.id}`]) {
    const answer = await s.ask('GET', `/api/${path}`, { as: outsider })
    t.match(answer.json(), { status: 404, code: 'EDEN_NOT_FOUND' }, path)
    t.equal((await s.ask('GET', `/api/${path}`, { as: s.member })).statusCode, 200, `${path} for a member`)
  }
  for (const [kind, id] of [['projects', hidden.id], ['tasks', secret.id], ['comments', whisper.id]] as const) {
    t.equal((await s.ask('PATCH', `/api/${kind}/${id}`, { as: outsider, body: bodies[kind] })).statusCode, 404, kind)
    t.equal((await s.ask('DELETE', `/api/${kind}/${id}`, { as: outsider })).statusCode, 404, kind)
    t.equal((await s.ask('POST', `/api/${kind}/${id}/restore`, { as: outsider })).statusCode, 404, kind)
  }
  const post = async (path: string, body?: object) => (await s.ask('POST', `/api/${path}`, { as: outsider, body })).statusCode
  t.equal(await post(`projects/${hidden.id}/tasks`, { title: 'x' }), 404)
  t.equal(await post(`tasks/${secret.id}/comments`, { body: 'x' }), 404)
  t.equal(await post(`tasks/${secret.id}/ball`, { to_user_id: null }), 404)
  t.equal(await post(`tasks/${secret.id}/ball/ack`), 404)
  t.equal(await post(`tasks/${gone.id}/restore`), 404)
  t.equal(await post('tasks/bulk', { changes: [{ id: open.id, set: { priority: 'high' } }, { id: secret.id, set: { priority: 'high' } }] }), 404)
  t.equal((await s.ask('PATCH', `/api/tasks/${secret.id}`, { as: outsider, body: { title: 'x', base_version: 1 } })).statusCode, 404, 'a merge')
  t.equal((await s.ask('PUT', `/api/projects/${hidden.id}/members/${outsider.id}`, { as: outsider, body: { role: 'manager' } })).statusCode, 404, 'nobody lets themselves in')
  t.match(await s.get(`/api/tasks/${secret.id}`), { version: 1, title: 'Zebra valve' })
  t.match(await s.get(`/api/tasks/${open.id}`), { version: 1, priority: 'normal' }, 'a bulk change that may not do all does none')
})

await t.test('an invisible project, and an invisible parent, are the same to a writer as none', async (t) => {
  const unknown = '01900000-0000-7000-8000-00000000dead'
  const create = async (body: object) => {
    const { request_id: _, ...problem } = (await s.ask('POST', '/api/tasks', { as: outsider, body: { title: 'x', ...body } })).json()
    return problem
  }
  t.match(await create({ project_id: hidden.id }), { status: 422, code: 'EDEN_UNKNOWN_PROJECT' })
  t.same(await create({ project_id: hidden.id }), await create({ project_id: unknown }))
  t.same(await create({ project_id: shared.id, parent_id: secret.id }), await create({ project_id: shared.id, parent_id: unknown }))
})

await t.test('to a non-member, lists, deltas, reports and counts hold nothing of the project', async (t) => {
  const lists = async (as: Person) => {
    const seen: Record<string, boolean> = {}
    for (const query of ['', '?project=' + hidden.id, '?q=zebra', '?tag=zebra', '?overdue=true', `?assignee=${outsider.id}`, `?ball=${outsider.id}`, '?updated_since=2020-01-01T00:00:00Z']) {
      const answer = await s.ask('GET', `/api/tasks${query}${query === '' ? '?' : '&'}count=true`, { as })
      seen[`tasks${query}`] = ids(answer.json()).includes(secret.id)
      t.equal(Number(answer.headers['x-total-count']), answer.json().length, query)
    }
    seen.deleted = ids(await s.get('/api/tasks?updated_since=2020-01-01T00:00:00Z', { as })).includes(gone.id)
    for (const query of ['', '?updated_since=2020-01-01T00:00:00Z', '?visibility=members']) seen[`projects${query}`] = ids(await s.get(`/api/projects${query}`, { as })).includes(hidden.id)
    const has = (rows: any[]) => rows.some(({ project_id: id }) => id === hidden.id)
    for (const query of ['', `?project=${hidden.id}`, `?entity_id=${secret.id}`, `?actor=${s.admin.id}`, '?entity_type=comment']) seen[`activity${query}`] = has(await s.get(`/api/activity${query}`, { as }))
    seen.changes = has(await s.get('/api/changes', { as }))
    seen.overdue = ids(await s.get('/api/reports/tasks/overdue', { as })).includes(secret.id)
    return seen
  }
  t.same([...new Set(Object.values(await lists(outsider)))], [false])
  t.same([...new Set(Object.values(await lists(s.member)))], [true])
  t.same([...new Set(Object.values(await lists(s.admin)))], [true], 'who may read all projects sees it as well')

  const total = async (report: string, as: Person) => (await s.get(`/api/reports/${report}`, { as })).reduce((sum: number, row: any) => sum + (row.count ?? row.tasks_created), 0)
  for (const report of ['tasks/status', 'tasks/ball', 'tasks/priority', 'activity/recent', `tasks/status?project=${shared.id},${hidden.id}`]) {
    t.equal(await total(report, outsider), 1, report)
    t.equal(await total(report, s.member), 2, report)
    t.equal(await total(report, s.admin), 2, report)
  }
})

await t.test('a non-member is told nothing of the project, and of the other all', async (t) => {
  const told = await s.get('/api/notifications', { as: outsider })
  t.same([...new Set(told.map(({ project_id: id }: any) => id))], [shared.id])
  t.same(told.map(({ type }: any) => type).sort(), ['ball_received', 'mentioned'])
  t.equal(told.find(({ type }: any) => type === 'mentioned').comment_id, word.id)
  t.same(await s.query('select 1 from notifications where project_id = $1', [hidden.id]), [])
})

await t.test('who becomes a member sees it at once, is told of what comes, and loses it again', async (t) => {
  const guest = await s.addPerson('member', { name: 'Guest', email: 'gu.est@example.com' })
  const status = async () => (await s.ask('GET', `/api/tasks/${secret.id}`, { as: guest })).statusCode
  t.equal(await status(), 404)
  await s.ask('PUT', `/api/projects/${hidden.id}/members/${guest.id}`, { body: { role: 'viewer' } })
  t.equal(await status(), 200)
  await s.post(`/api/tasks/${secret.id}/comments`, { body: 'Welcome @gu.est' })
  t.equal((await s.get('/api/notifications', { as: guest })).length, 1)
  await s.ask('DELETE', `/api/projects/${hidden.id}/members/${guest.id}`)
  t.equal(await status(), 404)
  const [{ id }] = await s.query('select id from notifications where user_id = $1', [guest.id])
  t.same(await s.get('/api/notifications', { as: guest }), [], 'what they were told of it is out of sight')
  t.same(await s.get('/api/notifications/recent', { as: guest }), [])
  t.same(await s.get('/api/notifications/unread-count', { as: guest }), { count: 0 })
  t.equal((await s.ask('PATCH', `/api/notifications/${id}/read`, { as: guest })).statusCode, 404)
})

await t.test('a project opens to the company and closes again with one change', async (t) => {
  const { id } = await s.addProject({ visibility: 'members' })
  const status = async () => (await s.ask('GET', `/api/projects/${id}`, { as: s.viewer })).statusCode
  t.equal(await status(), 404)
  await s.patch(`/api/projects/${id}`, { visibility: 'company' })
  t.equal(await status(), 200)
  await s.patch(`/api/projects/${id}`, { visibility: 'members' })
  t.equal(await status(), 404)
})

await t.test('a members\' project that was deleted is restored by who sees it only', async (t) => {
  const { id } = await s.addProject({ visibility: 'members' }, s.manager)
  await s.ask('DELETE', `/api/projects/${id}`, { as: s.manager })
  t.equal((await s.ask('POST', `/api/projects/${id}/restore`, { as: outsider })).statusCode, 404)
  t.notOk(ids(await s.get('/api/projects?updated_since=2020-01-01T00:00:00Z', { as: outsider })).includes(id))
  t.ok(ids(await s.get('/api/projects?updated_since=2020-01-01T00:00:00Z', { as: s.manager })).includes(id))
  t.equal((await s.ask('POST', `/api/projects/${id}/restore`, { as: s.manager })).statusCode, 200)
})
