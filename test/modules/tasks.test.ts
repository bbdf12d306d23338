import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject({ code: 'PS-001' })
const unknown = '01900000-0000-7000-8000-00000000dead'
const events = (id: string) => s.get(`/api/tasks/${id}/activity?limit=200`)
const patch = (id: string, body: object, headers?: Record<string, string>) => s.ask('PATCH', `/api/tasks/${id}`, { body, headers })

await t.test('a task is created on either route, whole, with where it is and its ETag', async (t) => {
  const { id: projectId } = await s.addProject({ code: 'Two-Ways' })
  const parent = await s.addTask(projectId)
  const fields = { title: 'Pour the slab 🏗️', description: 'Line one\nline two', status: 'todo', priority: 'high', department: 'Operations', tags: ['slab', 'east'], assignee_id: s.member.id, ball_in_court: s.manager.id, due_at: '2031-05-06T12:00:00.25-04:00', parent_id: parent.id }
  const nested = await s.ask('POST', `/api/projects/${projectId}/tasks`, { body: fields })
  const flat = await s.ask('POST', '/api/tasks', { body: { project_id: projectId, ...fields }, as: s.member })
  for (const [answer, number, by] of [[nested, 2, s.admin], [flat, 3, s.member]] as const) {
    t.equal(answer.statusCode, 201)
    const task = answer.json()
    t.match(answer.headers, { location: `/api/tasks/${task.id}`, etag: '"1"' })
    t.match(task, { ...fields, due_at: '2031-05-06T16:00:00.25Z', project_id: projectId, number, key: `Two-Ways-${number}`, created_by: by.id, version: 1, closed_at: null, deleted_at: null, is_overdue: false, stalled_days: 0 })
    t.same(new Set([task.created_at, task.updated_at, task.last_activity_at, task.ball_since]).size, 1)
    t.same((await s.get(`/api/tasks/${task.id}`)).updated_at, task.updated_at)
  }
})

await t.test('a task needs a title only; the rest has its defaults', async (t) => {
  t.match(await s.addTask(project.id, { title: 'T' }), { title: 'T', description: '', status: 'open', priority: 'normal', department: null, tags: [], assignee_id: null, ball_in_court: null, due_at: null, parent_id: null })
  t.match(await s.addTask(project.id, { status: 'done' }), { status: 'done', closed_at: /Z$/, ball_in_court: null })
})

await t.test('a task is not created for a project, a person or a parent that is not there', async (t) => {
  const gone = await s.addPerson('member', { is_active: false })
  const elsewhere = await s.addTask((await s.addProject()).id)
  const deleted = await s.addTask(project.id)
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  const [{ last_task_number: before }] = await s.query('select last_task_number from project_counters where project_id = $1', [project.id])
  for (const [body, code, path] of [
    [{ project_id: unknown }, 'EDEN_UNKNOWN_PROJECT', 'project_id'], [{ assignee_id: unknown }, 'EDEN_UNKNOWN_ASSIGNEE', 'assignee_id'], [{ ball_in_court: unknown }, 'EDEN_UNKNOWN_BALL_IN_COURT', 'ball_in_court'],
    [{ assignee_id: gone.id }, 'EDEN_INACTIVE_PERSON', 'assignee_id'], [{ ball_in_court: gone.id }, 'EDEN_INACTIVE_PERSON', 'ball_in_court'],
    [{ parent_id: unknown }, 'EDEN_UNKNOWN_PARENT', 'parent_id'], [{ parent_id: elsewhere.id }, 'EDEN_UNKNOWN_PARENT', 'parent_id'], [{ parent_id: deleted.id }, 'EDEN_UNKNOWN_PARENT', 'parent_id']
  ] as const) {
    t.match((await s.ask('POST', '/api/tasks', { body: Object.assign({ project_id: project.id, title: 'x' }, body) })).json(), { status: 422, code, errors: [{ path }] }, JSON.stringify(body))
  }
  t.equal((await s.ask('POST', `/api/projects/${unknown}/tasks`, { body: { title: 'x' } })).statusCode, 404)
  t.match((await s.ask('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'x', project_id: project.id } })).json(), { status: 400, errors: [{ path: 'project_id' }] })
  t.same(await s.query('select last_task_number from project_counters where project_id = $1', [project.id]), [{ last_task_number: before }], 'no number was used up')
})

await t.test('keys count up per project without gaps, also when 30 are created at once, and follow a new code', async (t) => {
  const { id } = await s.addProject({ code: 'RUSH' })
  const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => s.ask('POST', `/api/projects/${id}/tasks`, { body: { title: `${n}`, ...(n % 5 === 4 ? { assignee_id: unknown } : {}) } })))
  t.equal(answers.filter(({ statusCode }) => statusCode === 422).length, 6)
  const keys = answers.filter(({ statusCode }) => statusCode === 201).map((answer) => answer.json().key)
  t.same(keys.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })), Array.from({ length: 24 }, (_, n) => `RUSH-${n + 1}`))
  await s.patch(`/api/projects/${id}`, { code: 'CALM' })
  t.match(await s.get(`/api/projects/${id}/tasks?limit=1&sort=created_at`), [{ key: /^CALM-\d+$/ }])
})

await t.test('a change keeps what it does not name and clears what is null; the whole task is answered', async (t) => {
  const task = await s.addTask(project.id, { description: 'Long', department: 'Service', tags: ['a'], assignee_id: s.member.id, ball_in_court: s.member.id, due_at: '2031-01-01T00:00:00Z' })
  const answer = await patch(task.id, { title: 'New', department: null, assignee_id: null, ball_in_court: null, due_at: null })
  t.equal(answer.headers.etag, '"2"')
  t.match(answer.json(), { ...task, title: 'New', department: null, assignee_id: null, ball_in_court: null, ball_holder: null, due_at: null, version: 2, updated_at: String, ball_since: String, last_activity_at: String, ball_held_seconds: Number })
  t.ok(answer.json().updated_at > task.updated_at)
  t.match((await events(task.id))[0], { action: 'ball_passed', version: 2, changes: { title: ['A task', 'New'], department: ['Service', null], assignee_id: [s.member.id, null], ball_in_court: [s.member.id, null] } })
  t.same(Object.keys((await events(task.id))[0].changes).sort(), ['assignee_id', 'ball_in_court', 'department', 'due_at', 'title'])
})

await t.test('what a change may not say is a 400 that names it', async (t) => {
  const task = await s.addTask(project.id)
  for (const [body, path] of [[{}, 'body'], [{ title: null }, 'title'], [{ title: '' }, 'title'], [{ status: 'late' }, 'status'], [{ priority: null }, 'priority'], [{ tags: null }, 'tags'], [{ tags: ['a', 'a'] }, 'tags'],
    [{ version: 3 }, 'version'], [{ project_id: project.id }, 'project_id'], [{ number: 7 }, 'number'], [{ due_at: '2031-02-30T00:00:00Z' }, 'due_at'], [{ due_at: '2031-02-03' }, 'due_at'], [{ assignee_id: 'me' }, 'assignee_id']] as const) {
    t.match((await patch(task.id, body)).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path }] }, JSON.stringify(body))
  }
  t.equal((await patch(unknown, { title: 'x' })).statusCode, 404)
  t.match(await s.get(`/api/tasks/${task.id}`), { version: 1 })
})

await t.test('a change that changes nothing bumps no version, moves no time and logs no event', async (t) => {
  const task = await s.addTask(project.id, { tags: ['a', 'b'], due_at: '2031-01-01T00:00:00Z', ball_in_court: s.member.id })
  const same = await patch(task.id, { title: task.title, status: 'open', tags: ['a', 'b'], due_at: '2030-12-31T19:00:00-05:00', ball_in_court: s.member.id, assignee_id: null })
  t.equal(same.statusCode, 200)
  t.match(same.json(), { version: 1, updated_at: task.updated_at, last_activity_at: task.last_activity_at, ball_since: task.ball_since })
  t.equal((await events(task.id)).length, 1)
  t.equal((await s.get(`/api/tasks/${task.id}/ball`)).length, 1)
  t.match((await patch(task.id, { tags: ['b', 'a'] })).json(), { version: 2, tags: ['b', 'a'] }, 'the order of tags is theirs')
})

await t.test('the flow of statuses allows what the contract says and nothing else', async (t) => {
  // The contract's table, written once more.
  const flow: Record<string, string[]> = { open: ['todo', 'in_progress', 'closed'], todo: ['open', 'in_progress', 'closed'], in_progress: ['todo', 'review', 'done', 'closed'], review: ['in_progress', 'done', 'closed'], done: ['todo', 'in_progress'], closed: ['open'] }
  for (const from of Object.keys(flow)) {
    for (const to of Object.keys(flow)) {
      const task = await s.addTask(project.id, { status: from })
      const answer = await patch(task.id, { status: to })
      if (from === to) t.match(answer.json(), { status: from, version: 1 }, `${from} stays`)
      else if (flow[from]?.includes(to)) {
        t.match(answer.json(), { status: to, version: 2, closed_at: ['done', 'closed'].includes(to) ? /Z$/ : null }, `${from} -> ${to}`)
        t.match(await events(task.id), [{ action: 'status_changed', changes: { status: [from, to] } }, { action: 'created' }])
      } else {
        t.match(answer.json(), { status: 422, code: 'EDEN_STATUS_NOT_ALLOWED', allowed: flow[from], errors: [{ path: 'status' }] }, `${from} -/-> ${to}`)
        t.ok(flow[from]?.every((allowed) => answer.json().detail.includes(allowed)), 'the detail names the allowed ones')
        t.match(await s.get(`/api/tasks/${task.id}`), { status: from, version: 1 })
      }
    }
  }
})

await t.test('a representation that the caller has is not sent again', async (t) => {
  const task = await s.addTask(project.id)
  const get = (tag: string) => s.ask('GET', `/api/tasks/${task.id}`, { headers: { 'if-none-match': tag } })
  for (const tag of ['"1"', 'W/"1"', '"8", W/"1"', '*']) {
    const answer = await get(tag)
    t.same([answer.statusCode, answer.body, answer.headers.etag], [304, '', '"1"'], tag)
  }
  await patch(task.id, { title: 'New' })
  const answer = await get('"1"')
  t.same([answer.statusCode, answer.headers.etag], [200, '"2"'])
})

await t.test('a change with If-None-Match is made and answered: 304 is for reads', async (t) => {
  const task = await s.addTask(project.id)
  const answer = await patch(task.id, { title: 'New' }, { 'if-none-match': '"2"' })
  t.equal(answer.statusCode, 200)
  t.match(answer.json(), { title: 'New', version: 2 })
})

await t.test('If-Match is strict: stale is 412 with the current version, weak matches nothing, a list and * match', async (t) => {
  const task = await s.addTask(project.id)
  const change = (tag: string) => patch(task.id, { title: `After ${tag}` }, { 'if-match': tag })
  t.equal((await change('"1"')).statusCode, 200)
  for (const tag of ['"1"', 'W/"2"', '"3"', '"x"', '"02"', '"1", W/"2"']) t.match((await change(tag)).json(), { status: 412, code: 'EDEN_STALE', current_version: 2 }, tag)
  for (const tag of ['2', '"2', 'W/2', '']) t.equal((await change(tag)).statusCode, 400, `malformed: ${tag}`)
  t.equal((await change('"1", "2"')).statusCode, 200)
  t.equal((await change('*')).statusCode, 200)
  const remove = (tag: string) => s.ask('DELETE', `/api/tasks/${task.id}`, { headers: { 'if-match': tag } })
  t.match((await remove('"2"')).json(), { status: 412, current_version: 4 })
  t.same((await remove('"4"')).json(), { deleted: true, id: task.id })
  t.equal((await change('"5"')).statusCode, 404)
})

await t.test('a deleted task is gone from reads and comes back as it was', async (t) => {
  const task = await s.addTask(project.id, { ball_in_court: s.member.id })
  const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Hello' })
  t.same((await s.ask('DELETE', `/api/tasks/${task.id}`)).json(), { deleted: true, id: task.id })
  const dead: [any, string, object?][] = [['GET', ''], ['PATCH', '', { title: 'x' }], ['DELETE', ''], ['GET', '/comments'], ['POST', '/comments', { body: 'x' }], ['GET', '/ball'], ['POST', '/ball', { to_user_id: null }], ['POST', '/ball/ack']]
  for (const [method, path, body] of dead) t.equal((await s.ask(method, `/api/tasks/${task.id}${path}`, { body })).statusCode, 404, `${method} ${path}`)
  for (const [method, body] of [['GET'], ['PATCH', { body: 'x' }], ['DELETE']] as const) t.equal((await s.ask(method, `/api/comments/${comment.id}`, { body })).statusCode, 404, `${method} comment`)
  t.equal((await s.ask('POST', '/api/tasks/bulk', { body: { changes: [{ id: task.id, set: { title: 'x' } }] } })).statusCode, 404)
  t.equal((await patch(task.id, { title: 'x', base_version: 1 })).statusCode, 404)
  const answer = await s.ask('POST', `/api/tasks/${task.id}/restore`)
  t.same([answer.statusCode, answer.headers.etag], [200, '"3"'])
  t.match(answer.json(), { title: task.title, key: task.key, ball_in_court: s.member.id, ball_since: task.ball_since, version: 3, deleted_at: null })
  t.equal((await s.ask('POST', `/api/tasks/${task.id}/restore`)).statusCode, 404, 'a live one')
  t.equal((await s.ask('POST', `/api/tasks/${unknown}/restore`)).statusCode, 404)
  t.match((await events(task.id)).map(({ action }: any) => action), ['restored', 'deleted', 'created', 'created'])
  t.equal((await s.get(`/api/tasks/${task.id}/comments`)).length, 1)
})

await t.test('who reopens a task whose last holder has left puts its ball in nobody\'s court', async (t) => {
  const leaver = await s.addPerson('member')
  const task = await s.addTask(project.id, { status: 'in_progress', ball_in_court: leaver.id })
  t.match((await patch(task.id, { status: 'done' })).json(), { ball_in_court: null })
  await s.query('update users set is_active = false where id = $1', [leaver.id])
  t.match((await patch(task.id, { status: 'todo' })).json(), { status: 'todo', ball_in_court: null })
})

await t.test('a parent is of the same project, is there, and is no descendant', async (t) => {
  const [a, b, c] = [await s.addTask(project.id), await s.addTask(project.id), await s.addTask(project.id)]
  const elsewhere = await s.addTask((await s.addProject()).id)
  t.match((await patch(b.id, { parent_id: a.id })).json(), { parent_id: a.id, version: 2 })
  t.equal((await patch(c.id, { parent_id: b.id })).statusCode, 200)
  for (const [child, parent] of [[a, a], [a, b], [a, c], [b, c]]) t.match((await patch(child.id, { parent_id: parent.id })).json(), { status: 422, code: 'EDEN_PARENT_CYCLE', errors: [{ path: 'parent_id' }] })
  for (const parent of [elsewhere.id, unknown]) t.match((await patch(a.id, { parent_id: parent })).json(), { status: 422, code: 'EDEN_UNKNOWN_PARENT', errors: [{ path: 'parent_id' }] })
  t.match(await s.get(`/api/tasks?parent=${a.id}`), [{ id: b.id }])
  t.equal((await patch(b.id, { parent_id: null })).statusCode, 200)
  t.equal((await patch(a.id, { parent_id: c.id })).statusCode, 200, 'no longer a descendant')
  t.match((await s.ask('POST', '/api/tasks/bulk', { body: { changes: [{ id: c.id, set: { parent_id: null } }, { id: b.id, set: { parent_id: a.id } }] } })).statusCode, 200)
  const deleted = await s.addTask(project.id)
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  t.match((await patch(a.id, { parent_id: deleted.id })).json(), { status: 422, code: 'EDEN_UNKNOWN_PARENT' }, 'a deleted one')
  await s.ask('DELETE', `/api/tasks/${a.id}`)
  t.equal((await patch(b.id, { title: 'Its parent is deleted' })).statusCode, 200, 'who has a deleted parent already may still be changed')
})
