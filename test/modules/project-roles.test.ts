/** What a role in a project allows there, and nowhere else. The route table has each route for a project's manager and its viewer. */
import t from 'tap'
import { nextPage, startApp, type Person } from '../helper.js'
import { things } from '../route-fixtures.js'

const s = await startApp(t)
const nobody = (name: string) => s.addPerson(null, { name })
const put = (project: string, person: Person, role: string, as = s.admin) => s.ask('PUT', `/api/projects/${project}/members/${person.id}`, { body: { role }, as })
const codesOf = async (person: Person, query = '') => (await s.get(`/api/me/permissions${query}`, { as: person })).map(({ code }: { code: string }) => code)
/** A role with these permissions, and somebody who holds it in the company. */
async function holderOf (slug: string, permissions: string[]): Promise<Person> {
  await s.post('/api/roles', { slug, name: slug, permissions })
  const person = await nobody(slug)
  await s.ask('PUT', `/api/users/${person.id}/roles/${slug}`)
  return person
}

await t.test('whoever has no role in the company works where a project gives them one, and what else there is they do not see', async (t) => {
  const [foreman, own, other, open] = [await nobody('Fo Reman'), await things(s), await things(s), await s.addProject()]
  const elsewhere = await s.addTask(open.id, { title: 'Xylophone elsewhere' })
  await put(own.project, foreman, 'member')
  const mine = await s.post(`/api/projects/${own.project}/tasks`, { title: 'Xylophone here' }, { as: foreman })
  t.equal((await s.ask('PATCH', `/api/tasks/${mine.id}`, { body: { priority: 'high' }, as: foreman })).statusCode, 200)
  const projectsOf = (rows: { project_id: string }[]) => [...new Set(rows.map(({ project_id: id }) => id))]
  t.same((await s.get('/api/projects', { as: foreman })).map(({ id }: { id: string }) => id), [own.project])
  t.same(projectsOf(await s.get('/api/tasks?limit=200', { as: foreman })), [own.project])
  t.same(projectsOf(await s.get('/api/search?q=xylophone', { as: foreman })), [own.project])
  t.same(projectsOf(await s.get('/api/activity?limit=200', { as: foreman })), [own.project], 'nor what happens in the company')
  t.same(projectsOf(await s.get('/api/changes?limit=200', { as: foreman })), [own.project])
  t.same((await s.get('/api/reports/projects/health', { as: foreman })).map(({ project_id: id }: { project_id: string }) => id), [own.project])
  const counted = (await s.get('/api/reports/tasks/status', { as: foreman })).reduce((sum: number, { count }: { count: number }) => sum + count, 0)
  t.equal(counted, (await s.query('select from tasks where project_id = $1', [own.project])).length)
  t.equal((await s.ask('GET', `/api/tasks/${other.task}`, { as: foreman })).statusCode, 404, 'a project for members only is not there')
  t.equal((await s.ask('GET', `/api/tasks/${elsewhere.id}`, { as: foreman })).statusCode, 404, 'and nor is one that is open to the company')
  t.equal((await s.ask('GET', '/api/users', { as: foreman })).statusCode, 403)
  t.equal((await s.ask('POST', '/api/projects', { body: { code: 'X-1', name: 'X' }, as: foreman })).statusCode, 403)
})

await t.test('no list, report or search shows anything of an open project to who has a role in another only', async (t) => {
  const [person, own, open] = [await nobody('Nar Row'), await s.addProject({ visibility: 'members' }), await s.addProject({ name: 'Zqxglobulin' })]
  const holder = await s.addPerson('member', { name: 'Zqxglobulin Holder', email: 'zqxglobulin@example.com' })
  const task = await s.addTask(open.id, { title: 'Zqxglobulin', ball_in_court: holder.id, assignee_id: holder.id, due_at: '2026-01-05T12:00:00Z' }, holder)
  await s.post(`/api/tasks/${task.id}/comments`, { body: 'Zqxglobulin' })
  await s.post('/api/guest-links', { name: 'Zqxglobulin', project_id: open.id, expires_at: new Date(Date.now() + 3_600_000).toISOString() })
  await put(own.id, person, 'manager')
  await s.app.events.settled()
  const lists = Object.entries(s.app.swagger().paths as Record<string, Record<string, Record<string, unknown>>>).filter(([url, methods]) => !url.includes('{') && methods['get']?.['x-permission-in-projects'] === true).map(([url]) => url)
  t.ok(lists.length > 12, lists.join(', '))
  const seen = { person: [] as string[], colleague: [] as string[] }
  for (const url of lists) {
    const path = url === '/api/search' ? `${url}?q=zqxglobulin` : url === '/api/changes' ? `${url}?limit=200&after=${(await s.query('select last_position - 20 as at from event_sequencer'))[0].at}` : url
    for (const [name, as] of [['person', person], ['colleague', s.manager]] as const) {
      const answer = await s.ask('GET', path, { as })
      t.equal(answer.statusCode, 200, `${path} as ${name}`)
      if ([/zqxglobulin/i, new RegExp(open.id), new RegExp(task.id), new RegExp(holder.id)].some((mark) => mark.test(answer.body))) seen[name].push(url)
    }
  }
  t.same(seen.person, [])
  t.ok(seen.colleague.length >= 11, `a manager of the company sees it in ${seen.colleague.join(', ')}`)
})

await t.test('the pages of whoever is on few projects join, in every order and by every filter, and have what those projects have', async (t) => {
  // The second has a permission in the company, and yet no sight of its open projects.
  const [subcontractor, reader] = [await nobody('Few Projects'), await holderOf('reader', ['tasks:read'])]
  const projects = [await s.addProject(), await s.addProject({ visibility: 'members' }), await s.addProject()]
  const elsewhere = await s.addProject()
  for (const { id } of projects) for (const person of [subcontractor, reader]) await put(id, person, 'viewer')
  for (let n = 0; n < 27; n++) {
    const { id } = await s.addTask(n % 4 === 3 ? elsewhere.id : projects[n % 4].id, { title: n % 2 ? 'Xylophone' : 'Other', tags: n % 5 ? [] : ['often'], due_at: n % 3 ? null : `2026-01-0${1 + n % 5}T00:00:00Z` })
    if (n % 9 === 1) await s.ask('DELETE', `/api/tasks/${id}`)
  }
  // Equal times, so that ids decide.
  await s.query("update tasks set created_at = date_trunc('hour', created_at) where project_id = any($1)", [projects.map(({ id }) => id)])
  const all = new Set(projects.map(({ id }) => id))
  for (const query of ['sort=updated_at', 'sort=-updated_at', 'sort=created_at', 'sort=-created_at', 'sort=due_at', 'sort=-due_at', 'q=xylophone', 'tag=often&sort=due_at', 'q=xylophone&tag=often', 'status=open&sort=due_at', 'updated_since=2020-01-01T00:00:00Z&sort=updated_at', `project=${projects[0].id}`, `project=${projects[0].id},${elsewhere.id}`]) {
    const whole = (await s.get(`/api/tasks?${query}&limit=200`)).filter(({ project_id: id }: { project_id: string }) => all.has(id)).map(({ id }: { id: string }) => id)
    t.ok(whole.length > 1, query)
    for (const as of [subcontractor, reader]) {
      const paged: string[] = []
      for (let path: string | undefined = `/api/tasks?${query}&limit=2`; path !== undefined;) {
        const answer = await s.ask('GET', path, { as })
        paged.push(...answer.json().map(({ id }: { id: string }) => id))
        path = nextPage(answer)
      }
      t.same(paged, whole, query)
    }
  }
})

await t.test('whoever has no role in the company hears of a project as long as they are on it', async (t) => {
  const [person, project] = [await nobody('He Ard'), await s.addProject()]
  const told = async () => {
    await s.app.events.settled()
    return (await s.get('/api/notifications', { as: person })).map(({ task_title: title }: any) => title)
  }
  await put(project.id, person, 'member')
  await s.addTask(project.id, { title: 'While on it', assignee_id: person.id })
  t.same(await told(), ['While on it'])
  await s.ask('DELETE', `/api/projects/${project.id}/members/${person.id}`)
  await s.addTask(project.id, { title: 'When off it', assignee_id: person.id })
  t.same(await told(), [], 'neither of what comes nor of what came, though it is open to the company')
  t.equal((await s.ask('GET', `/api/me/permissions?project=${project.id}`, { as: person })).statusCode, 404)
  await s.ask('PUT', `/api/users/${person.id}/roles/viewer`)
  t.same(await told(), ['While on it'])
})

await t.test('a role in a project adds to what the company\'s allows, in that project only, and takes nothing away', async (t) => {
  const [a, b] = [await things(s), await s.addProject()]
  const elsewhere = await s.addTask(b.id)
  const looker = await s.addPerson('viewer', { name: 'Loo Ker' })
  await put(a.project, looker, 'manager')
  t.equal((await s.ask('PATCH', `/api/projects/${a.project}`, { body: { name: 'Renamed' }, as: looker })).statusCode, 200)
  for (const [method, url, body] of [['PATCH', `/api/projects/${b.id}`, { name: 'Renamed' }], ['PATCH', `/api/tasks/${elsewhere.id}`, { title: 'Other' }], ['POST', `/api/projects/${b.id}/tasks`, { title: 'New' }],
    ['POST', '/api/tasks', { project_id: b.id, title: 'New' }], ['POST', '/api/tasks/bulk', { changes: [{ id: a.task, set: { title: 'Other' } }, { id: elsewhere.id, set: { title: 'Other' } }] }]] as const) {
    t.match((await s.ask(method, url, { body, as: looker })).json(), { status: 403, code: 'EDEN_FORBIDDEN' }, `${method} ${url}`)
  }
  t.match((await s.ask('POST', `/api/tasks/${a.task}/move`, { body: { project_id: b.id }, as: looker })).json(), { status: 422, code: 'EDEN_UNKNOWN_PROJECT' })
  t.equal((await s.ask('GET', `/api/tasks/${elsewhere.id}`, { as: looker })).statusCode, 200, 'they still see it')
  const worker = await s.addPerson('member', { name: 'Wor Ker' })
  await put(a.project, worker, 'viewer')
  t.equal((await s.ask('PATCH', `/api/tasks/${a.task}`, { body: { title: 'Worked on' }, as: worker })).statusCode, 200, 'a lesser role there takes nothing away')
})

await t.test('a role in a project is good from the next request on, and no longer than that', async (t) => {
  const person = await nobody('Come Go')
  const { project, task } = await things(s)
  const change = async () => (await s.ask('PATCH', `/api/tasks/${task}`, { body: { title: 'Again' }, as: person })).statusCode
  t.equal(await change(), 403)
  for (const [role, status] of [['member', 200], ['viewer', 403], ['manager', 200]] as const) {
    await put(project, person, role)
    t.equal(await change(), status, role)
  }
  await s.ask('DELETE', `/api/projects/${project}/members/${person.id}`)
  t.equal(await change(), 403)
})

await t.test('another role can be given in a project: what it allows there is what it allows about projects', async (t) => {
  const person = await nobody('Es Timator')
  const { project, task, comment } = await things(s)
  const role = await s.post('/api/roles', { slug: 'estimator', name: 'Estimator', permissions: ['tasks:read', 'tasks:write', 'users:read'] })
  t.equal((await put(project, person, 'estimator')).json().role, 'estimator')
  t.equal((await s.ask('PATCH', `/api/tasks/${task}`, { body: { title: 'Estimated' }, as: person })).statusCode, 200)
  t.equal((await s.ask('GET', `/api/comments/${comment}`, { as: person })).statusCode, 403)
  t.equal((await s.ask('GET', '/api/users', { as: person })).statusCode, 403, 'the people are the company\'s')
  t.same((await s.get('/api/search?q=text', { as: person })).filter(({ type }: { type: string }) => type !== 'task'), [], 'a search shows no kind that the role does not')
  t.same(await codesOf(person), [])
  t.same(await codesOf(person, `?project=${project}`), ['tasks:read', 'tasks:write'])
  t.match((await s.ask('DELETE', `/api/roles/${role.id}`)).json(), { status: 409, code: 'EDEN_ROLE_HELD' })
  await s.ask('PATCH', `/api/roles/${role.id}`, { body: { permissions: ['tasks:read', 'comments:read'] } })
  t.equal((await s.ask('PATCH', `/api/tasks/${task}`, { body: { title: 'Again' }, as: person })).statusCode, 403, 'an edited role counts at once')
  t.same((await s.get('/api/search?q=text', { as: person })).map(({ type }: { type: string }) => type), ['comment'])
})

await t.test('what one may do in a project is asked for by its id', async (t) => {
  const { project } = await things(s, { members: [[s.viewer, 'member']] })
  const [inCompany, there] = [await codesOf(s.viewer), await codesOf(s.viewer, `?project=${project}`)]
  t.same(there, [...inCompany, 'ball:pass', 'comments:write', 'tasks:write'].sort())
  t.match((await s.ask('GET', `/api/me/permissions?project=${project}`, { as: s.manager })).json(), { status: 404 })
  t.match((await s.ask('GET', '/api/me/permissions?project=x', { as: s.manager })).json(), { status: 400 })
})

await t.test('nobody gives or takes in a project what they may not do there themselves', async (t) => {
  const { project } = await things(s)
  const staff = await holderOf('staffing', ['projects:read', 'projects:write', 'users:read'])
  const [viewer, boss] = [await nobody('New Viewer'), await nobody('Boss There')]
  await put(project, staff, 'viewer')
  await put(project, boss, 'manager')
  t.equal((await put(project, viewer, 'viewer', staff)).statusCode, 200, 'what they hold by both of their roles they can give')
  for (const person of [viewer, staff, boss]) {
    t.match((await put(project, person, 'member', staff)).json(), { status: 403, code: 'EDEN_GRANT_EXCEEDS_OWN' }, person.name)
  }
  t.match((await s.ask('DELETE', `/api/projects/${project}/members/${boss.id}`, { as: staff })).json(), { status: 403, code: 'EDEN_GRANT_EXCEEDS_OWN' })
  t.equal((await put(project, viewer, 'manager', boss)).statusCode, 200)
  t.equal((await put(project, viewer, 'admin', boss)).statusCode, 200, 'in a project an administrator may no more than its manager')
  t.same(await codesOf(viewer), [])
  t.equal((await s.ask('DELETE', `/api/projects/${project}/members/${viewer.id}`, { as: boss })).statusCode, 200)
  t.match(await s.query("select details ->> 'from' as from, details ->> 'to' as to from audit_events where event = 'project_role_changed' and target_id = $1 order by at", [viewer.id]),
    [{ from: null, to: 'viewer' }, { from: 'viewer', to: 'manager' }, { from: 'manager', to: 'admin' }, { from: 'admin', to: null }])
})

await t.test('who manages people gets hold of nobody who may do more than they in a project', async (t) => {
  const hr = await holderOf('hr', ['users:read', 'users:write'])
  const { project } = await things(s)
  const boss = await nobody('Quiet Boss')
  await put(project, boss, 'manager')
  t.match((await s.ask('PATCH', `/api/users/${boss.id}`, { body: { email: 'mine@example.com' }, as: hr })).json(), { status: 403, code: 'EDEN_GRANT_EXCEEDS_OWN' })
  await s.ask('DELETE', `/api/projects/${project}/members/${boss.id}`)
  t.equal((await s.ask('PATCH', `/api/users/${boss.id}`, { body: { email: 'mine@example.com' }, as: hr })).statusCode, 200)
})

await t.test('a token of somebody with a role in a project does there what is in its scopes, and nothing else', async (t) => {
  const person = await nobody('To Ken')
  const { project, task, comment } = await things(s)
  await put(project, person, 'manager')
  const expires = new Date(Date.now() + 3_600_000).toISOString()
  t.match((await s.ask('POST', '/api/tokens', { body: { name: 'T', scopes: ['users:write'], expires_at: expires }, as: person })).json(), { status: 422, code: 'EDEN_SCOPE_NOT_HELD' })
  const { token } = await s.post('/api/tokens', { name: 'T', scopes: ['tasks:read', 'tasks:write', 'comments:write'], expires_at: expires }, { as: person })
  const ask = async (method: 'GET' | 'PATCH' | 'DELETE' | 'PUT', url: string, body?: object) => (await s.ask(method, url, { as: null, body, headers: { authorization: `Bearer ${token}` } }))
  t.equal((await ask('PATCH', `/api/tasks/${task}`, { title: 'By token' })).statusCode, 200)
  t.equal((await ask('PATCH', `/api/projects/${project}`, { name: 'By token' })).statusCode, 403)
  t.equal((await ask('DELETE', `/api/comments/${comment}`)).statusCode, 403, 'to moderate is not in its scopes')
  t.same((await ask('GET', '/api/search?q=text')).json().map(({ type }: { type: string }) => type).filter((type: string) => type !== 'task'), [])
  t.same((await ask('GET', `/api/me/permissions?project=${project}`)).json().map(({ code }: { code: string }) => code), ['comments:write', 'tasks:read', 'tasks:write'])
})

await t.test('a project\'s manager deletes the comments of others there, and in no other project', async (t) => {
  const person = await s.addPerson('member', { name: 'Mode Rator' })
  const [own, other] = [await things(s), await things(s)]
  await put(own.project, person, 'manager')
  await put(other.project, person, 'member')
  t.equal((await s.ask('DELETE', `/api/comments/${own.comment}`, { as: person })).statusCode, 200)
  t.match((await s.ask('DELETE', `/api/comments/${other.comment}`, { as: person })).json(), { status: 403, detail: /comments:moderate/ })
})

await t.test('every permission that counts in projects is one that some route takes there, and no other', async (t) => {
  const operations = Object.values(s.app.swagger().paths as Record<string, Record<string, Record<string, unknown>>>).flatMap((methods) => Object.values(methods))
  const taken = new Set(operations.filter((one) => one['x-permission-in-projects'] === true).map((one) => one['x-permission']))
  const counts = (await s.query('select code from permissions where in_projects order by code')).map(({ code }) => code)
  t.same([...taken, 'comments:moderate'].sort(), counts, 'moderating is asked for within a route')
})
