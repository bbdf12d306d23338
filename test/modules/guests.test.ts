/** What guests see by a link, what they are told when it is not good, and what is on record of them. */
import t from 'tap'
import pg from 'pg'
import { guestTokens } from '../../modules/guest-links/token.js'
import { startWithGuests } from '../guests.js'
import { eventually, formWith, nextPage } from '../helper.js'

const { s, second, time, lines, inDays, asked, make, look, status, told, recorded, manager } = await startWithGuests(t)

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
    time.now = new Date(time.now.getTime() + 2000)
    const later = lines.length
    for (const one of [malformed[0] as string, guestTokens.make(revoked.id).token, revoked.token, expired.token]) await look(one)
    t.same(told('guest_link_refused', later).filter(({ reason }) => reason).map(({ reason }) => reason), ['malformed', 'unknown', 'revoked', 'expired'])
    t.equal((await recorded('guest_link_refused', revoked.id)).at(-1)?.target_type, 'guest_link')
  })
  t.equal(await status(token), 200, 'a good one is good all the while')
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
  time.now = new Date(time.now.getTime() + 2000)
  const all = async () => { for (let n = 1; n <= 15; n++) t.equal((await s.app.inject({ url: `/api/guest/${token}`, remoteAddress: `198.51.100.${n}` })).statusCode, 200) }
  await all()
  t.equal((await recorded('guest_link_used', id)).length, 10)
  time.now = new Date(time.now.getTime() + 2000)
  await all()
  t.equal(new Set((await recorded('guest_link_used', id)).map(({ ip }: any) => ip)).size, 15)
  t.equal((await recorded('guest_link_used', id)).length, 15)
})

await t.test('who looked, and from where, is on record once an hour, and the last time on the link', async (t) => {
  time.now = new Date(time.now.getTime() + 2000) // of one second only the first few are on record
  const maker = await manager()
  const project = await s.addProject({}, maker)
  const { id, token } = await make(maker, { project_id: project.id })
  const lastUsed = async () => (await s.get(`/api/guest-links?project=${project.id}`))[0].last_used_at
  const from = (remoteAddress: string) => s.app.inject({ url: `/api/guest/${token}`, remoteAddress })
  t.equal((await look(token, '?limit=0')).statusCode, 400)
  t.equal(await lastUsed(), null, 'what was refused is no use')
  const begin = time.now
  for (const address of ['198.51.100.1', '198.51.100.2', '198.51.100.1']) t.equal((await from(address)).statusCode, 200)
  t.match(await recorded('guest_link_used', id), [{ actor_id: null, target_type: 'guest_link', ip: '198.51.100.1', details: { name: 'The architect', maker: maker.id } }, { ip: '198.51.100.2' }])
  t.match(told('guest_link_used').at(-1), { target: id, ip: '198.51.100.2' })
  t.equal(new Date(await lastUsed()).getTime(), begin.getTime())
  for (const address of ['2001:db8::1', '2001:db8::2']) t.equal((await from(address)).statusCode, 200)
  t.equal((await recorded('guest_link_used', id)).length, 3, 'who has one IPv6 address has them all')
  const writes = async () => (await s.query<{ xmin: string }>('select xmin::text from guest_links where id = $1', [id]))[0]?.xmin
  const before = await writes()
  time.now = new Date(begin.getTime() + 59_000)
  for (const app of [s.app, second]) t.equal(await status(token, app), 200)
  t.equal(await writes(), before, 'nothing was written meanwhile')
  time.now = new Date(begin.getTime() + 3_601_000)
  await from('198.51.100.1')
  t.equal((await recorded('guest_link_used', id)).filter(({ ip }: any) => ip === '198.51.100.1').length, 2)
  t.equal(new Date(await lastUsed()).getTime(), time.now.getTime())
  t.same((await s.get(`/api/admin/audit/?event=guest_link_used&target=${id}&limit=200`)).length, 6, 'an administrator asks who used a link')
  await s.query('alter table guest_links add constraint never_used check (last_used_at is null) not valid')
  time.now = new Date(time.now.getTime() + 120_000)
  t.equal(await status(token), 200, 'a use that cannot be noted is no failure')
  await s.query('alter table guest_links drop constraint never_used')
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
