import t from 'tap'
import { nextPage, startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject({ code: 'ACT' })
const unknown = '01900000-0000-7000-8000-00000000dead'
const ids = (rows: { id: string }[]) => rows.map(({ id }) => id)

await t.test('an event says who changed which field from what to what, when, by which request', async (t) => {
  const task = await s.addTask(project.id, { title: 'Old' })
  const answer = await s.ask('PATCH', `/api/tasks/${task.id}`, { as: s.member, body: { title: 'New', tags: ['a'], due_at: '2031-01-01T00:00:00Z' }, headers: { 'x-request-id': 'req-42.a:b' } })
  t.equal(answer.headers['x-request-id'], 'req-42.a:b')
  const [event, created] = await s.get(`/api/tasks/${task.id}/activity`)
  t.match(event, { at: answer.json().updated_at, entity_type: 'task', entity_id: task.id, action: 'updated', actor: s.member, project_id: project.id, task_id: task.id, version: 2, request_id: 'req-42.a:b', data: {} })
  t.match(event.changes, { title: ['Old', 'New'], tags: [[], ['a']], due_at: [null, /^2031-01-01T00:00:00/] })
  t.equal(Object.keys(event.changes).length, 3)
  t.match(created, { action: 'created', version: 1, at: task.created_at, actor: { id: s.admin.id }, changes: { title: [null, 'Old'], status: [null, 'open'] } })
  t.match(created.request_id, /^[0-9a-f]{8}-/, 'a request without an id was given one')
})

await t.test('a request id that is not well-formed is not repeated anywhere', async (t) => {
  for (const id of ['has space', 'x'.repeat(101), '<script>', '']) {
    const answer = await s.ask('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'x' }, headers: { 'x-request-id': id } })
    t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/)
    t.match(await s.get(`/api/tasks/${answer.json().id}/activity`), [{ request_id: answer.headers['x-request-id'] }])
  }
})

await t.test('each kind of change is named for what it is', async (t) => {
  const task = await s.addTask(project.id)
  await s.patch(`/api/tasks/${task.id}`, { title: 'New' })
  await s.patch(`/api/tasks/${task.id}`, { assignee_id: s.member.id, title: 'Newer' })
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: s.member.id, note: 'Yours', expected_by: '2031-01-01T00:00:00Z' })
  await s.post(`/api/tasks/${task.id}/ball/ack`, undefined, { as: s.member })
  await s.patch(`/api/tasks/${task.id}`, { status: 'in_progress' })
  const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Hi @mem.ber' })
  await s.ask('DELETE', `/api/comments/${comment.id}`)
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  await s.post(`/api/tasks/${task.id}/restore`)
  const events = (await s.get(`/api/tasks/${task.id}/activity?sort=at`)).map(({ entity_type: type, action }: any) => `${type}.${action}`)
  t.same(events, ['task.created', 'task.updated', 'task.assigned', 'task.ball_passed', 'task.ball_acknowledged', 'task.status_changed', 'comment.created', 'comment.deleted', 'task.deleted', 'task.restored'])
  t.match(await s.get(`/api/tasks/${task.id}/activity?action=ball_passed`), [{ data: { note: 'Yours', expected_by: /^2031-01-01T00:00:00/ }, changes: { ball_in_court: [null, s.member.id] } }])
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  t.equal((await s.get(`/api/tasks/${task.id}/activity`)).length, 11, 'the log of a deleted task is there to read')
})

await t.test('a change and its event are one: what is refused leaves no event, and an event that cannot be written no change', async (t) => {
  const task = await s.addTask(project.id)
  const refused = [{ status: 'done' }, { assignee_id: unknown }, { parent_id: task.id }, {}]
  for (const body of refused) t.ok((await s.ask('PATCH', `/api/tasks/${task.id}`, { body })).statusCode >= 400)
  t.equal((await s.get(`/api/tasks/${task.id}/activity`)).length, 1)
  const state = () => s.query(`select (select jsonb_agg(to_jsonb(t) order by id) from tasks t) as tasks, (select jsonb_agg(to_jsonb(h) order by task_id, no) from ball_holds h) as holds,
    (select jsonb_agg(to_jsonb(p) order by id) from projects p) as projects, (select jsonb_agg(to_jsonb(u) order by id) from users u) as users, (select count(*) from comments) as comments,
    (select count(*) from project_members) as members, (select jsonb_agg(to_jsonb(c) order by project_id) from project_counters c) as counters, (select count(*) from event_outbox) as outbox`)
  await s.app.events.settled()
  const before = await state()
  await s.query('alter table activity_log add constraint no_more check (request_id <> \'refuse-me\')')
  for (const [method, path, body] of [['PATCH', `tasks/${task.id}`, { title: 'x' }], ['DELETE', `tasks/${task.id}`], ['POST', `tasks/${task.id}/ball`, { to_user_id: s.member.id }], ['POST', `tasks/${task.id}/comments`, { body: 'x' }],
    ['POST', `projects/${project.id}/tasks`, { title: 'Never' }], ['POST', 'tasks/bulk', { changes: [{ id: task.id, set: { title: 'x' } }] }], ['PATCH', `projects/${project.id}`, { name: 'x' }], ['DELETE', `projects/${project.id}`],
    ['POST', 'projects', { code: 'NEVER', name: 'x' }], ['PATCH', 'me', { name: 'x' }], ['PUT', `projects/${project.id}/members/${s.member.id}`, { role: 'viewer' }]] as const) {
    t.match((await s.ask(method, `/api/${path}`, { body, headers: { 'x-request-id': 'refuse-me' } })).json(), { code: 'EDEN_REFUSED', request_id: 'refuse-me' }, `${method} ${path}`)
  }
  await s.query('alter table activity_log drop constraint no_more')
  t.same(await state(), before)
})

await t.test('replaying the changes of a task from its creation gives its row', async (t) => {
  const parent = await s.addTask(project.id)
  const { id } = await s.addTask(project.id, { description: 'From the start', tags: ['a'], ball_in_court: s.member.id })
  const steps = [{ title: 'One', priority: 'urgent' }, { tags: [] }, { tags: ['b', 'c'], department: 'Service' }, { assignee_id: s.member.id, due_at: '2031-01-01T12:34:56.789123+02:00' }, { status: 'in_progress', parent_id: parent.id },
    { status: 'done' }, { status: 'todo', description: '' }, { ball_in_court: null, due_at: null }, { department: null, assignee_id: s.manager.id }, { due_at: '2032-02-29T00:00:00Z', parent_id: null }]
  for (const body of steps) {
    await s.patch(`/api/tasks/${id}`, body)
    if (body.tags?.length !== 0) continue
    await s.ask('DELETE', `/api/tasks/${id}`)
    await s.post(`/api/tasks/${id}/restore`)
  }
  const events = (await s.get(`/api/tasks/${id}/activity?entity_type=task&sort=at&limit=200`)) as any[]
  t.same(events.map(({ version }) => version), events.map((_, n) => n + 1), 'one event for each version')
  const state: Record<string, unknown> = { description: null, department: null, assignee_id: null, ball_in_court: null, due_at: null, parent_id: null }
  for (const { changes } of events) {
    for (const [field, [from, to]] of Object.entries(changes) as [string, [unknown, unknown]][]) {
      t.same(state[field] ?? null, from, `${field} was what the event says`)
      state[field] = to
    }
  }
  const [row] = await s.query('select to_jsonb(t) as task from (select title, description, status, priority, department, tags, assignee_id, ball_in_court, due_at, parent_id from tasks where id = $1) t', [id])
  const instant = (value: unknown) => value === null ? null : new Date(value as string).toISOString()
  t.same({ ...state, due_at: instant(state.due_at) }, { ...row.task, due_at: instant(row.task.due_at) })
})

await t.test('the log is filtered by entity, actor, action, project and time, alone and combined', async (t) => {
  const other = await s.addProject()
  const task = await s.addTask(other.id, {}, s.manager)
  await s.patch(`/api/tasks/${task.id}`, { title: 'x' }, { as: s.member })
  await s.post(`/api/tasks/${task.id}/comments`, { body: 'x' }, { as: s.member })
  const [{ at: middle }] = await s.get(`/api/tasks/${task.id}/activity?action=updated`)
  const cases: [query: string, where: string][] = [
    ['entity_type=project', 'entity_type = \'project\''], ['entity_type=task,comment', 'entity_type in (\'task\', \'comment\')'], [`entity_id=${task.id}`, `entity_id = '${task.id}'`], [`actor=${s.member.id}`, `actor_id = '${s.member.id}'`],
    ['action=created', 'action = \'created\''], ['action=updated,deleted', 'action in (\'updated\', \'deleted\')'], [`project=${other.id}`, `project_id = '${other.id}'`],
    [`from=${middle}`, `created_at >= '${middle}'`], [`to=${middle}`, `created_at < '${middle}'`]
  ]
  const check = async (path: string, query: string, where: string) => {
    const answer = await s.ask('GET', `${path}?${query}&limit=200&count=true`)
    const expected = ids(await s.query(`select id from activity_log where ${where} order by created_at desc, id desc`))
    t.same(ids(answer.json()), expected, query)
    t.equal(answer.headers['x-total-count'], String(expected.length))
    return expected.length
  }
  for (const [n, [query, where]] of cases.entries()) {
    t.ok(await check('/api/activity', query, where) > 0)
    for (const [otherQuery, otherWhere] of cases.slice(n + 1)) if (query.split('=')[0] !== otherQuery.split('=')[0]) await check('/api/activity', `${query}&${otherQuery}`, `${where} and ${otherWhere}`)
    if (!query.startsWith('project=')) await check(`/api/projects/${other.id}/activity`, query, `project_id = '${other.id}' and ${where}`)
    if (!query.startsWith('project=')) await check(`/api/tasks/${task.id}/activity`, query, `task_id = '${task.id}' and ${where}`)
  }
  for (const path of [`projects/${unknown}`, `tasks/${unknown}`]) t.equal((await s.ask('GET', `/api/${path}/activity`)).statusCode, 404)
  t.match((await s.ask('GET', '/api/activity?from=yesterday')).json(), { status: 400, errors: [{ path: 'from' }] })
})

await t.test('pages of the log over events of one instant skip and repeat nothing, also while more happens', async (t) => {
  const { id } = await s.addProject()
  await s.query(`insert into activity_log (id, created_at, entity_type, entity_id, action, actor_id, project_id, version)
    select gen_random_uuid(), now() - interval '1 day' + make_interval(secs => n / 10), 'project', $1, 'updated', $2, $1, n from generate_series(1, 40) n`, [id, s.admin.id])
  for (const [sort, direction] of [['at', 'asc'], ['-at', 'desc']]) {
    const expected = ids(await s.query(`select id from activity_log where project_id = $1 order by created_at ${direction}, id ${direction}`, [id]))
    const seen: string[] = []
    for (let url: string | undefined = `/api/projects/${id}/activity?limit=7&sort=${sort}`; url !== undefined;) {
      const answer = await s.ask('GET', url)
      seen.push(...ids(answer.json()))
      url = nextPage(answer)
      if (sort === '-at') await s.patch(`/api/projects/${id}`, { name: `Page ${seen.length}` })
    }
    t.same(seen, expected)
  }
})

await t.test('the database refuses to change or remove an event, whoever asks', async (t) => {
  await s.addTask(project.id)
  const [{ count }] = await s.query('select count(*)::int from activity_log')
  for (const table of ['activity_log', `activity_log_${new Date().toISOString().slice(0, 7).replace('-', '_')}`]) {
    await t.rejects(s.query(`update ${table} set action = 'forged'`), { constraint: 'append_only' } as any)
    await t.rejects(s.query(`delete from ${table}`), { message: /append-only/ } as any)
  }
  t.match(await s.query('select count(*)::int from activity_log where action <> \'forged\''), [{ count }])
})
