/** Guest links: one task or project to look at, for who has the link and no account; as long as who made it may show it. */
import t from 'tap'
import pg from 'pg'
import { buildApp } from '../../app.js'
import { guestTokens } from '../../modules/guest-links/token.js'
import { eventually, formWith, nextPage, startApp, type Person } from '../helper.js'
import { takeLog } from '../logs.js'

let now = new Date()
const s = await startApp(t, { clock: () => now, environment: { LOG_LEVEL: 'info', GUEST_LINKS_PER_PERSON: '7', GUEST_LINK_MAX_DAYS: '90' } })
const lines = takeLog(s.app)
// Another instance, on the same database.
const second = await buildApp({ ...s.app.config, LOG_LEVEL: 'silent' }, { clock: () => now })
await second.ready()
t.teardown(() => second.close())

const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000).toISOString()
const problem = (answer: { json: () => any }) => { const { status, code, errors } = answer.json(); return [status, code, errors?.[0]?.path] }
const asked = (fields: object) => ({ name: 'The architect', expires_at: inDays(30), ...fields })
const make = (as: Person, fields: object) => s.post<any>('/api/guest-links', asked(fields), { as })
const look = (token: string, query = '', app = s.app) => app.inject(`/api/guest/${token}${query}`)
const status = async (token: string, app = s.app) => (await look(token, '', app)).statusCode
const put = (person: Person, project: { id: string }, role: string) => s.ask('PUT', `/api/projects/${project.id}/members/${person.id}`, { body: { role } })
const told = (event: string, from = 0) => lines.slice(from).filter(({ security }) => security === event)
const recorded = async (event: string, id: string) => {
  for (const app of [s.app, second]) await app.auditTrail.written()
  return s.query<any>('select actor_id, target_type, host(ip) as ip, details from audit_events where event = $1 and target_id = $2 order by seq', [event, id])
}
/** A manager of their own: a person has few links here. */
const manager = () => s.addPerson('manager')

await t.test('a link is shown once, kept as a hash, and shows a task to whoever has it', async (t) => {
  const maker = await manager()
  const project = await s.addProject({ description: 'Between us' }, maker)
  const company = await s.post('/api/companies', { name: 'Halton Controls', kind: 'sub' })
  const contact = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Kim Sato', email: 'kim@halton.example' })
  const task = await s.addTask(project.id, { title: 'Balance the air', description: 'Level 3', assignee_id: s.member.id, due_at: '2020-01-01T00:00:00Z', tags: ['secretly'] })
  await s.addTask(project.id, { parent_id: task.id, title: 'Below' })
  await s.post(`/api/tasks/${task.id}/comments`, { body: 'Zqxglobulin' })
  await s.post(`/api/tasks/${task.id}/checklist`, { label: 'Zqxglobulin' })
  await s.ask('POST', `/api/tasks/${task.id}/attachments`, formWith('Zqxglobulin', 'Zqxglobulin.txt'))
  await s.post(`/api/tasks/${task.id}/ball`, { to_contact_id: contact.id, note: 'Zqxglobulin' })

  const answer = await s.ask('POST', '/api/guest-links', { as: maker, body: asked({ task_id: task.id }) })
  t.equal(answer.statusCode, 201, answer.body)
  const { token, ...rest } = answer.json()
  t.match(token, /^eden_guest_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}$/)
  t.match(answer.headers, { location: `/api/guest-links/${rest.id}`, 'cache-control': 'no-store' })
  t.match(rest, { name: 'The architect', state: 'live', last_used_at: null, revoked_at: null, project: { id: project.id, code: project.code }, task: { id: task.id, key: task.key, title: task.title }, created_by: { id: maker.id } })
  t.same(await s.get(`/api/guest-links?project=${project.id}`, { as: maker }), [rest], 'the list has all but the token')
  const [row] = await s.query('select g::text as text, secret_hash from guest_links g where id = $1', [rest.id])
  t.ok(row.secret_hash.equals(guestTokens.read(token)?.hash))
  t.notOk(row.text.includes(token.slice(34)))

  for (const app of [s.app, second]) {
    const shown = await look(token, '', app)
    t.equal(shown.statusCode, 200, shown.body)
    t.match(shown.headers, { 'cache-control': 'no-store', 'x-robots-tag': 'noindex', 'referrer-policy': 'no-referrer' })
    const { ball_since: since, created_at: created, updated_at: updated } = await s.get(`/api/tasks/${task.id}`)
    t.strictSame(shown.json(), {
      name: 'The architect',
      expires_at: rest.expires_at,
      project: { code: project.code, name: project.name, description: null, status: null },
      tasks: [{
        key: task.key,
        title: 'Balance the air',
        description: 'Level 3',
        status: 'open',
        priority: 'normal',
        assignee: s.member.name,
        ball_holder: { kind: 'contact', name: 'Kim Sato', company: 'Halton Controls' },
        ball_since: since,
        due_at: '2020-01-01T00:00:00Z',
        is_overdue: true,
        subtasks: { total: 1, done: 0 },
        closed_at: null,
        created_at: created,
        updated_at: updated
      }]
    }, 'that, and nothing else: no ids, no addresses, nothing that people say to each other')
  }
  t.notOk(JSON.stringify(lines).includes(token.slice(34)), 'the log does not have it')
  for (const [to, shown] of [[{ to_company_id: company.id }, { kind: 'company', name: 'Halton Controls', company: null }], [{ to_user_id: s.viewer.id }, { kind: 'user', name: s.viewer.name, company: null }], [{ to_user_id: null }, null]]) {
    await s.post(`/api/tasks/${task.id}/ball`, to as object)
    t.strictSame((await look(token)).json().tasks[0].ball_holder, shown)
  }
})

await t.test('a link to a project shows its tasks, page by page', async (t) => {
  const maker = await manager()
  const project = await s.addProject({ description: 'For everybody', visibility: 'members' }, maker)
  const other = await s.addProject({}, maker)
  await s.addTask(other.id, { title: 'Elsewhere' }, maker)
  const keys: string[] = []
  for (let n = 1; n <= 7; n++) keys.push((await s.addTask(project.id, { title: `Task ${n}`, status: n % 2 ? 'open' : 'todo' }, maker)).key)
  const gone = await s.addTask(project.id, {}, maker)
  await s.ask('DELETE', `/api/tasks/${gone.id}`, { as: maker })
  const { token } = await make(maker, { project_id: project.id })
  const first = await look(token, '?limit=3&sort=created_at&count=true')
  t.match(first.json().project, { code: project.code, name: project.name, description: 'For everybody', status: 'active' })
  t.equal(first.headers['x-total-count'], '7')
  const paged = first.json().tasks
  for (let path = nextPage(first); path !== undefined;) {
    const answer = await s.app.inject(path)
    paged.push(...answer.json().tasks)
    path = nextPage(answer)
  }
  t.same(paged.map(({ key }: any) => key), keys)
  t.same((await look(token, '?status=todo&sort=created_at')).json().tasks.map(({ title }: any) => title), ['Task 2', 'Task 4', 'Task 6'])
  t.notMatch((await look(token, '?limit=200')).body, /"[a-z_]*id":/, 'no ids')
  t.equal((await s.app.inject({ method: 'HEAD', url: `/api/guest/${token}` })).statusCode, 200)
  // Nothing is written by a guest, and nothing else is read.
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) t.equal((await s.app.inject({ method, url: `/api/guest/${token}`, payload: {} })).statusCode, 404, method)
  for (const url of ['/api/me', '/api/projects', `/api/projects/${project.id}/tasks`, '/api/guest-links']) t.equal((await s.app.inject({ url, headers: { authorization: `Bearer ${token}` } })).statusCode, 401, url)
})

await t.test('whatever makes a link no good, a guest is told the same, and the log why', async (t) => {
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const { token } = await make(maker, { project_id: project.id })
  const [revoked, expired] = [await make(maker, { project_id: project.id }), await make(maker, { project_id: project.id })]
  await s.ask('DELETE', `/api/guest-links/${revoked.id}`, { as: maker })
  await s.query("update guest_links set created_at = now() - interval '2 days', expires_at = now() - interval '1 second' where id = $1", [expired.id])
  const access = await s.post('/api/tokens', { name: 'X', scopes: ['projects:read'], expires_at: inDays(1) })
  const malformed = [token.slice(0, -1), `${token}a`, token.toUpperCase(), token.slice(0, 40) + (token[40] === 'a' ? 'b' : 'a') + token.slice(41), access.token, 'eden_guest_', "' or '1'='1", '%00', '..%2f..%2fapi', '__proto__', 'x'.repeat(900)]
  const statements: unknown[] = []
  s.app.onQuery((timing) => statements.push(timing))
  const from = lines.length
  const answers = []
  for (const one of malformed) answers.push(await look(one))
  t.same(statements, [], 'what is malformed costs no query')
  for (const one of [guestTokens.make('01900000-0000-7000-8000-00000000dead').token, guestTokens.make(revoked.id).token, revoked.token, expired.token]) answers.push(await look(one))
  const shown = answers.map(({ statusCode, body, headers }) => ({ statusCode, ...JSON.parse(body), instance: '', request_id: '', cache: headers['cache-control'] }))
  for (const one of shown) t.strictSame(one, shown[0])
  t.match(shown[0], { status: 404, code: 'EDEN_NOT_FOUND', detail: 'there is no such guest link' })
  await eventually(() => told('guest_link_refused', from).length >= 10) // more within a second are counted, and told later
  t.equal((await s.app.inject('/metrics')).body.match(/eden_security_events_total\{event="guest_link_refused"\} (\d+)/)?.[1], String(answers.length))
  await t.test('the log', async (t) => {
    now = new Date(now.getTime() + 2000)
    const later = lines.length
    for (const one of [malformed[0] as string, guestTokens.make(revoked.id).token, revoked.token, expired.token]) await look(one)
    t.same(told('guest_link_refused', later).filter(({ reason }) => reason).map(({ reason }) => reason), ['malformed', 'unknown', 'revoked', 'expired'])
    t.equal((await recorded('guest_link_refused', revoked.id)).at(-1)?.target_type, 'guest_link')
  })
  t.equal(await status(token), 200, 'a good one is good all the while')
})

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

await t.test('no error repeats a token, however it is written', async (t) => {
  const project = await s.addProject()
  const { token } = await make(await manager(), { project_id: project.id })
  const encoded = (which: RegExp) => token.replace(which, (one: string) => `%${one.charCodeAt(0).toString(16)}`)
  for (const written of [token, `x${token}`, encoded(/_/g), encoded(/[a-z]/g), encoded(/./g), encoded(/./g).toUpperCase()]) {
    for (const answer of [await look(written, '?limit=0'), await s.app.inject({ method: 'POST', url: `/api/guest/${written}` })]) {
      t.match(answer.json().instance, '[redacted]')
      t.notMatch(decodeURIComponent(answer.body.replace(/%(?![0-9a-f]{2})/gi, '')), token.slice(34))
    }
  }
})

await t.test('what was begun before a link was revoked shows nothing that came later', async (t) => {
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const task = await s.addTask(project.id, { description: 'Before' }, maker)
  const { id, token } = await make(maker, { project_id: project.id })
  const holder = new pg.Client(s.url)
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  await holder.query('lock table contacts') // which the second statement of a guest reads, and the first does not
  const answer = look(token)
  await eventually(async () => (await s.query("select from pg_stat_activity where wait_event_type = 'Lock' and query ~ 'contacts' and datname = current_database()")).length > 0)
  await s.ask('DELETE', `/api/guest-links/${id}`, { as: maker })
  await s.query("update tasks set description = 'Zqxglobulin' where id = $1", [task.id])
  await holder.query('commit')
  t.notMatch((await answer).body, /Zqxglobulin/)
})

await t.test('whoever is one of too many in a second is on record when they come again', async (t) => {
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const { id, token } = await make(maker, { project_id: project.id })
  now = new Date(now.getTime() + 2000)
  const all = async () => { for (let n = 1; n <= 15; n++) t.equal((await s.app.inject({ url: `/api/guest/${token}`, remoteAddress: `198.51.100.${n}` })).statusCode, 200) }
  await all()
  t.equal((await recorded('guest_link_used', id)).length, 10)
  now = new Date(now.getTime() + 2000)
  await all()
  t.equal(new Set((await recorded('guest_link_used', id)).map(({ ip }: any) => ip)).size, 15)
  t.equal((await recorded('guest_link_used', id)).length, 15)
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
  for (const expires of [inDays(-1), now.toISOString(), inDays(90.001), 'infinity', null, undefined]) {
    t.same(problem(await s.ask('POST', '/api/guest-links', { as: maker, body: { ...asked({ project_id: project.id }), expires_at: expires } })), [400, 'EDEN_VALIDATION', 'expires_at'], String(expires))
  }
  t.equal(new Date((await make(maker, { project_id: project.id, expires_at: inDays(90) })).expires_at).toISOString(), inDays(90))
  // The clock of an instance may be behind that of the database.
  const then = now
  now = new Date(then.getTime() - 60_000)
  t.same(problem(await s.ask('POST', '/api/guest-links', { as: maker, body: { ...asked({ project_id: project.id }), expires_at: new Date(now.getTime() + 30_000).toISOString() } })), [400, 'EDEN_VALIDATION', 'expires_at'])
  now = then
})

await t.test('who looked, and from where, is on record once an hour, and the last time on the link', async (t) => {
  now = new Date(now.getTime() + 2000) // of one second only the first few are on record
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const { id, token } = await make(maker, { project_id: project.id })
  const lastUsed = async () => (await s.get(`/api/guest-links?project=${project.id}`))[0].last_used_at
  const from = (remoteAddress: string) => s.app.inject({ url: `/api/guest/${token}`, remoteAddress })
  t.equal((await look(token, '?limit=0')).statusCode, 400)
  t.equal(await lastUsed(), null, 'what was refused is no use')
  const begin = now
  for (const address of ['198.51.100.1', '198.51.100.2', '198.51.100.1']) t.equal((await from(address)).statusCode, 200)
  t.match(await recorded('guest_link_used', id), [{ actor_id: null, target_type: 'guest_link', ip: '198.51.100.1', details: { name: 'The architect', maker: maker.id } }, { ip: '198.51.100.2' }])
  t.match(told('guest_link_used').at(-1), { target: id, ip: '198.51.100.2' })
  t.equal(new Date(await lastUsed()).getTime(), begin.getTime())
  for (const address of ['2001:db8::1', '2001:db8::2']) t.equal((await from(address)).statusCode, 200)
  t.equal((await recorded('guest_link_used', id)).length, 3, 'who has one IPv6 address has them all')
  const writes = async () => (await s.query<{ xmin: string }>('select xmin::text from guest_links where id = $1', [id]))[0]?.xmin
  const before = await writes()
  now = new Date(begin.getTime() + 59_000)
  for (const app of [s.app, second]) t.equal(await status(token, app), 200)
  t.equal(await writes(), before, 'nothing was written meanwhile')
  now = new Date(begin.getTime() + 3_601_000)
  await from('198.51.100.1')
  t.equal((await recorded('guest_link_used', id)).filter(({ ip }: any) => ip === '198.51.100.1').length, 2)
  t.equal(new Date(await lastUsed()).getTime(), now.getTime())
  t.same((await s.get(`/api/admin/audit/?event=guest_link_used&target=${id}&limit=200`)).length, 6, 'an administrator asks who used a link')
  await s.query('alter table guest_links add constraint never_used check (last_used_at is null) not valid')
  now = new Date(now.getTime() + 120_000)
  t.equal(await status(token), 200, 'a use that cannot be noted is no failure')
  await s.query('alter table guest_links drop constraint never_used')
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

await t.test('a guest costs two statements, whatever the link shows; a list of links costs one', async (t) => {
  const project = await s.addProject()
  for (let n = 0; n < 5; n++) await s.addTask(project.id, { assignee_id: s.member.id, ball_in_court: s.member.id })
  const link = await make(s.admin, { project_id: project.id })
  await status(link.token) // which also notes the use
  let sent = 0
  s.app.onQuery(() => { sent++ })
  const count = async (work: () => Promise<unknown>) => {
    const counts: number[] = []
    for (let n = 0; n < 4; n++) {
      await s.app.events.settled()
      sent = 0
      await work()
      counts.push(sent)
    }
    return Math.min(...counts)
  }
  t.equal(await count(() => look(link.token)), 2)
  t.equal(await count(() => look(link.token, '?count=true')), 3)
  t.equal(await count(() => s.ask('GET', '/api/guest-links?limit=200')), 2, 'with who asks')
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
