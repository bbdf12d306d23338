import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const asOf = (id: string, at: string) => s.ask('GET', `/api/tasks/${id}?as_of=${encodeURIComponent(at)}`)
/** What the clock adds differs with the instant at which one looks. */
const still = ({ ball_held_seconds: _held, is_overdue: _overdue, stalled_days: _stalled, ...task }: any) => task
const before = async (at: string) => (await s.query("select to_json($1::timestamptz - interval '1 microsecond') as at", [at]))[0].at as string

await t.test('a task is as it was at any time: each version, the instant before it, and not before there was one', async (t) => {
  const parent = await s.addTask(project.id)
  const versions = [await s.addTask(project.id, { title: 'One', tags: ['a'], ball_in_court: s.member.id, due_at: '2020-01-01T00:00:00.123456Z' })]
  const { id } = versions[0]
  for (const body of [{ title: 'Two' }, { status: 'in_progress', assignee_id: s.member.id }, { due_at: null, tags: [] }, { parent_id: parent.id, department: 'Service' }, { status: 'done' },
    { description: 'After all' }, { status: 'todo' }, { ball_in_court: null, priority: 'urgent' }]) versions.push(await s.patch(`/api/tasks/${id}`, body))
  for (const [n, version] of versions.entries()) {
    const answer = await asOf(id, version.updated_at)
    t.equal(answer.headers.etag, `"${version.version}"`)
    t.same(still(answer.json()), still(version), `version ${n + 1}`)
    const earlier = await asOf(id, await before(version.updated_at))
    if (n === 0) t.match(earlier.json(), { status: 404, code: 'EDEN_NOT_FOUND' })
    else t.same(still(earlier.json()), still(versions[n - 1]), `just before version ${n + 1}`)
  }
  t.match((await asOf(id, versions[0].updated_at)).json(), { is_overdue: true, ball_held_seconds: 0, stalled_days: 0 }, 'seen from then')
  t.same(still((await asOf(id, '2999-01-01T00:00:00Z')).json()), still(await s.get(`/api/tasks/${id}`)), 'what has not come is now')
})

await t.test('acknowledging, steps and comments are activity, and no version', async (t) => {
  const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
  const states = []
  for (const [path, body, as] of [['tasks/ID/ball/ack', undefined, s.member], ['tasks/ID/checklist', { label: 'x' }, s.admin], ['tasks/ID/comments', { body: 'x' }, s.member]] as const) {
    await s.post(`/api/${path.replace('ID', id)}`, body, { as })
    states.push(await s.get(`/api/tasks/${id}`))
  }
  for (const state of states) t.same(still((await asOf(id, state.last_activity_at)).json()), still(state))
})

await t.test('deleted then is not there then; deleted now was there then', async (t) => {
  const task = await s.addTask(project.id)
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  const restored = await s.post(`/api/tasks/${task.id}/restore`)
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  t.equal((await asOf(task.id, task.updated_at)).statusCode, 200)
  t.equal((await asOf(task.id, await before(restored.updated_at))).statusCode, 404)
  t.same(still((await asOf(task.id, restored.updated_at)).json()), still(restored))
  t.equal((await asOf(task.id, new Date(Date.now() + 1000).toISOString())).statusCode, 404)
})

await t.test('who may not see the project does not see its past', async (t) => {
  const hidden = await s.addProject({ visibility: 'members' })
  const task = await s.addTask(hidden.id)
  t.equal((await s.ask('GET', `/api/tasks/${task.id}?as_of=${task.updated_at}`, { as: s.member })).statusCode, 404)
  t.equal((await s.ask('GET', `/api/tasks/${task.id}?as_of=${task.updated_at}`)).statusCode, 200)
})

await t.test('what many who change at random left behind is what the past says, at each of their versions', async (t) => {
  const people = [s.admin, s.manager, s.member]
  const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T
  const tasks = await Promise.all([1, 2, 3].map(() => s.addTask(project.id)))
  const company = await s.post('/api/companies', { name: 'Halton Architects', kind: 'architect' })
  const contact = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Ana Silva' })
  // What each change left, written down by the database itself.
  await s.query(`
    create table history as select t.* from tasks t where false;
    create function remember () returns trigger language plpgsql as $$ begin insert into history select new.*; return null; end $$;
    create trigger remember after insert or update on tasks for each row execute function remember()`)
  const anyone = () => pick([...people.map(({ id }) => id), null])
  const wishes: (() => Promise<unknown>)[] = [
    () => s.ask('PATCH', `/api/tasks/${pick(tasks).id}`, { as: pick(people), body: { status: pick(['open', 'todo', 'in_progress', 'review', 'done', 'closed']) } }),
    () => s.ask('PATCH', `/api/tasks/${pick(tasks).id}`, { as: pick(people), body: { title: `${Math.random()}`, assignee_id: anyone(), due_at: pick([null, '2026-05-05T05:05:05.5Z']) } }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/ball`, { as: pick(people), body: { to_user_id: anyone() } }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/ball/ack`, { as: pick(people) }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/ball`, { as: pick(people), body: pick([{ to_company_id: company.id }, { to_contact_id: contact.id }]) }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/ball/nudge`, { as: pick(people) }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/ball/pause`, { as: pick(people), body: { reason: 'x' } }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/ball/resume`, { as: pick(people) }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/comments`, { as: pick(people), body: { body: 'x' } }),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/checklist`, { as: pick(people), body: { label: 'x' } }),
    () => s.ask('POST', '/api/tasks/bulk', { as: pick(people), body: { changes: tasks.map(({ id }) => ({ id, set: { priority: pick(['low', 'high']), tags: [`${Math.random()}`] } })) } }),
    () => s.ask('DELETE', `/api/tasks/${pick(tasks).id}`),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/restore`),
    () => s.ask('POST', `/api/tasks/${pick(tasks).id}/restore`)
  ]
  await Promise.all(Array.from({ length: 6 }, async () => { for (let n = 0; n < 80; n++) await pick(wishes)() }))
  const left = await s.query(`
    select id, to_json(last_activity_at) as at, deleted_at is not null as is_deleted, title, description, status, priority, department, tags, assignee_id, ball_in_court, ball_company_id, ball_contact_id, version,
      to_json(ball_since) as ball_since, to_json(ball_paused_since) as ball_paused_since, to_json(due_at) as due_at, to_json(closed_at) as closed_at, to_json(updated_at) as updated_at, to_json(created_at) as created_at
    from history order by last_activity_at`)
  t.ok(left.length > 100, `${left.length} states`)
  const fields = ['title', 'description', 'status', 'priority', 'department', 'tags', 'assignee_id', 'ball_in_court', 'ball_company_id', 'ball_contact_id', 'version']
  const times = ['ball_since', 'ball_paused_since', 'due_at', 'closed_at', 'updated_at', 'created_at']
  const plain = (row: any) => ({ ...Object.fromEntries(fields.map((field) => [field, row[field]])), ...Object.fromEntries(times.map((field) => [field, row[field]?.replace('+00:00', 'Z') ?? null])), at: (row.at ?? row.last_activity_at).replace('+00:00', 'Z') })
  await s.query("set timezone to 'UTC'")
  const wrong = []
  for (const state of left) {
    const answer = await asOf(state.id, state.at)
    if (answer.statusCode !== (state.is_deleted ? 404 : 200)) wrong.push({ state, answer: answer.statusCode })
    else if (!state.is_deleted && JSON.stringify(plain(answer.json())) !== JSON.stringify(plain(state))) wrong.push({ state: plain(state), answer: plain(answer.json()) })
  }
  t.same(wrong, [])
})
