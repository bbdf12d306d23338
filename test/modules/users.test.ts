import t from 'tap'
import { nextPage, startApp } from '../helper.js'

const s = await startApp(t)

await t.test('people are listed by name, whatever the case, with the roles that they hold', async (t) => {
  await s.addPerson('member', { name: 'ben Low' })
  await s.addPerson(null, { name: 'Ann Other', is_active: false })
  const people = await s.get('/api/users')
  const names = people.map(({ name }: { name: string }) => name)
  t.same(names, [...names].sort((a, b) => a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  t.match(people.find(({ id }: { id: string }) => id === s.manager.id), { email: s.manager.email, roles: ['manager'], is_active: true, version: 1, timezone: 'America/Toronto' })
  t.match(people.find(({ name }: { name: string }) => name === 'Ann Other'), { roles: [], is_active: false })
  t.notOk('sort_key' in people[0])
})

await t.test('the list of people is narrowed by department and by activity, and counted', async (t) => {
  const [buyer, left, service] = await Promise.all(['Buyer', 'Left', 'Service'].map((name) => s.addPerson('member', { name })))
  await s.query('update users set department = $2 where id = any($1)', [[buyer?.id, left?.id], 'Procurement'])
  await s.query('update users set department = $2 where id = $1', [service?.id, 'Service'])
  await s.query('update users set is_active = false where id = $1', [left?.id])
  const names = async (query: string) => (await s.get(`/api/users?${query}`)).map(({ name }: { name: string }) => name)
  t.same(await names('department=Procurement'), ['Buyer', 'Left'])
  t.same(await names('department=Procurement,Service'), ['Buyer', 'Left', 'Service'])
  t.same(await names('department=Procurement&department=Service&active=true'), ['Buyer', 'Service'])
  t.same(await names('department=Procurement&active=false'), ['Left'])
  const answer = await s.ask('GET', '/api/users?department=Procurement&count=true&limit=1')
  t.equal(answer.headers['x-total-count'], '2')
  t.match((await s.ask('GET', '/api/users?department=Legal')).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path: /^department/ }] })
  t.match((await s.ask('GET', '/api/users?mail=x')).json(), { status: 400, errors: [{ path: 'mail' }] })
})

await t.test('pages of people with one name, both ways, skip and repeat nobody', async (t) => {
  await Promise.all(Array.from({ length: 17 }, (_, n) => s.addPerson(null, { name: n % 2 ? 'Same Name' : 'SAME NAME' })))
  for (const [sort, order] of [['name', 'lower(name), id'], ['-name', 'lower(name) desc, id desc']]) {
    const seen: string[] = []
    for (let url: string | undefined = `/api/users?limit=7&sort=${sort}`; url !== undefined;) {
      const answer = await s.ask('GET', url)
      seen.push(...answer.json().map(({ id }: { id: string }) => id))
      url = nextPage(answer)
    }
    t.same(seen, (await s.query(`select id from users order by ${order}`)).map(({ id }) => id))
  }
  t.match((await s.ask('GET', '/api/users?sort=email')).json(), { status: 400, errors: [{ path: 'sort' }] })
})

await t.test('one person is shown with an ETag, and need not be sent twice', async (t) => {
  const answer = await s.ask('GET', `/api/users/${s.member.id}`, { as: s.viewer })
  t.equal(answer.statusCode, 200)
  t.match(answer.json(), { id: s.member.id, email: s.member.email, roles: ['member'] })
  t.equal(answer.headers.etag, '"1"')
  const again = await s.ask('GET', `/api/users/${s.member.id}`, { headers: { 'if-none-match': 'W/"1"' } })
  t.equal(again.statusCode, 304)
  t.equal(again.body, '')
  t.equal(again.headers.etag, '"1"')
  t.equal((await s.ask('GET', '/api/users/01900000-0000-7000-8000-00000000dead')).statusCode, 404)
  t.match((await s.ask('GET', '/api/users/nobody')).json(), { status: 400, errors: [{ path: 'id' }] })
})

await t.test('me is whoever signed in, however they named themselves, and whatever their roles', async (t) => {
  const nobody = await s.addPerson(null, { name: 'No Role' })
  t.match(await s.get('/api/me', { as: nobody }), { id: nobody.id, roles: [] })
  const by = async (headers: Record<string, string>) => (await s.ask('GET', '/api/me', { as: null, headers })).json().id
  t.equal(await by({ 'x-dev-user-id': s.viewer.id }), s.viewer.id)
  t.equal(await by({ 'x-dev-user-email': s.viewer.email.toUpperCase() }), s.viewer.id)
  t.equal(await by({ 'x-dev-email': s.member.email, 'x-dev-user-id': s.viewer.id }), s.member.id, 'the e-mail decides')
  t.equal(await by({ authorization: `Bearer ${s.app.jwt.sign({ sub: s.manager.id })}`, 'x-dev-email': s.viewer.email }), s.manager.id, 'a token comes first')
})

await t.test('what I may do is what my roles allow', async (t) => {
  const codes = async (as: typeof s.admin) => (await s.get('/api/me/permissions', { as })).map(({ code }: { code: string }) => code)
  t.same(await codes(s.viewer), ['activity:read', 'comments:read', 'companies:read', 'projects:read', 'reports:read', 'tasks:read', 'users:read'])
  t.same(await codes(s.admin), (await s.query('select code from permissions order by code')).map(({ code }) => code))
  t.same(await codes(await s.addPerson(null)), [])
  const two = await s.addPerson('viewer')
  await s.query('insert into user_roles select $1, id from roles where slug = $2', [two.id, 'manager'])
  t.same(await codes(two), await codes(s.manager), 'what two roles allow is listed once')
  t.ok((await s.get('/api/me/permissions')).every(({ description }: { description: string }) => description.length > 0))
})

await t.test('I change my profile: a missing field is kept, null clears, the whole person is answered', async (t) => {
  const me = await s.addPerson('viewer', { name: 'Old Name' })
  const answer = await s.ask('PATCH', '/api/me', { as: me, body: { name: 'New Name', job_title: 'Estimator', timezone: 'Europe/Berlin' } })
  t.equal(answer.statusCode, 200)
  t.equal(answer.headers.etag, '"2"')
  t.match(answer.json(), { id: me.id, name: 'New Name', job_title: 'Estimator', timezone: 'Europe/Berlin', locale: 'en-CA', roles: ['viewer'], version: 2 })
  t.match(await s.patch('/api/me', { job_title: null }, { as: me }), { name: 'New Name', job_title: null, timezone: 'Europe/Berlin', version: 3 })
  const events = await s.get(`/api/activity?entity_id=${me.id}`)
  t.match(events.map(({ action, version, changes, actor }: any) => ({ action, version, changes, actor: actor.id })), [
    { action: 'updated', version: 3, changes: { job_title: ['Estimator', null] }, actor: me.id },
    { action: 'updated', version: 2, changes: { name: ['Old Name', 'New Name'], job_title: [null, 'Estimator'], timezone: ['America/Toronto', 'Europe/Berlin'] }, actor: me.id }
  ])
})

await t.test('a locale is any language tag, kept in its canonical form; a telephone number is as people write it', async (t) => {
  const me = await s.addPerson('member')
  for (const [given, kept] of [['EN-ca', 'en-CA'], ['fr', 'fr'], ['zh-hant-hk', 'zh-Hant-HK'], ['es-419', 'es-419'], ['sl-rozaj-biske', 'sl-biske-rozaj'], ['en-u-hc-h23', 'en-u-hc-h23'], ['iw', 'he']]) {
    t.equal((await s.patch('/api/me', { locale: given }, { as: me })).locale, kept)
  }
  for (const phone of ['+1 416 555 0142', '(416) 555-0142', '416.555.0142 x7', '416-555-0142 ext. 12', null]) t.equal((await s.patch('/api/me', { phone }, { as: me })).phone, phone)
  t.match((await s.get(`/api/activity?entity_id=${me.id}&limit=1`))[0].changes, { phone: ['416-555-0142 ext. 12', null] })
})

await t.test('preferences have defaults until I say something, and each PUT says all of it', async (t) => {
  const me = await s.addPerson('viewer')
  const defaults = { week_starts_on: 'sunday', date_format: 'YYYY-MM-DD', time_format: '24h', theme: 'system', items_per_page: 50, default_project_id: null, version: 0 }
  const first = await s.ask('GET', '/api/me/preferences', { as: me })
  t.same([first.json(), first.headers.etag], [defaults, '"0"'])
  const put = (body: object, headers?: Record<string, string>) => s.ask('PUT', '/api/me/preferences', { as: me, body, headers })
  t.match((await put({ theme: 'dark' }, { 'if-match': '"1"' })).json(), { status: 412, current_version: 0 })
  const project = await s.addProject()
  t.same((await put({ theme: 'dark', items_per_page: 25, default_project_id: project.id }, { 'if-match': '"0"' })).json(), { ...defaults, theme: 'dark', items_per_page: 25, default_project_id: project.id, version: 1 })
  t.match((await put({ theme: 'dark' }, { 'if-match': '"0"' })).json(), { status: 412, current_version: 1 })
  t.same((await put({ theme: 'dark' })).json(), { ...defaults, theme: 'dark', version: 2 })
  t.equal((await put({ theme: 'dark' }, { 'if-match': '"2"' })).json().version, 2, 'the same again is nothing new')
  t.equal((await s.ask('GET', '/api/me/preferences', { as: me, headers: { 'if-none-match': '"2"' } })).statusCode, 304)
  t.same(await s.get('/api/me/preferences'), defaults, 'mine are mine')
  t.same(await s.get(`/api/activity?entity_id=${me.id}`), [], 'and no event of the company')
})

await t.test('of many first preferences at once one is the first', async (t) => {
  const me = await s.addPerson('member')
  const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => s.ask('PUT', '/api/me/preferences', { as: me, body: { items_per_page: 10 + n }, headers: { 'if-match': '"0"' } })))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, ...Array(11).fill(412)])
  const free = await Promise.all(Array.from({ length: 12 }, (_, n) => s.ask('PUT', '/api/me/preferences', { as: me, body: { items_per_page: 100 + n } })))
  t.same([...new Set(free.map(({ statusCode }) => statusCode))], [200])
  t.equal((await s.get('/api/me/preferences', { as: me })).version, 13)
})

await t.test('a default project is one that I see, and is shown as long as I do', async (t) => {
  const me = await s.addPerson('member')
  const { id } = await s.addProject({ visibility: 'members' })
  const put = () => s.ask('PUT', '/api/me/preferences', { as: me, body: { default_project_id: id } })
  t.match((await put()).json(), { status: 422, code: 'EDEN_UNKNOWN_PROJECT', errors: [{ path: 'default_project_id' }] })
  await s.ask('PUT', `/api/projects/${id}/members/${me.id}`, { body: { role: 'viewer' } })
  t.equal((await put()).json().default_project_id, id)
  await s.ask('DELETE', `/api/projects/${id}/members/${me.id}`)
  t.equal((await s.get('/api/me/preferences', { as: me })).default_project_id, null)
})

await t.test('a profile that says what it said before gets no new version and no event', async (t) => {
  const me = await s.addPerson('member', { name: 'Same' })
  t.match(await s.patch('/api/me', { name: 'Same', locale: 'en-CA' }, { as: me }), { version: 1 })
  t.same(await s.get(`/api/activity?entity_id=${me.id}`), [])
})

await t.test('a profile is refused when it is empty, has fields that are not mine to change, or values that are none', async (t) => {
  const me = await s.addPerson('member')
  for (const [body, path] of [[{}, 'body'], [{ email: 'a@b.c' }, 'email'], [{ is_active: false }, 'is_active'], [{ name: null }, 'name'], [{ name: '  ' }, 'name'], [{ name: 5 }, 'name'],
    [{ locale: 'english' }, 'locale']] as const) {
    t.match((await s.ask('PATCH', '/api/me', { as: me, body })).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path }] }, JSON.stringify(body))
  }
  t.match((await s.ask('PATCH', '/api/me', { as: me, body: { timezone: 'Mars/Olympus' } })).json(), { status: /^4(00|22)$/, errors: [{ path: 'timezone' }] })
  t.match(await s.get('/api/me', { as: me }), { version: 1 })
})

await t.test('a stale change of a profile is refused with the current version; of two at once one wins', async (t) => {
  const me = await s.addPerson('member')
  const change = (name: string, version: string) => s.ask('PATCH', '/api/me', { as: me, body: { name }, headers: { 'if-match': version } })
  const answers = await Promise.all([change('One', '"1"'), change('Two', '"1"')])
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 412])
  t.match(answers.find(({ statusCode }) => statusCode === 412)?.json(), { code: 'EDEN_STALE', current_version: 2 })
  t.match((await change('Three', 'W/"2"')).json(), { status: 412, current_version: 2 }, 'a weak tag matches nothing')
  t.equal((await change('Three', '"7", "2"')).statusCode, 200)
  t.equal((await change('Four', '*')).statusCode, 200)
})
