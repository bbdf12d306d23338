/**
 * What a client may not send, to every route: each answer is the right 4xx as problem+json that names the field, and no
 * row of the database changes. What routes take is in `bad-input/routes.ts`, which values each kind of field refuses in
 * `bad-input/values.ts`, what follows from both in `bad-input/attacks.ts`, and what needs a story in `bad-input/cases.ts`.
 */
import t from 'tap'
import { attacksOn, neededBy } from './bad-input/attacks.js'
import { casesOf } from './bad-input/cases.js'
import { routes } from './bad-input/routes.js'
import { fingerprint, sendAll, send } from './bad-input/send.js'
import { UNKNOWN_ID } from './bad-input/values.js'
import { formWith, nextPage, startApp } from './helper.js'

const s = await startApp(t)
const project = await s.addProject({}, s.manager)
const task = await s.addTask(project.id, { assignee_id: s.admin.id }, s.manager)
const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Something' })
const item = await s.post(`/api/tasks/${task.id}/checklist`, { label: 'A step' })
const company = await s.post('/api/companies', { name: 'Somebody', kind: 'sub' })
const contact = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Someone' })
const role = await s.post('/api/roles', { slug: 'r-1', name: 'A role' })
await s.app.jobs.runNow('expire_job_runs')
const [run] = await s.get('/api/admin/jobs/runs')
const form = formWith('Some text', 'notes.txt')
const attachment = (await s.ask('POST', `/api/tasks/${task.id}/attachments`, form)).json()
const [notification] = await s.get('/api/notifications')
const [session] = await s.query("insert into sessions (id, user_id, ip, expires_at, must_end_at) select gen_random_uuid(), $1, '127.0.0.1', t, t from (select now() + interval '1 day' as t) x returning id", [s.admin.id])
const accessToken = await s.post('/api/tokens', { name: 'A token', scopes: ['projects:read'], expires_at: new Date(Date.now() + 3_600_000).toISOString() })
const guestLink = await s.post('/api/guest-links', { name: 'A guest', project_id: project.id, expires_at: new Date(Date.now() + 3_600_000).toISOString() })
const ids = { user: s.member.id, project: project.id, task: task.id, comment: comment.id, notification: notification.id, item: item.id, run: run.id, attachment: attachment.id, company: company.id, contact: contact.id, role: role.id, day: '2026-08-03', session: session.id, token: accessToken.id, guest_link: guestLink.id, guest_token: guestLink.token }

const operations: [route: string, operation: any][] = Object.entries<any>(s.app.swagger().paths ?? {})
  .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]): [string, any] => [`${method.toUpperCase()} ${path}`, operation]))

await t.test('the table has every route, and of each the path, query, body and If-Match that it takes', async (t) => {
  t.strictSame(Object.keys(routes).sort(), operations.map(([route]) => route).sort())
  for (const [route, { parameters = [], requestBody }] of operations) {
    const row = routes[route] ?? {}
    const named = (where: string) => parameters.filter((one: any) => one.in === where).map((one: any) => one.name).sort()
    const whole = requestBody?.content['application/json']?.schema ?? {}
    const taken = row.inside === undefined ? whole : whole.properties.changes.items.properties.set
    t.equal(requestBody?.content['multipart/form-data'] !== undefined, row.file === true, route)
    t.strictSame({
      path: Object.keys(row.ids ?? {}).sort(),
      query: Object.keys(row.query ?? {}).sort(),
      needs: row.needs ?? [],
      body: Object.keys(row.body ?? {}).sort(),
      required: [...row.required ?? []].sort(),
      ifMatch: row.ifMatch === true
    }, {
      path: named('path'),
      query: named('query'),
      needs: parameters.filter((one: any) => one.in === 'query' && one.required).map((one: any) => one.name),
      body: Object.keys(taken.properties ?? {}).sort(),
      required: [...taken.required ?? []].sort(),
      ifMatch: named('header').includes('if-match')
    }, route)
  }
})

await t.test('bad input is refused by the right problem, and changes no row', async (t) => {
  const cases = await casesOf(s)
  const before = await fingerprint(s)
  for (const [route, row] of Object.entries(routes)) t.strictSame(await sendAll(s, attacksOn(route, row, ids)), [], route)
  t.strictSame(await sendAll(s, cases), [], 'what needs a story')
  t.strictSame(await fingerprint(s), before, 'every table has the rows that it had')
})

await t.test('an X-Request-Id that is not safe to repeat is replaced, in answers and problems alike', async (t) => {
  for (const id of ['', ' ', 'a b', 'é', '🚧', 'a\0', 'a\nb', '<x>', '"', 'x'.repeat(101), 'x'.repeat(100_000)]) {
    for (const url of ['/health', '/api/me', '/api/nothing', '/api/tasks/%ZZ', '/api/tasks/x']) {
      const answer = await send(s, { method: 'GET', url, headers: { 'x-request-id': id } })
      t.match(answer.headers['x-request-id'], /^[0-9a-f-]{36}$/, `${id.slice(0, 9)} ${url}`)
    }
  }
  t.equal((await send(s, { method: 'GET', url: '/api/tasks/x', headers: { 'x-request-id': 'my:own-1.x' } })).json().request_id, 'my:own-1.x')
})

await t.test('probes answer whatever a monitor adds to the query string', async (t) => {
  for (const [route] of Object.entries(routes).filter(([, row]) => row.open)) {
    t.equal((await send(s, { method: 'GET', url: `${route.split(' ')[1]}?now=1&__proto__=x&now=%ZZ`, headers: { 'x-dev-email': '' } })).statusCode, 200, route)
  }
})

await t.test('what is just allowed is taken, and comes back as it was', async (t) => {
  const fields = {
    title: '🚧'.repeat(500),
    description: `Line one\r\n\tline two 👷‍♀️\n${'é'.repeat(19_900)}`,
    tags: Array.from({ length: 20 }, (_, i) => `${'🔧'.repeat(48)}${String(i).padStart(2, '0')}`)
  }
  const created = await s.addTask(project.id, fields)
  t.match(await s.get(`/api/tasks/${created.id}`), fields)
  t.match(await s.get(`/api/tasks?tag=${encodeURIComponent(fields.tags[19] as string)}`), [{ id: created.id, ...fields }])
  for (const title of ['__proto__', 'constructor', "'; drop table tasks; --", '<script>alert(1)</script>', '%00', '\\u0000', '\u200fשלום', ' in spaces ', '👩🏽‍🔧', 'null', '5']) {
    t.equal((await s.patch(`/api/tasks/${created.id}`, { title })).title, title)
  }
  for (const [given, kept] of [
    ['2024-02-29T23:59:59.999999Z', '2024-02-29T23:59:59.999999Z'], ['2026-01-01t00:00:00z', '2026-01-01T00:00:00Z'], ['2026-01-01T00:00:00+14:00', '2025-12-31T10:00:00Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'], ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'], ['2026-01-01T00:00:00.123456789Z', '2026-01-01T00:00:00.123457Z']
  ]) t.equal((await s.patch(`/api/tasks/${created.id}`, { due_at: given })).due_at, kept)

  const body = `${'\n'.repeat(9998)}.${'\t'}`
  t.equal((await s.post(`/api/tasks/${created.id}/comments`, { body })).body, body)
  t.match(await s.addProject({ code: 'x'.repeat(32), name: '🏥'.repeat(200), description: '' }), { code: 'x'.repeat(32), name: '🏥'.repeat(200), description: '' })
  const ghosts = Array.from({ length: 500 }, (_, i) => ({ id: UNKNOWN_ID.replace('dead', i.toString(16).padStart(4, '0')), set: { title: 'x' } }))
  t.equal((await s.ask('POST', '/api/tasks/bulk', { body: { changes: ghosts } })).statusCode, 404, '500 changes are not too many')
  t.equal((await s.ask('PATCH', `/api/tasks/${created.id}`, { body: { title: 'x' }, headers: { 'if-match': ' "1" , W/"x","2"' } })).statusCode, 412)
  t.equal((await s.ask('PATCH', `/api/tasks/${created.id}`, { body: { title: 'x' }, headers: { 'if-match': '*' } })).statusCode, 200)
})

await t.test('limits of 1 and 200 are taken, and the pages of the longest names join', async (t) => {
  for (const name of ['🏥', '🏗', '"', '\\', 'İ']) await s.addProject({ name: name.repeat(200) })
  const whole = await s.get('/api/projects?limit=200&sort=name')
  const names: string[] = []
  for (let path: string | undefined = '/api/projects?limit=1&sort=name'; path !== undefined;) {
    const answer = await s.ask('GET', path)
    t.equal(answer.statusCode, 200, answer.body.slice(0, 200))
    if (answer.statusCode !== 200) break
    names.push(...answer.json().map((one: { name: string }) => one.name))
    path = nextPage(answer)
  }
  t.strictSame(names, whole.map((one: { name: string }) => one.name))
})

await t.test('good values of the table pass, so that it is the bad ones that are refused', async (t) => {
  for (const [route, row] of Object.entries(routes).filter(([, row]) => row.endless !== true)) {
    const [method = '', template = ''] = route.split(' ')
    const good = (kinds = {}) => Object.entries<{ good: unknown }>(kinds).map(([name, kind]) => [name, kind.good] as const)
    const { base_version: _base, ...fields } = Object.fromEntries(good(row.body).filter(([name]) => row.least?.includes(name) ?? true))
    const url = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => row.ids?.[name] === 'day' ? ids.day : UNKNOWN_ID)
    for (const query of [neededBy(row, ''), ...good(row.query).map(([name, value]) => [...neededBy(row, name), `${name}=${encodeURIComponent(String(value))}`])].map((parts) => `?${parts.join('&')}`)) {
      const answer = await send(s, { method, url: url + query, body: row.body === undefined ? undefined : row.inside?.wrap(fields, ids) ?? fields })
      t.ok([200, 201, 202, 404, 422, row.wellFormed].includes(answer.statusCode), `${route} ${query}: ${answer.body.slice(0, 300)}`)
    }
  }
})
