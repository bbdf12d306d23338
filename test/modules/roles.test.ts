import pg from 'pg'
import t from 'tap'
import { startApp, type Person } from '../helper.js'

const s = await startApp(t)
const ADMIN = '00000000-0000-7000-8000-000000000001'
const VIEWER = '00000000-0000-7000-8000-000000000004'
const reading = ['activity:read', 'comments:read', 'companies:read', 'projects:read', 'reports:read', 'tasks:read', 'users:read']

let made = 0
const addRole = (permissions: string[], fields: object = {}) => s.post('/api/roles', { slug: `role-${++made}`, name: `Role ${made}`, permissions, ...fields })
/** Somebody who holds a role of these permissions. */
async function holder (permissions: string[]): Promise<Person> {
  const [role, person] = [await addRole(permissions), await s.addPerson(null)]
  await s.query('insert into user_roles values ($1, $2)', [person.id, role.id])
  return person
}
const give = (person: { id: string }, role: string, as?: Person) => s.ask('PUT', `/api/users/${person.id}/roles/${role}`, { as })
const take = (person: { id: string }, role: string, as?: Person) => s.ask('DELETE', `/api/users/${person.id}/roles/${role}`, { as })
const can = async (as: Person) => (await s.get('/api/me/permissions', { as })).map(({ code }: { code: string }) => code)
const clerk = await holder([...reading, 'users:write', 'roles:write'])
const refused = { status: 403, code: 'EDEN_GRANT_EXCEEDS_OWN' }

await t.test('the roles are listed with what they allow, and everything that a role may allow is told', async (t) => {
  const roles = await s.get('/api/roles?limit=200', { as: s.viewer })
  t.match(roles.find(({ slug }: any) => slug === 'viewer'), { id: VIEWER, is_system: true, name: 'Viewer', permissions: reading })
  const all = await s.get('/api/permissions', { as: s.viewer })
  t.same(roles.find(({ slug }: any) => slug === 'admin').permissions, all.map(({ code }: any) => code))
  t.equal((await s.ask('GET', '/api/roles?count=true&limit=1')).headers['x-total-count'], String(roles.length))
  t.equal((await s.ask('GET', `/api/roles/${VIEWER}`, { headers: { 'if-none-match': '"1"' } })).statusCode, 304)
})

await t.test('what a role is logged to have been is what the event before it says that it became', async (t) => {
  const role = await addRole(['tasks:read', 'activity:read', 'projects:read'])
  await s.ask('PATCH', `/api/roles/${role.id}`, { body: { permissions: ['tasks:read', 'activity:read'] } })
  const [created, updated] = await s.query("select changes -> 'permissions' as permissions from activity_log where entity_id = $1 order by created_at", [role.id])
  t.same(updated.permissions[0], created.permissions[1])
})

await t.test('a role is added, changed as others are, and deleted; each is an event', async (t) => {
  const answer = await s.ask('POST', '/api/roles', { body: { slug: 'estimator', name: 'Estimator', permissions: ['tasks:read', 'projects:read'] } })
  const role = answer.json()
  t.equal(answer.statusCode, 201)
  t.equal(answer.headers.location, `/api/roles/${role.id}`)
  t.match(role, { slug: 'estimator', is_system: false, description: '', permissions: ['projects:read', 'tasks:read'], version: 1 })
  const patch = (body: object, version?: string) => s.ask('PATCH', `/api/roles/${role.id}`, { body, headers: version === undefined ? {} : { 'if-match': version } })
  t.match((await patch({ name: 'X' }, '"7"')).json(), { status: 412, current_version: 1 })
  t.match((await patch({ permissions: ['tasks:write', 'tasks:read'], description: 'Counts' }, '"1"')).json(), { permissions: ['tasks:read', 'tasks:write'], description: 'Counts', version: 2 })
  t.equal((await patch({ permissions: ['tasks:read', 'tasks:write'] })).json().version, 2, 'the same again is nothing new')
  t.match((await patch({ slug: 'other' })).json(), { status: 400, errors: [{ path: 'slug' }] }, 'a slug is for good')
  t.match((await patch({ permissions: ['tasks:fly'] })).json(), { status: 422, code: 'EDEN_UNKNOWN_PERMISSION' })
  t.match((await s.ask('POST', '/api/roles', { body: { slug: 'estimator', name: 'Another' } })).json(), { status: 409, code: 'EDEN_SLUG_TAKEN', errors: [{ path: 'slug' }] })

  await give(s.viewer, 'estimator')
  t.match((await s.ask('DELETE', `/api/roles/${role.id}`)).json(), { status: 409, code: 'EDEN_ROLE_HELD' })
  await take(s.viewer, 'estimator')
  t.match((await s.ask('DELETE', `/api/roles/${role.id}`, { headers: { 'if-match': '"1"' } })).json(), { status: 412 })
  t.same((await s.ask('DELETE', `/api/roles/${role.id}`)).json(), { deleted: true, id: role.id })
  t.equal((await s.ask('DELETE', `/api/roles/${role.id}`)).statusCode, 404)
  const events = await s.get(`/api/activity?entity_id=${role.id}&sort=at`)
  t.same(events.map(({ action }: any) => action), ['created', 'updated', 'deleted'])
  t.same(events[1].changes, { permissions: [['projects:read', 'tasks:read'], ['tasks:read', 'tasks:write']], description: ['', 'Counts'] })
  t.equal(events[2].sentence, 'Ada Min deleted the role "Estimator"')
})

await t.test('the roles that ship are edited, but stay, and admin keeps every permission', async (t) => {
  const looks = await s.patch(`/api/roles/${VIEWER}`, { name: 'Onlooker', permissions: [...reading, 'comments:write'] })
  t.match(looks, { slug: 'viewer', name: 'Onlooker', is_system: true })
  t.ok((await can(s.viewer)).includes('comments:write'), 'from the next request on')
  await s.patch(`/api/roles/${VIEWER}`, { permissions: reading })
  t.notOk((await can(s.viewer)).includes('comments:write'))
  t.match((await s.ask('DELETE', `/api/roles/${VIEWER}`)).json(), { status: 409, code: 'EDEN_SYSTEM_ROLE' })
  t.match((await s.ask('PATCH', `/api/roles/${ADMIN}`, { body: { permissions: reading } })).json(), { status: 409, code: 'EDEN_ADMINISTRATOR_WHOLE' })
  t.equal((await s.patch(`/api/roles/${ADMIN}`, { name: 'Boss' })).name, 'Boss')
  t.match(await s.query("delete from role_permissions where role_id = $1 and permission_code = 'tasks:read'", [ADMIN]).catch((error: Error) => error), { constraint: 'role_permissions_administrator_whole' }, 'whoever asks')
})

await t.test('a role is given and taken by its slug or its id, as often as one likes; the person has a new version', async (t) => {
  const person = await s.addPerson(null, { name: 'New Comer' })
  t.match((await give(person, 'member')).json(), { roles: ['member'], version: 2 })
  t.match((await give(person, 'member')).json(), { roles: ['member'], version: 2 })
  t.match((await give(person, VIEWER)).json(), { roles: ['member', 'viewer'], version: 3 })
  t.same((await take(person, 'viewer')).json(), { deleted: true, id: VIEWER })
  t.same((await take(person, VIEWER)).json(), { deleted: true, id: VIEWER })
  t.match(await s.get(`/api/users/${person.id}`), { roles: ['member'], version: 4 })
  t.same((await s.get(`/api/activity?entity_id=${person.id}&sort=at`)).map(({ sentence }: any) => sentence), ['Ada Min gave New Comer the role "Member"', 'Ada Min gave New Comer the role "Onlooker"', 'Ada Min took the role "Onlooker" from New Comer'])
  for (const path of [`${person.id}/roles/nothing`, `${person.id}/roles/${person.id}`, `${ADMIN}/roles/viewer`]) t.equal((await s.ask('PUT', `/api/users/${path}`)).statusCode, 404, path)
  t.equal((await give(person, 'viewer', s.manager)).statusCode, 403, 'with users:write alone')
})

await t.test('nobody gives or takes what they do not hold', async (t) => {
  const person = await s.addPerson('manager')
  const big = await addRole(['tasks:write'])
  for (const role of ['admin', 'manager', 'member', big.id]) {
    t.match((await give(person, role, clerk)).json(), refused, `giving ${role}`)
    t.match((await give(clerk, role, clerk)).json(), refused, `taking it for oneself: ${role}`)
    t.match((await take(person, role, clerk)).json(), refused, `taking ${role}`)
  }
  const ask = (method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) => s.ask(method, path, { as: clerk, body })
  const small = (await ask('POST', '/api/roles', { slug: 'small', name: 'Small', permissions: ['tasks:read'] })).json()
  t.equal(small.version, 1, 'what is held is given')
  t.match((await ask('POST', '/api/roles', { slug: 'large', name: 'Large', permissions: ['tasks:read', 'tasks:write'] })).json(), { ...refused, detail: /tasks:write/ })
  t.match((await ask('PATCH', `/api/roles/${small.id}`, { permissions: ['tasks:read', 'tasks:write'] })).json(), refused)
  for (const id of [big.id, ADMIN]) {
    t.match((await ask('PATCH', `/api/roles/${id}`, { permissions: [] })).json(), refused, 'nor is it taken by a change of the role')
    t.match((await ask('PATCH', `/api/roles/${id}`, { name: 'Mine' })).json(), refused)
    t.match((await ask('DELETE', `/api/roles/${id}`)).json(), refused)
  }
  t.equal((await ask('PATCH', `/api/roles/${small.id}`, { permissions: ['users:read'] })).statusCode, 200)
  t.equal((await give(person, 'small', clerk)).statusCode, 200)
  t.equal((await take(person, 'small', clerk)).statusCode, 200)
  t.equal((await ask('DELETE', `/api/roles/${small.id}`)).statusCode, 200)
})

await t.test('who holds more gets no other address, and is neither sent away nor brought back', async (t) => {
  const [boss, gone, peer] = [await s.addPerson('manager'), await s.addPerson('manager', { is_active: false }), await s.addPerson('viewer')]
  const patch = (id: string, body: object) => s.ask('PATCH', `/api/users/${id}`, { as: clerk, body })
  for (const id of [boss.id, s.admin.id]) {
    t.match((await patch(id, { email: `${id}@evil.example` })).json(), refused)
    t.match((await patch(id, { is_active: false })).json(), refused)
    t.match((await s.ask('DELETE', `/api/users/${id}`, { as: clerk })).json(), refused)
  }
  t.match((await patch(gone.id, { is_active: true })).json(), refused)
  t.equal((await patch(boss.id, { job_title: 'Foreman', email: boss.email })).json().job_title, 'Foreman', 'what leads nowhere may be changed')
  t.equal((await patch(peer.id, { email: 'peer.of.mine@example.com' })).json().email, 'peer.of.mine@example.com')
  t.equal((await s.ask('DELETE', `/api/users/${peer.id}`, { as: clerk })).statusCode, 200)
  t.equal((await patch(peer.id, { is_active: true })).statusCode, 200)
})

await t.test('a person is added, changed by version, sent away and brought back with what they hold', async (t) => {
  const answer = await s.ask('POST', '/api/users', { body: { email: 'Joan.Doe@example.com', name: 'Joan Doe', department: 'Service', locale: 'FR-ca' } })
  const joan = answer.json()
  t.equal(answer.statusCode, 201)
  t.equal(answer.headers.location, `/api/users/${joan.id}`)
  t.match(joan, { email: 'Joan.Doe@example.com', department: 'Service', locale: 'fr-CA', timezone: 'America/Toronto', is_active: true, roles: [], version: 1 })
  t.match((await s.ask('POST', '/api/users', { body: { email: 'joan.doe@EXAMPLE.com', name: 'x' } })).json(), { status: 409, code: 'EDEN_EMAIL_TAKEN' })
  t.match((await s.ask('PATCH', `/api/users/${joan.id}`, { body: { email: s.member.email } })).json(), { status: 409, code: 'EDEN_EMAIL_TAKEN' })
  t.equal((await s.ask('POST', '/api/users', { as: s.manager, body: { email: 'x@example.com', name: 'x' } })).statusCode, 403)
  await give(joan, 'member')
  const project = await s.addProject()
  const task = await s.addTask(project.id, { assignee_id: joan.id })

  const patch = (body: object, version?: string) => s.ask('PATCH', `/api/users/${joan.id}`, { body, headers: version === undefined ? {} : { 'if-match': version } })
  t.match((await patch({ name: 'Joan Dough' }, '"1"')).json(), { status: 412, current_version: 2 })
  t.match((await patch({ name: 'Joan Dough', department: null }, '"2"')).json(), { name: 'Joan Dough', department: null, version: 3 })
  t.equal((await s.get('/api/me', { as: joan })).name, 'Joan Dough')
  t.match((await s.ask('DELETE', `/api/users/${joan.id}`, { headers: { 'if-match': '"1"' } })).json(), { status: 412 })
  t.same((await s.ask('DELETE', `/api/users/${joan.id}`)).json(), { deleted: true, id: joan.id })
  t.equal((await s.ask('GET', '/api/me', { as: joan })).statusCode, 401)
  t.match(await s.get(`/api/users/${joan.id}`), { is_active: false, roles: ['member'], version: 4 })
  t.equal((await s.get(`/api/tasks/${task.id}`)).assignee_id, joan.id)
  t.equal((await s.ask('DELETE', `/api/users/${joan.id}`)).statusCode, 200, 'twice is once')
  t.match((await patch({ is_active: true })).json(), { is_active: true, version: 5 })
  t.equal((await s.get('/api/me', { as: joan })).id, joan.id)
  t.match((await s.get(`/api/activity?entity_id=${joan.id}&limit=1`))[0].changes, { is_active: [false, true] })
  t.equal((await s.ask('DELETE', '/api/users/01900000-0000-7000-8000-00000000dead')).statusCode, 404)
})

await t.test('the last active administrator stays, and keeps the role', async (t) => {
  const second = await s.addPerson('admin')
  t.equal((await s.ask('DELETE', `/api/users/${second.id}`)).statusCode, 200, 'of two one may go')
  const last = { status: 409, code: 'EDEN_LAST_ADMINISTRATOR' }
  t.match((await take(s.admin, 'admin')).json(), last)
  t.match((await s.ask('DELETE', `/api/users/${s.admin.id}`)).json(), last)
  t.match((await s.ask('PATCH', `/api/users/${s.admin.id}`, { body: { is_active: false } })).json(), last)
  t.match(await s.get('/api/me'), { is_active: true, roles: ['admin'] })
  t.match(await s.query('delete from user_roles where user_id = $1', [s.admin.id]).catch((error: Error) => error), { constraint: 'users_last_administrator' }, 'whoever asks')
})

await t.test('of two administrators who remove each other at once one remains, every time', async (t) => {
  const second = await s.addPerson('admin')
  for (let round = 0; round < 20; round++) {
    const ways = [(who: Person, as: Person) => take(who, 'admin', as), (who: Person, as: Person) => s.ask('DELETE', `/api/users/${who.id}`, { as })] as const
    const answers = await Promise.all([(ways[round % 2] as typeof ways[0])(s.admin, second), (ways[(round >> 1) % 2] as typeof ways[0])(second, s.admin)])
    const statuses = answers.map(({ statusCode }) => statusCode).sort()
    t.equal(statuses[0], 200, 'one is removed')
    // The other came too late for the role and finds the last one, or came so late that they are nobody themselves.
    t.ok([401, 403, 409].includes(statuses[1] as number), `${statuses[1]}`)
    t.match(await s.query("select count(*)::int from users u join user_roles ur on ur.user_id = u.id join roles r on r.id = ur.role_id where u.is_active and r.slug = 'admin'"), [{ count: 1 }])
    await s.query('update users set is_active = true where id = any($1)', [[s.admin.id, second.id]])
    await s.query('insert into user_roles select u, $2 from unnest($1::uuid[]) u on conflict do nothing', [[s.admin.id, second.id], ADMIN])
  }
})

await t.test('two transactions that both looked before either was done: the second finds the last one when it ends', async (t) => {
  const second = await s.addPerson('admin')
  await s.query('delete from user_roles where role_id = $1 and user_id not in ($2, $3)', [ADMIN, s.admin.id, second.id])
  for (let round = 0; round < 20; round++) {
    const [one, two] = [new pg.Client(s.url), new pg.Client(s.url)]
    await Promise.all([one.connect(), two.connect()])
    try {
      await one.query('begin')
      await two.query('begin')
      await one.query('delete from user_roles where user_id = $1', [s.admin.id])
      await two.query('delete from user_roles where user_id = $1', [second.id])
      const ends = await Promise.allSettled([one.query('commit'), two.query('commit')])
      t.same(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
      t.match(ends.find(({ status }) => status === 'rejected'), { reason: { constraint: 'users_last_administrator' } })
    } finally {
      await Promise.all([one.end(), two.end()])
    }
    await s.query('insert into user_roles select u, $2 from unnest($1::uuid[]) u on conflict do nothing', [[s.admin.id, second.id], ADMIN])
  }
})
