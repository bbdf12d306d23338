import t from 'tap'
import { nextPage, startApp } from '../helper.js'

const s = await startApp(t)
const problem = (answer: { json: () => any }) => { const { status, code, errors } = answer.json(); return [status, code, errors?.[0]?.path] }

await t.test('a company and its contacts are added, read, changed, deleted and brought back, each an event', async (t) => {
  const answer = await s.ask('POST', '/api/companies', { body: { name: 'Halton Architects', kind: 'architect', phone: '905 555 0100' } })
  t.equal(answer.statusCode, 201)
  const company = answer.json()
  t.match(answer.headers, { location: `/api/companies/${company.id}`, etag: '"1"' })
  t.match(company, { name: 'Halton Architects', kind: 'architect', phone: '905 555 0100', version: 1 })
  const contact = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Ana Silva', email: 'Ana@Halton.example', title: 'Partner' })
  t.match(contact, { company_id: company.id, name: 'Ana Silva', email: 'Ana@Halton.example', phone: null, title: 'Partner', version: 1 })

  t.match(await s.patch(`/api/companies/${company.id}`, { phone: null, name: 'Halton & Sons' }), { name: 'Halton & Sons', kind: 'architect', phone: null, version: 2 })
  t.match(await s.patch(`/api/contacts/${contact.id}`, { title: null }), { title: null, name: 'Ana Silva', version: 2 })
  t.match(await s.patch(`/api/contacts/${contact.id}`, { title: null }), { version: 2 }, 'what changes nothing is no change')
  t.same(await s.get(`/api/contacts/${contact.id}`), await s.get(`/api/companies/${company.id}/contacts`).then(([one]) => one))

  t.same((await s.ask('DELETE', `/api/contacts/${contact.id}`)).json(), { deleted: true, id: contact.id })
  t.same(await s.get(`/api/companies/${company.id}/contacts`), [])
  t.match(await s.post(`/api/contacts/${contact.id}/restore`), { id: contact.id, version: 4 })
  await s.ask('DELETE', `/api/companies/${company.id}`)
  for (const path of [`companies/${company.id}`, `companies/${company.id}/contacts`, `contacts/${contact.id}`]) t.equal((await s.ask('GET', `/api/${path}`)).statusCode, 404, path)
  t.same(problem(await s.ask('POST', `/api/companies/${company.id}/contacts`, { body: { name: 'Late' } })), [404, 'EDEN_NOT_FOUND', undefined])
  await s.post(`/api/companies/${company.id}/restore`)
  t.equal((await s.get(`/api/companies/${company.id}/contacts`)).length, 1)

  const log = await s.get(`/api/activity?entity_type=company&entity_id=${company.id}&sort=at`)
  t.same(log.map(({ action, version, changes }: any) => [action, version, changes]), [
    ['created', 1, { name: [null, 'Halton Architects'], kind: [null, 'architect'], phone: [null, '905 555 0100'] }],
    ['updated', 2, { name: ['Halton Architects', 'Halton & Sons'], phone: ['905 555 0100', null] }],
    ['deleted', 3, {}], ['restored', 4, {}]])
  t.same((await s.get(`/api/activity?entity_type=contact&entity_id=${contact.id}&sort=at`)).map(({ action }: any) => action), ['created', 'updated', 'deleted', 'restored'])
})

await t.test('a name belongs to one company, an address to one contact of a company, until they are deleted', async (t) => {
  const first = await s.post('/api/companies', { name: 'Nordic Pumps', kind: 'vendor' })
  t.same(problem(await s.ask('POST', '/api/companies', { body: { name: 'nordic PUMPS', kind: 'sub' } })), [409, 'EDEN_COMPANY_NAME_TAKEN', 'name'])
  const answers = await Promise.all(Array.from({ length: 8 }, () => s.ask('POST', '/api/companies', { body: { name: 'At once', kind: 'sub' } })))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, 409, 409, 409, 409, 409, 409, 409])
  const contact = await s.post(`/api/companies/${first.id}/contacts`, { name: 'A', email: 'a@nordic.example' })
  t.same(problem(await s.ask('POST', `/api/companies/${first.id}/contacts`, { body: { name: 'B', email: 'A@NORDIC.example' } })), [409, 'EDEN_EMAIL_TAKEN', 'email'])
  await s.ask('DELETE', `/api/contacts/${contact.id}`)
  await s.post(`/api/companies/${first.id}/contacts`, { name: 'B', email: 'a@nordic.example' })
  t.same(problem(await s.ask('POST', `/api/contacts/${contact.id}/restore`)), [409, 'EDEN_EMAIL_TAKEN', 'email'])
  await s.ask('DELETE', `/api/companies/${first.id}`)
  await s.post('/api/companies', { name: 'Nordic Pumps', kind: 'vendor' })
  t.same(problem(await s.ask('POST', `/api/companies/${first.id}/restore`)), [409, 'EDEN_COMPANY_NAME_TAKEN', 'name'])
})

await t.test('a list is in the order of names, by kind and by what a name begins with, page by page', async (t) => {
  for (const [name, kind] of [['Zeta', 'gc'], ['alpha 100%', 'ahj'], ['Alpha_1', 'gc'], ['Alphabet', 'owner']]) await s.post('/api/companies', { name, kind })
  const names = async (query: string) => (await s.get(`/api/companies?${query}`)).map(({ name }: any) => name)
  t.same(await names('q=ALPHA'), ['alpha 100%', 'Alpha_1', 'Alphabet'])
  t.same(await names('q=alpha&kind=gc,owner'), ['Alpha_1', 'Alphabet'])
  t.same(await names(`q=${encodeURIComponent('alpha 100%')}`), ['alpha 100%'])
  t.same(await names('q=alpha_'), ['Alpha_1'], 'nothing is a wildcard')
  t.same(await names('q=%25'), [])
  const first = await s.ask('GET', '/api/companies?limit=3&count=true')
  const all = await names('limit=200')
  t.equal(Number(first.headers['x-total-count']), all.length)
  const paged = first.json().map(({ name }: any) => name)
  for (let path = nextPage(first); path !== undefined;) {
    const answer = await s.ask('GET', path)
    paged.push(...answer.json().map(({ name }: any) => name))
    path = nextPage(answer)
  }
  t.same(paged, all)
})

await t.test('a stale change or deletion is refused; of two at once from one version one wins', async (t) => {
  const { id } = await s.post('/api/companies', { name: 'Two at once', kind: 'sub' })
  const contact = await s.post(`/api/companies/${id}/contacts`, { name: 'C' })
  for (const [path, n] of [[`/api/companies/${id}`, 'x'], [`/api/contacts/${contact.id}`, 'y']] as const) {
    const answers = await Promise.all(['a', 'b'].map((end) => s.ask('PATCH', path, { body: { name: n + end }, headers: { 'if-match': '"1"' } })))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 412])
    t.match(answers.find(({ statusCode }) => statusCode === 412)?.json(), { code: 'EDEN_STALE', current_version: 2 })
    t.equal((await s.ask('DELETE', path, { headers: { 'if-match': '"1"' } })).statusCode, 412)
    t.equal((await s.ask('GET', path, { headers: { 'if-none-match': '"2"' } })).statusCode, 304)
  }
})
