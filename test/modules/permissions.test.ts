import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const task = await s.addTask(project.id)
const company = await s.post('/api/companies', { name: 'Somebody', kind: 'sub' })
const contact = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Someone' })
const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Hello' })
const id = '01900000-0000-7000-8000-00000000dead'

const reads: [path: string, permission: string | null][] = [
  ['/api/users', 'users:read'], [`/api/users/${s.member.id}`, 'users:read'], ['/api/me', null], ['/api/me/permissions', null],
  ['/api/projects', 'projects:read'], [`/api/projects/${project.id}`, 'projects:read'], [`/api/projects/${project.id}/members`, 'projects:read'],
  ['/api/tasks', 'tasks:read'], [`/api/projects/${project.id}/tasks`, 'tasks:read'], [`/api/tasks/${task.id}`, 'tasks:read'], [`/api/tasks/${task.id}/ball`, 'tasks:read'],
  [`/api/tasks/${task.id}/comments`, 'comments:read'], [`/api/comments/${comment.id}`, 'comments:read'],
  ['/api/calendar', 'tasks:read'], ['/api/ball-policy', 'tasks:read'], ['/api/companies', 'companies:read'], [`/api/companies/${company.id}`, 'companies:read'], [`/api/companies/${company.id}/contacts`, 'companies:read'], [`/api/contacts/${contact.id}`, 'companies:read'],
  ['/api/notifications', null], ['/api/notifications/recent', null], ['/api/notifications/unread-count', null],
  ['/api/activity', 'activity:read'], [`/api/projects/${project.id}/activity`, 'activity:read'], [`/api/tasks/${task.id}/activity`, 'activity:read'], ['/api/changes', 'activity:read'],
  ['/api/reports/tasks/status', 'reports:read'], ['/api/reports/tasks/ball', 'reports:read'], ['/api/reports/tasks/priority', 'reports:read'],
  ['/api/reports/tasks/overdue', 'reports:read'], ['/api/reports/activity/recent', 'reports:read']
]
const writes: [method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, permission: string, body?: object][] = [
  ['POST', '/api/projects', 'projects:write', { code: 'X', name: 'X' }],
  ['PATCH', `/api/projects/${project.id}`, 'projects:write', { name: 'X' }],
  ['DELETE', `/api/projects/${project.id}`, 'projects:write'],
  ['POST', `/api/projects/${project.id}/restore`, 'projects:write'],
  ['PUT', `/api/projects/${project.id}/members/${s.viewer.id}`, 'projects:write', { role: 'manager' }],
  ['DELETE', `/api/projects/${project.id}/members/${s.admin.id}`, 'projects:write'],
  ['PUT', '/api/ball-policy', 'settings:write', {}],
  ['PUT', '/api/calendar', 'settings:write', { timezone: 'America/Toronto', weekly_hours: [] }],
  ['PUT', '/api/calendar/holidays/2026-08-03', 'settings:write', { name: 'Civic Holiday' }],
  ['DELETE', '/api/calendar/holidays/2026-08-03', 'settings:write'],
  ['POST', '/api/companies', 'companies:write', { name: 'X', kind: 'gc' }],
  ['PATCH', `/api/companies/${company.id}`, 'companies:write', { name: 'X' }],
  ['DELETE', `/api/companies/${company.id}`, 'companies:write'],
  ['POST', `/api/companies/${company.id}/restore`, 'companies:write'],
  ['POST', `/api/companies/${company.id}/contacts`, 'companies:write', { name: 'X' }],
  ['PATCH', `/api/contacts/${contact.id}`, 'companies:write', { name: 'X' }],
  ['DELETE', `/api/contacts/${contact.id}`, 'companies:write'],
  ['POST', `/api/contacts/${contact.id}/restore`, 'companies:write'],
  ['POST', '/api/tasks', 'tasks:write', { project_id: project.id, title: 'X' }],
  ['POST', `/api/projects/${project.id}/tasks`, 'tasks:write', { title: 'X' }],
  ['PATCH', `/api/tasks/${task.id}`, 'tasks:write', { title: 'X' }],
  ['DELETE', `/api/tasks/${task.id}`, 'tasks:write'],
  ['POST', `/api/tasks/${task.id}/restore`, 'tasks:write'],
  ['POST', '/api/tasks/bulk', 'tasks:write', { changes: [{ id: task.id, set: { title: 'X' } }] }],
  ['POST', `/api/tasks/${task.id}/ball`, 'ball:pass', { to_user_id: s.viewer.id }],
  ['POST', `/api/tasks/${task.id}/ball/ack`, 'ball:pass'],
  ['POST', `/api/tasks/${task.id}/ball/nudge`, 'ball:pass', {}],
  ['POST', `/api/tasks/${task.id}/ball/pause`, 'ball:pass', { reason: 'X' }],
  ['POST', `/api/tasks/${task.id}/ball/resume`, 'ball:pass'],
  ['POST', `/api/tasks/${task.id}/comments`, 'comments:write', { body: 'X' }],
  ['PATCH', `/api/comments/${comment.id}`, 'comments:write', { body: 'X' }],
  ['DELETE', `/api/comments/${comment.id}`, 'comments:write'],
  ['POST', `/api/comments/${comment.id}/restore`, 'comments:write']
]
const own: typeof writes = [['PATCH', '/api/me', '', { name: 'X' }], ['PATCH', `/api/notifications/${id}/read`, ''], ['PATCH', '/api/notifications/mark-all-read', '']]

/** Everything that a write could have changed. */
const state = () => s.query(`
  select (select jsonb_agg(to_jsonb(x) order by x.id) from projects x) as projects, (select jsonb_agg(to_jsonb(x) order by x.id) from tasks x) as tasks,
    (select jsonb_agg(to_jsonb(x) order by x.id) from comments x) as comments, (select jsonb_agg(to_jsonb(x) order by x.user_id) from project_members x) as members,
    (select count(*) from activity_log) as events, (select jsonb_agg(to_jsonb(x) order by x.id) from users x) as users`)

await t.test('nobody gets nothing: 401 as a problem, with how to sign in', async (t) => {
  const before = await state()
  for (const [method, path, , body] of [...reads.map(([path]) => ['GET', path, '', undefined] as const), ...writes, ...own]) {
    const answer = await s.ask(method, path, { as: null, body })
    t.match(answer.json(), { status: 401, code: 'EDEN_UNAUTHENTICATED', instance: path.split('?')[0] }, `${method} ${path}`)
    t.equal(answer.headers['www-authenticate'], 'Bearer')
    t.match(answer.headers['content-type'], /^application\/problem\+json/)
  }
  t.same(await state(), before)
})

await t.test('who has left, and who never was, is nobody', async (t) => {
  const gone = await s.addPerson('admin', { is_active: false })
  const stranger = { id, email: 'stranger@example.com', name: 'Stranger' }
  for (const as of [gone, stranger]) t.equal((await s.ask('GET', '/api/me', { as })).statusCode, 401)
  for (const sub of [gone.id, id, 'nobody']) t.equal((await s.ask('GET', '/api/me', { as: null, headers: { authorization: `Bearer ${s.app.jwt.sign({ sub })}` } })).statusCode, 401)
})

await t.test('a viewer reads everything and writes nothing: 403 that names the permission, and not a row changes', async (t) => {
  for (const [path] of reads) t.equal((await s.ask('GET', path, { as: s.viewer })).statusCode, 200, path)
  const before = await state()
  for (const [method, path, permission, body] of writes) {
    const problem = (await s.ask(method, path, { as: s.viewer, body })).json()
    t.match(problem, { status: 403, code: 'EDEN_FORBIDDEN' }, `${method} ${path}`)
    t.ok(problem.detail.includes(permission), problem.detail)
  }
  t.same(await state(), before)
})

await t.test('without a role there is oneself, and no more', async (t) => {
  const nobody = await s.addPerson(null)
  for (const [path, permission] of reads) t.equal((await s.ask('GET', path, { as: nobody })).statusCode, permission === null ? 200 : 403, path)
  for (const [method, path, , body] of writes) t.equal((await s.ask(method, path, { as: nobody, body })).statusCode, 403, `${method} ${path}`)
})

await t.test('each route asks for its own permission: with it alone the route is open, without it alone it is shut', async (t) => {
  const all = (await s.query('select code from permissions')).map(({ code }) => code as string)
  const holder = async (codes: string[]) => {
    const person = await s.addPerson(null)
    const slug = `r-${person.id}`
    await s.query('insert into roles (id, slug, name) values (gen_random_uuid(), $1, $1)', [slug])
    await s.query('insert into role_permissions select r.id, c from roles r, unnest($2::text[]) c where r.slug = $1', [slug, codes])
    await s.query('insert into user_roles select $1, id from roles where slug = $2', [person.id, slug])
    return person
  }
  for (const permission of new Set([...reads.map(([, permission]) => permission), ...writes.map(([, , permission]) => permission)])) {
    if (permission === null) continue
    const [has, lacks] = [await holder([permission]), await holder(all.filter((code) => code !== permission))]
    const routes = [...reads.filter(([, asks]) => asks === permission).map(([path]) => ['GET', path] as const), ...writes.filter(([, , asks]) => asks === permission)]
    for (const [method, path] of routes) {
      // Nothing is sent, so that what is open refuses the body or finds nothing to do, and changes little.
      const url = path.replace(task.id, id).replace(comment.id, id).replace(project.id, id).replace(company.id, id).replace(contact.id, id)
      t.not((await s.ask(method, url, { as: has })).statusCode, 403, `${method} ${path} with ${permission}`)
      t.equal((await s.ask(method, url, { as: lacks })).statusCode, 403, `${method} ${path} without ${permission}`)
    }
  }
})

await t.test('a member works on tasks but does not run projects; a manager does', async (t) => {
  t.equal((await s.ask('POST', `/api/projects/${project.id}/tasks`, { as: s.member, body: { title: 'Mine' } })).statusCode, 201)
  t.equal((await s.ask('PATCH', `/api/projects/${project.id}`, { as: s.member, body: { name: 'Mine' } })).statusCode, 403)
  t.equal((await s.ask('PATCH', `/api/projects/${project.id}`, { as: s.manager, body: { name: 'Theirs' } })).statusCode, 200)
})
