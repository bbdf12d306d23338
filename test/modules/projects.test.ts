import t from 'tap'
import { nextPage, startApp } from '../helper.js'

const s = await startApp(t)
const unknown = '01900000-0000-7000-8000-00000000dead'
const ids = (rows: { id: string }[]) => rows.map(({ id }) => id)

async function walk (first: string, as = s.admin): Promise<any[]> {
  const rows = []
  for (let url: string | undefined = first; url !== undefined;) {
    const answer = await s.ask('GET', url, { as })
    rows.push(...answer.json())
    url = nextPage(answer)
  }
  return rows
}

await t.test('a project is created with its defaults, and who created it manages it', async (t) => {
  const answer = await s.ask('POST', '/api/projects', { body: { code: 'PS-001', name: 'Pump station' } })
  t.equal(answer.statusCode, 201)
  const project = answer.json()
  t.match(project, { code: 'PS-001', name: 'Pump station', description: '', status: 'active', visibility: 'company', created_by: s.admin.id, version: 1, deleted_at: null })
  t.match(answer.headers, { location: `/api/projects/${project.id}`, etag: '"1"' })
  t.match(await s.get(`/api/projects/${project.id}/members`), [{ id: s.admin.id, email: s.admin.email, role: 'manager' }])
  const got = await s.ask('GET', String(answer.headers.location))
  t.same(got.json(), project)
  t.equal(got.headers.etag, '"1"')
  t.equal((await s.ask('GET', `/api/projects/${project.id}`, { headers: { 'if-none-match': '"9", "1"' } })).statusCode, 304)
  t.equal((await s.ask('GET', `/api/projects/${project.id}`, { headers: { 'if-none-match': '*' } })).statusCode, 304)
  t.equal((await s.ask('GET', `/api/projects/${project.id}`, { headers: { 'if-none-match': '"2"' } })).statusCode, 200)
})

await t.test('a code is taken once, whatever its case', async (t) => {
  await s.addProject({ code: 'twin-1' })
  t.match((await s.ask('POST', '/api/projects', { body: { code: 'TWIN-1', name: 'Other' } })).json(), { status: 409, code: 'EDEN_CODE_TAKEN', errors: [{ path: 'code' }] })
  const other = await s.addProject({ code: 'twin-2' })
  t.match((await s.ask('PATCH', `/api/projects/${other.id}`, { body: { code: 'Twin-1' } })).json(), { status: 409, code: 'EDEN_CODE_TAKEN' })
  const many = await Promise.all(Array.from({ length: 8 }, (_, n) => s.ask('POST', '/api/projects', { body: { code: n % 2 ? 'RACE' : 'race', name: `${n}` } })))
  t.same(many.map(({ statusCode }) => statusCode).sort(), [201, ...Array(7).fill(409)])
  t.match(await s.patch(`/api/projects/${other.id}`, { code: 'TWIN-2' }), { code: 'TWIN-2', version: 2 }, 'its own code may change its case')
})

await t.test('a body is refused for what is wrong in it', async (t) => {
  for (const [body, path] of [[{}, 'code'], [{ code: 'A' }, 'name'], [{ code: 'A B', name: 'x' }, 'code'], [{ code: 'A', name: '' }, 'name'], [{ code: 'A', name: 'x', status: 'done' }, 'status'],
    [{ code: 'A', name: 'x', colour: 'red' }, 'colour'], [{ code: 'A', name: 'x', visibility: null }, 'visibility']] as const) {
    t.match((await s.ask('POST', '/api/projects', { body })).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path }] }, JSON.stringify(body))
  }
})

await t.test('a change keeps what it does not name, logs the fields that changed, and logs nothing when none did', async (t) => {
  const project = await s.addProject({ name: 'Before', description: 'Long' })
  t.equal((await s.ask('PATCH', `/api/projects/${project.id}`, { body: {} })).statusCode, 400)
  const changed = await s.patch(`/api/projects/${project.id}`, { name: 'After', status: 'on_hold' })
  t.match(changed, { name: 'After', status: 'on_hold', description: 'Long', code: project.code, version: 2 })
  t.ok(changed.updated_at > project.updated_at)
  t.match(await s.patch(`/api/projects/${project.id}`, { name: 'After', description: 'Long' }), { version: 2, updated_at: changed.updated_at })
  const events = await s.get(`/api/projects/${project.id}/activity`)
  t.match(events.map(({ action, changes }: any) => ({ action, changes })), [
    { action: 'updated', changes: { name: ['Before', 'After'], status: ['active', 'on_hold'] } },
    { action: 'created', changes: { name: [null, 'Before'], code: [null, project.code], status: [null, 'active'], visibility: [null, 'company'] } }
  ])
  t.same(Object.keys(events[0].changes).sort(), ['name', 'status'])
})

await t.test('a stale change or deletion is refused and tells the version; of two changes at once one wins', async (t) => {
  const { id } = await s.addProject()
  const change = (name: string) => s.ask('PATCH', `/api/projects/${id}`, { body: { name }, headers: { 'if-match': '"1"' } })
  const answers = await Promise.all([change('One'), change('Two')])
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 412])
  t.match(answers.find(({ statusCode }) => statusCode === 412)?.json(), { code: 'EDEN_STALE', current_version: 2 })
  const remove = (tag: string) => s.ask('DELETE', `/api/projects/${id}`, { headers: { 'if-match': tag } })
  t.match((await remove('"1"')).json(), { status: 412, current_version: 2 })
  t.match((await remove('W/"2"')).json(), { status: 412, current_version: 2 })
  t.same((await remove('"1", "2"')).json(), { deleted: true, id })
})

await t.test('a deleted project and what is in it are gone from reads, and come back whole', async (t) => {
  const project = await s.addProject()
  const task = await s.addTask(project.id, { assignee_id: s.member.id })
  const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Hello' })
  t.same((await s.ask('DELETE', `/api/projects/${project.id}`)).json(), { deleted: true, id: project.id })
  const paths = [`/api/projects/${project.id}`, `/api/projects/${project.id}/tasks`, `/api/projects/${project.id}/members`, `/api/tasks/${task.id}`, `/api/tasks/${task.id}/comments`, `/api/tasks/${task.id}/ball`, `/api/comments/${comment.id}`]
  for (const path of paths) t.equal((await s.ask('GET', path)).statusCode, 404, path)
  t.equal((await s.ask('PATCH', `/api/projects/${project.id}`, { body: { name: 'x' } })).statusCode, 404)
  t.equal((await s.ask('PATCH', `/api/tasks/${task.id}`, { body: { title: 'x' } })).statusCode, 404)
  t.equal((await s.ask('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'x' } })).statusCode, 404)
  t.equal((await s.ask('DELETE', `/api/projects/${project.id}`)).statusCode, 404)
  t.notOk(ids(await walk('/api/projects?limit=200')).includes(project.id))
  t.notOk(ids(await walk('/api/tasks?limit=200')).includes(task.id))
  const restored = await s.ask('POST', `/api/projects/${project.id}/restore`)
  t.equal(restored.statusCode, 200)
  t.match(restored.json(), { id: project.id, version: 3, deleted_at: null })
  t.equal(restored.headers.etag, '"3"')
  for (const path of paths) t.equal((await s.ask('GET', path)).statusCode, 200, path)
  t.equal((await s.ask('POST', `/api/projects/${project.id}/restore`)).statusCode, 404, 'a live one cannot be restored')
  t.equal((await s.ask('POST', `/api/projects/${unknown}/restore`)).statusCode, 404)
  t.same((await s.get(`/api/projects/${project.id}/activity?entity_type=project`)).map(({ action }: any) => action), ['restored', 'deleted', 'created'])
})

await t.test('a project whose code was taken meanwhile stays deleted until the code is free', async (t) => {
  const old = await s.addProject({ code: 'REUSED' })
  await s.ask('DELETE', `/api/projects/${old.id}`)
  const heir = await s.addProject({ code: 'reused' })
  t.match((await s.ask('POST', `/api/projects/${old.id}/restore`)).json(), { status: 409, code: 'EDEN_CODE_TAKEN', errors: [{ path: 'code' }] })
  await s.patch(`/api/projects/${heir.id}`, { code: 'HEIR' })
  t.equal((await s.ask('POST', `/api/projects/${old.id}/restore`)).statusCode, 200)
})

await t.test('people are put on a project, given another role, and taken off; each is an event', async (t) => {
  const { id } = await s.addProject()
  const put = (user: string, role: string) => s.ask('PUT', `/api/projects/${id}/members/${user}`, { body: { role } })
  t.match((await put(s.member.id, 'member')).json(), { id: s.member.id, name: s.member.name, email: s.member.email, role: 'member' })
  t.match((await put(s.member.id, 'viewer')).json(), { role: 'viewer' })
  t.equal((await put(s.member.id, 'viewer')).statusCode, 200)
  t.match((await put(unknown, 'viewer')).json(), { status: 422, code: 'EDEN_UNKNOWN_USER', errors: [{ path: 'user_id' }] })
  t.match((await put(s.member.id, 'boss')).json(), { status: 422, code: 'EDEN_UNKNOWN_ROLE', errors: [{ path: 'role' }] })
  t.match((await put(s.member.id, 'The Boss')).json(), { status: 400, errors: [{ path: 'role' }] })
  t.same((await s.get(`/api/projects/${id}/members`)).map(({ name, role }: any) => [name, role]), [['Ada Min', 'manager'], ['Mem Ber', 'viewer']])
  t.same((await s.ask('DELETE', `/api/projects/${id}/members/${s.member.id}`)).json(), { deleted: true, id: s.member.id })
  t.equal((await s.ask('DELETE', `/api/projects/${id}/members/${s.member.id}`)).statusCode, 404)
  const events = await s.get(`/api/projects/${id}/activity`)
  t.match(events.map(({ action, changes, data }: any) => ({ action, changes, data })), [
    { action: 'member_removed', changes: { member_role: ['viewer', null] }, data: { user_id: s.member.id } },
    { action: 'member_changed', changes: { member_role: ['member', 'viewer'] } },
    { action: 'member_added', changes: { member_role: [null, 'member'] } },
    { action: 'created' }
  ])
  t.equal(events.length, 4, 'the same role again is no event')
})

await t.test('pages of members skip and repeat nobody', async (t) => {
  const { id } = await s.addProject()
  for (let n = 0; n < 9; n++) await s.ask('PUT', `/api/projects/${id}/members/${(await s.addPerson('member', { name: 'Twin' })).id}`, { body: { role: 'member' } })
  const first = await s.ask('GET', `/api/projects/${id}/members?limit=4&count=true`)
  t.equal(first.headers['x-total-count'], '10')
  t.same(ids(await walk(`/api/projects/${id}/members?limit=4`)),
    (await s.query('select u.id from project_members m join users u on u.id = m.user_id where m.project_id = $1 order by lower(u.name), u.id', [id])).map(({ id }) => id))
})

await t.test('projects are filtered, sorted both ways and paged over ties without skipping or repeating one', async (t) => {
  const made = await Promise.all(Array.from({ length: 18 }, (_, n) => s.addProject({ name: n < 12 ? 'Tie' : `Name ${n}`, status: ['active', 'on_hold', 'closed'][n % 3], visibility: n % 2 ? 'company' : 'members' })))
  await s.query('update projects set created_at = $2, updated_at = $2 where id = any($1)', [ids(made.slice(0, 10)), '2026-01-01T00:00:00.123456Z'])
  for (const [sort, column] of [['name', 'lower(name)'], ['created_at', 'created_at'], ['updated_at', 'updated_at']]) {
    for (const direction of ['asc', 'desc']) {
      const expected = (await s.query(`select id from projects where deleted_at is null and status in ('active', 'closed') order by ${column} ${direction}, id ${direction}`)).map(({ id }) => id)
      const query = `limit=7&sort=${direction === 'desc' ? '-' : ''}${sort}&status=active,closed`
      t.same(ids(await walk(`/api/projects?${query}`)), expected, query)
    }
  }
  const rows = await walk('/api/projects?status=on_hold&visibility=members&limit=3')
  t.same(ids(rows).sort(), (await s.query('select id from projects where deleted_at is null and status = \'on_hold\' and visibility = \'members\'')).map(({ id }) => id).sort())
  const page = await s.ask('GET', '/api/projects?status=on_hold&visibility=members&limit=1&count=true')
  t.equal(page.headers['x-total-count'], String(rows.length))
  const link = new URL(String(nextPage(page)), 'http://x')
  t.match(Object.fromEntries(link.searchParams), { status: 'on_hold', visibility: 'members', limit: '1', count: 'true' })
})

await t.test('updated_since tells what changed and what was deleted', async (t) => {
  const [changed, deleted] = [await s.addProject(), await s.addProject()]
  const since = (await s.addProject()).updated_at
  await s.patch(`/api/projects/${changed.id}`, { name: 'Changed' })
  await s.ask('DELETE', `/api/projects/${deleted.id}`)
  const delta = await s.get(`/api/projects?sort=updated_at&updated_since=${since}`)
  t.match(delta, [{ updated_at: since }, { id: changed.id, name: 'Changed', deleted_at: null }, { id: deleted.id, version: 2, deleted_at: /Z$/ }])
  t.equal(delta.length, 3)
  const outsider = await s.get(`/api/projects?updated_since=${since}`, { as: s.viewer })
  t.equal(outsider.length, 3, 'projects of the company are everyone\'s')
})
