/** Guest links: who makes, lists and revokes them, and for how long one is good. */
import t from 'tap'
import pg from 'pg'
import { startWithGuests } from '../guests.js'
import { eventually, nextPage, type Person } from '../helper.js'

const { s, second, time, inDays, asked, make, look, status, problem, told, recorded, manager } = await startWithGuests(t)
const put = (person: Person, project: { id: string }, role: string) => s.ask('PUT', `/api/projects/${project.id}/members/${person.id}`, { body: { role } })

await t.test('a link is good as long as who made it may show what it shows', async (t) => {
  const maker = await manager()
  const project = await s.addProject({ visibility: 'members' })
  await put(maker, project, 'manager')
  const task = await s.addTask(project.id)
  const links = [await make(maker, { project_id: project.id }), await make(maker, { task_id: task.id })]
  const both = async () => [await status(links[0].token), await status(links[1].token, second)]
  const states = async () => (await s.get(`/api/guest-links?project=${project.id}`)).map((one: any) => one.state)
  t.same(await both(), [200, 200])
  for (const [what, off, on] of [
    ['off the project', () => s.ask('DELETE', `/api/projects/${project.id}/members/${maker.id}`), () => put(maker, project, 'manager')],
    ['left', () => s.ask('DELETE', `/api/users/${maker.id}`), () => s.patch(`/api/users/${maker.id}`, { is_active: true })],
    ['neither in the company nor in the project', async () => { await s.ask('DELETE', `/api/users/${maker.id}/roles/manager`); await put(maker, project, 'member') }, () => put(maker, project, 'manager')],
    ['only in the company', async () => { await s.ask('PUT', `/api/users/${maker.id}/roles/manager`); await put(maker, project, 'viewer'); t.same(await both(), [200, 200], 'the role in the company is enough'); await s.ask('DELETE', `/api/users/${maker.id}/roles/manager`) }, () => put(maker, project, 'manager')]
  ] as [string, () => Promise<any>, () => Promise<any>][]) {
    await off()
    t.same(await both(), [404, 404], what)
    t.same(await states(), ['suspended', 'suspended'], what)
    await on()
    t.same(await both(), [200, 200], `${what} no longer`)
  }
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  t.same(await both(), [200, 404], 'a deleted task')
  t.same(await states(), ['suspended', 'live'])
  await s.ask('POST', `/api/tasks/${task.id}/restore`)
  await s.ask('DELETE', `/api/projects/${project.id}`)
  t.same(await both(), [404, 404], 'a deleted project')
  t.same(await states(), ['suspended', 'suspended'])
  await s.ask('POST', `/api/projects/${project.id}/restore`)
  t.same(await both(), [200, 200], 'restored')
  await s.ask('DELETE', `/api/projects/${project.id}`)
  t.equal((await s.ask('DELETE', `/api/guest-links/${links[0].id}`)).statusCode, 200, 'a link into a deleted project can be ended')
  await s.ask('POST', `/api/projects/${project.id}/restore`)
  t.same(await both(), [404, 200])
})

await t.test('the link to a task goes with it to another project, if its maker may share that', async (t) => {
  const maker = await manager()
  const [from, open, closed] = [await s.addProject({}, maker), await s.addProject(), await s.addProject({ visibility: 'members' })]
  const task = await s.addTask(from.id, {}, maker)
  const { id, token } = await make(maker, { task_id: task.id })
  const whole = await make(maker, { project_id: from.id })
  const move = async (to: { id: string }) => t.equal((await s.ask('POST', `/api/tasks/${task.id}/move`, { body: { project_id: to.id } })).statusCode, 200)
  await move(open)
  t.match((await look(token)).json(), { project: { code: open.code }, tasks: [{ key: `${open.code}-1` }] })
  t.same((await look(whole.token)).json().tasks, [])
  t.match(await s.get(`/api/guest-links?task=${task.id}`), [{ id, project: { id: open.id } }])
  await move(closed)
  t.equal(await status(token), 404)
  t.same(await s.get(`/api/guest-links?task=${task.id}`, { as: maker }), [], 'they do not see it')
  t.equal((await s.ask('DELETE', `/api/guest-links/${id}`, { as: maker })).statusCode, 404)
  await move(from)
  t.equal(await status(token), 200)
})

await t.test('a link that is made while its task moves is one to the task where it went', async (t) => {
  const maker = await manager()
  const [from, to] = [await s.addProject({}, maker), await s.addProject({}, maker)]
  const task = await s.addTask(from.id, {}, maker)
  const mover = new pg.Client(s.url)
  await mover.connect()
  t.teardown(() => mover.end())
  await mover.query('begin')
  await mover.query('update tasks set project_id = $1, number = 100 where id = $2', [to.id, task.id])
  const answer = s.ask('POST', '/api/guest-links', { as: maker, body: asked({ task_id: task.id }) })
  await eventually(async () => (await s.query("select from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'with target as materialized' and datname = current_database()")).length > 0)
  await mover.query('commit')
  const made = await answer
  t.equal(made.statusCode, 201, made.body)
  t.match(made.json(), { project: { id: to.id }, task: { key: `${to.code}-100` } })
})

await t.test('a link that is revoked while its task moves is revoked', async (t) => {
  const maker = await manager()
  const [from, to] = [await s.addProject({}, maker), await s.addProject({}, maker)]
  const task = await s.addTask(from.id, {}, maker)
  const { id, token } = await make(maker, { task_id: task.id })
  const mover = new pg.Client(s.url)
  await mover.connect()
  t.teardown(() => mover.end())
  await mover.query('begin')
  await mover.query('update tasks set project_id = $1, number = 100 where id = $2', [to.id, task.id])
  t.equal(await status(token), 200, 'no guest waits for that')
  t.match(await s.query("select from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"), [{}], 'it still moves')
  const answer = s.ask('DELETE', `/api/guest-links/${id}`, { as: maker })
  await eventually(async () => (await s.query("select from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'guest_links' and datname = current_database()")).length > 0)
  await mover.query('commit')
  t.equal((await answer).statusCode, 200)
  t.equal(await status(token), 404)
})

await t.test('nobody shows what they may not read themselves', async (t) => {
  await s.post('/api/roles', { slug: 'sharer', name: 'Sharer', permissions: ['projects:read', 'projects:share'] })
  const project = await s.addProject()
  const task = await s.addTask(project.id)
  for (const person of [await s.addPerson('sharer'), await s.addPerson(null)]) {
    await put(person, project, 'sharer')
    t.equal((await s.ask('GET', `/api/tasks/${task.id}`, { as: person })).statusCode, 403)
    for (const fields of [{ project_id: project.id }, { task_id: task.id }]) t.match((await s.ask('POST', '/api/guest-links', { as: person, body: asked(fields) })).json(), { status: 403, code: 'EDEN_FORBIDDEN', detail: /tasks:read/ })
    await s.ask('PUT', `/api/projects/${project.id}/members/${person.id}`, { body: { role: 'manager' } })
    const { token } = await make(person, { project_id: project.id })
    t.equal(await status(token), 200)
    await put(person, project, 'sharer')
    t.equal(await status(token), 404)
  }
})

await t.test('nobody shares what they may not, nor learns of it', async (t) => {
  const [open, closed] = [await s.addProject(), await s.addProject({ visibility: 'members' })]
  const [own, foreign] = [await s.addTask(open.id), await s.addTask(closed.id)]
  const link = await make(s.admin, { project_id: closed.id })
  const subcontractor = await s.addPerson(null)
  await put(subcontractor, closed, 'manager')
  await put(subcontractor, open, 'viewer')
  const ask = (as: Person, fields: object) => s.ask('POST', '/api/guest-links', { as, body: asked(fields) })
  for (const person of [s.member, s.viewer]) {
    t.same(problem(await ask(person, { project_id: open.id })), [403, 'EDEN_FORBIDDEN', undefined])
    t.equal((await s.ask('GET', '/api/guest-links', { as: person })).statusCode, 403)
  }
  t.same(problem(await ask(s.manager, { project_id: closed.id })), [422, 'EDEN_UNKNOWN_PROJECT', 'project_id'])
  t.same(problem(await ask(s.manager, { task_id: foreign.id })), [422, 'EDEN_UNKNOWN_TASK', 'task_id'])
  t.same(problem(await s.ask('DELETE', `/api/guest-links/${link.id}`, { as: s.manager })), [404, 'EDEN_NOT_FOUND', undefined])
  // By a role in one project: what is there, and nothing else.
  const theirs = await make(subcontractor, { task_id: foreign.id })
  t.equal(await status(theirs.token), 200)
  t.same(problem(await ask(subcontractor, { project_id: open.id })), [403, 'EDEN_FORBIDDEN', undefined], 'seen, and not theirs to share')
  t.same(problem(await ask(subcontractor, { task_id: own.id })), [403, 'EDEN_FORBIDDEN', undefined])
  const ids = async (as: Person) => (await s.get('/api/guest-links?limit=200', { as })).map(({ id }: any) => id).sort()
  t.same(await ids(subcontractor), [link.id, theirs.id].sort(), 'all links into their project, whoever made them')
  const opened = await make(s.admin, { project_id: open.id })
  t.notOk((await ids(subcontractor)).includes(opened.id))
  t.ok((await ids(s.manager)).includes(opened.id))
  t.same(problem(await s.ask('DELETE', `/api/guest-links/${opened.id}`, { as: subcontractor })), [403, 'EDEN_FORBIDDEN', undefined])
  t.equal((await s.ask('DELETE', `/api/guest-links/${link.id}`, { as: subcontractor })).statusCode, 200)
  // What is gone is not there to be shared.
  await s.ask('DELETE', `/api/tasks/${own.id}`)
  t.same(problem(await ask(s.admin, { task_id: own.id })), [422, 'EDEN_UNKNOWN_TASK', 'task_id'])
  t.same(problem(await ask(s.admin, { project_id: open.id, task_id: own.id })), [400, 'EDEN_VALIDATION', 'task_id'])
  t.same(problem(await ask(s.admin, {})), [400, 'EDEN_VALIDATION', 'body'])
})

await t.test('a personal access token makes no links, which would outlive it, but lists and revokes them', async (t) => {
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const { id } = await make(maker, { project_id: project.id })
  const by = async (scopes: string[], method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
    const { token } = await s.post('/api/tokens', { name: 'X', scopes, expires_at: inDays(1) }, { as: maker })
    return s.app.inject({ method, url, headers: { authorization: `Bearer ${token}` }, ...(payload === undefined ? {} : { payload }) })
  }
  t.same(problem(await by(['projects:share'], 'POST', '/api/guest-links', asked({ project_id: project.id }))), [403, 'EDEN_NOT_BY_TOKEN', undefined])
  t.equal((await by(['projects:read', 'projects:write'], 'GET', '/api/guest-links')).statusCode, 403)
  t.ok((await by(['projects:share'], 'GET', '/api/guest-links')).json().some((one: any) => one.id === id))
  t.equal((await by(['projects:share'], 'DELETE', `/api/guest-links/${id}`)).statusCode, 200)
})

await t.test('revoked, by whoever may share the project, it is no good on every instance at once', async (t) => {
  const [maker, colleague] = [await manager(), await manager()]
  const project = await s.addProject({}, maker)
  const { id, token } = await make(maker, { project_id: project.id })
  for (const app of [s.app, second]) t.equal(await status(token, app), 200)
  t.same((await s.ask('DELETE', `/api/guest-links/${id}`, { as: colleague })).json(), { deleted: true, id })
  for (const app of [s.app, second]) t.equal(await status(token, app), 404)
  t.equal((await s.ask('DELETE', `/api/guest-links/${id}`, { as: maker })).statusCode, 404, 'no second time')
  t.match(await s.get(`/api/guest-links?project=${project.id}`, { as: maker }), [{ id, state: 'revoked' }])
  t.match(await recorded('guest_link_created', id), [{ actor_id: maker.id, target_type: 'guest_link', details: { name: 'The architect', project: project.id } }])
  t.match(await recorded('guest_link_revoked', id), [{ actor_id: colleague.id, target_type: 'guest_link', details: { maker: maker.id, project: project.id } }])
  t.match(told('guest_link_revoked').at(-1), { target: id, user_id: colleague.id })
})

await t.test('it ends when it was said to, which is within the days that are allowed', async (t) => {
  const maker = await manager()
  const project = await s.addProject({}, maker)
  for (const expires of [inDays(-1), time.now.toISOString(), inDays(90.001), 'infinity', null, undefined]) {
    t.same(problem(await s.ask('POST', '/api/guest-links', { as: maker, body: { ...asked({ project_id: project.id }), expires_at: expires } })), [400, 'EDEN_VALIDATION', 'expires_at'], String(expires))
  }
  t.equal(new Date((await make(maker, { project_id: project.id, expires_at: inDays(90) })).expires_at).toISOString(), inDays(90))
  // The clock of an instance may be behind that of the database.
  const then = time.now
  time.now = new Date(then.getTime() - 60_000)
  t.same(problem(await s.ask('POST', '/api/guest-links', { as: maker, body: { ...asked({ project_id: project.id }), expires_at: new Date(time.now.getTime() + 30_000).toISOString() } })), [400, 'EDEN_VALIDATION', 'expires_at'])
  time.now = then
})

await t.test('a person has so many live ones and no more, also when they ask at once; the list has all, page by page', async (t) => {
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const body = asked({ project_id: project.id })
  const answers = await Promise.all(Array.from({ length: 12 }, () => s.ask('POST', '/api/guest-links', { as: maker, body })))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [...Array(7).fill(201), ...Array(5).fill(422)])
  t.same(problem(await s.ask('POST', '/api/guest-links', { as: maker, body })), [422, 'EDEN_TOO_MANY_GUEST_LINKS', undefined])
  await s.ask('DELETE', `/api/guest-links/${answers.find(({ statusCode }) => statusCode === 201)?.json().id}`, { as: maker })
  t.equal((await s.ask('POST', '/api/guest-links', { as: maker, body })).statusCode, 201)
  // What shows nothing now is in nobody's way.
  const other = await s.addProject({}, maker)
  await s.ask('DELETE', `/api/projects/${project.id}`, { as: maker })
  const elsewhere = await make(maker, { project_id: other.id })
  await s.ask('DELETE', `/api/guest-links/${elsewhere.id}`, { as: maker })
  await s.ask('POST', `/api/projects/${project.id}/restore`, { as: maker })
  const first = await s.ask('GET', `/api/guest-links?project=${project.id}&limit=3&count=true`, { as: maker })
  t.equal(first.headers['x-total-count'], '8')
  const paged = first.json()
  for (let path = nextPage(first); path !== undefined;) {
    const answer = await s.ask('GET', path, { as: maker })
    paged.push(...answer.json())
    path = nextPage(answer)
  }
  t.same(paged, await s.get(`/api/guest-links?project=${project.id}&limit=200`, { as: maker }))
  t.equal(new Set(paged.map(({ id }: any) => id)).size, 8)
  t.equal((await s.get(`/api/guest-links?project=${project.id}&state=live`, { as: maker })).length, 7)
  t.equal((await s.get(`/api/guest-links?project=${project.id}&state=revoked,expired`, { as: maker })).length, 1)
})

await t.test('what has been over for thirty days is forgotten', async (t) => {
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const ids = []
  for (const name of ['expired', 'revoked', 'expired lately', 'live']) ids.push((await make(maker, { name, project_id: project.id })).id)
  await s.query("update guest_links set created_at = now() - interval '90 days' where created_by = $1", [maker.id])
  await s.query("update guest_links set expires_at = now() - interval '31 days' where id = $1", [ids[0]])
  await s.query("update guest_links set revoked_at = now() - interval '31 days' where id = $1", [ids[1]])
  await s.query("update guest_links set expires_at = now() - interval '29 days' where id = $1", [ids[2]])
  t.same(await s.app.jobs.runNow('expire_guest_links'), { links: 2 })
  t.same((await s.get(`/api/guest-links?project=${project.id}`, { as: maker })).map(({ name }: any) => name).sort(), ['expired lately', 'live'])
})
