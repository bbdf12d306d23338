/** Personal access tokens: made once, scoped, expiring, revoked at once on every instance. */
import { publicRoutes } from '../../plugins/public-routes.js'
import { crc32 } from 'node:zlib'
import t from 'tap'
import { apiTokens } from '../../plugins/auth/api-tokens.js'
import { anotherInstance, eventually, nextPage, startApp, type Person } from '../helper.js'
import { takeLog } from '../logs.js'

let now = new Date()
const s = await startApp(t, { clock: () => now, environment: { LOG_LEVEL: 'info', API_TOKENS_PER_PERSON: '7', API_TOKEN_MAX_DAYS: '365' } })
const lines = takeLog(s.app)
const second = await anotherInstance(t, s)

const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000).toISOString()
const problem = (answer: { json: () => any }) => { const { status, code, errors } = answer.json(); return [status, code, errors?.[0]?.path] }
const make = (as: Person, fields: object = {}) => s.post<any>('/api/tokens', { name: 'An integration', scopes: ['projects:read'], expires_at: inDays(30), ...fields }, { as })
const by = (token: string, method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', url: string, { app = s.app, payload }: { app?: typeof second, payload?: object } = {}) =>
  app.inject({ method, url, headers: { authorization: `Bearer ${token}` }, ...(payload === undefined ? {} : { payload }) })
const status = async (token: string, url = '/api/projects', app = s.app) => (await by(token, 'GET', url, { app })).statusCode
const reasons = (from: number) => lines.slice(from).filter(({ security }) => security === 'sign_in_refused').map(({ reason }) => reason)
const pattern = /^eden_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}$/

await t.test('a token is shown once, stored as a hash, and signs in as its holder', async (t) => {
  const answer = await s.ask('POST', '/api/tokens', { as: s.member, body: { name: 'Nightly sync', scopes: ['projects:read', 'tasks:read'], expires_at: inDays(30) } })
  t.equal(answer.statusCode, 201)
  const { token, ...rest } = answer.json()
  t.match(token, pattern)
  t.match(answer.headers, { location: `/api/tokens/${rest.id}`, 'cache-control': 'no-store' })
  t.match(rest, { name: 'Nightly sync', scopes: ['projects:read', 'tasks:read'], state: 'live', last_used_at: null, last_used_ip: null, revoked_at: null })
  for (const app of [s.app, second]) t.match((await by(token, 'GET', '/api/me', { app })).json(), { id: s.member.id })
  t.same((await s.get('/api/tokens', { as: s.member })).map((one: any) => ({ ...one, last_used_at: null, last_used_ip: null })), [rest], 'the list has all but the token')

  const [row] = await s.query('select t::text as text, secret_hash from api_tokens t where id = $1', [rest.id])
  t.ok(row.secret_hash.equals(apiTokens.read(token)?.hash))
  t.notOk(row.text.includes(token.slice(32)))
  t.notMatch(JSON.stringify(lines), token.slice(32), 'the log does not have it')
  t.equal(lines.filter(({ security }) => security === 'token_created').at(-1)?.target, rest.id)
  t.match(await s.query("select actor_id, target_type, details from audit_events where event = 'token_created' and target_id = $1", [rest.id]), [{ actor_id: s.member.id, target_type: 'api_token', details: { name: 'Nightly sync', scopes: 'projects:read tasks:read' } }])
})

await t.test('what is mistyped, cut off or made up is refused without a query', async (t) => {
  const { token } = apiTokens.make(s.member.id)
  t.match(apiTokens.read(token), { id: s.member.id })
  for (const id of ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']) t.equal(apiTokens.read(apiTokens.make(id).token)?.id, id)
  const signed = (body: string) => body + [5, 4, 3, 2, 1, 0].map((place) => '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[Math.floor(crc32(body) / 62 ** place) % 62]).join('')
  t.match(apiTokens.read(signed(`eden_pat_${'0'.repeat(22)}_${'a'.repeat(32)}`)), { id: '00000000-0000-0000-0000-000000000000' }, 'whoever knows the form can make one')
  const flipped = token.slice(0, 40) + (token[40] === 'a' ? 'b' : 'a') + token.slice(41)
  const bad = [flipped, token.slice(0, -1), `${token}a`, token.toUpperCase(), 'eden_pat_', `eden_pat_${"'or'1'='1'--".padEnd(61, 'x')}`, signed(`eden_pat_${'z'.repeat(22)}_${'a'.repeat(32)}`), 'eden_pat_' + 'a'.repeat(9000)]
  const statements: unknown[] = []
  s.app.onQuery((timing) => statements.push(timing))
  const from = lines.length
  for (const one of bad) t.equal(await status(one), 401, one.slice(0, 80))
  t.same(reasons(from), bad.map(() => 'malformed token'))
  t.same(statements, [])
  t.equal(await status(token), 401, 'well-formed, and nobody\'s')
  const other = await make(s.member)
  t.equal(await status(apiTokens.make(other.id).token), 401, 'the row of another, with a secret of one\'s own')
  t.equal(await status(other.token), 200)
})

await t.test('a token does what its scopes and its holder\'s permissions both allow, as they are now', async (t) => {
  const holder = await s.addPerson('manager')
  const { token } = await make(holder, { scopes: ['projects:read', 'projects:write'] })
  t.same((await by(token, 'GET', '/api/me/permissions')).json().map(({ code }: any) => code), ['projects:read', 'projects:write'])
  t.equal((await by(token, 'POST', '/api/projects', { payload: { code: 'BY-TOKEN', name: 'X' } })).statusCode, 201)
  t.same(problem(await by(token, 'GET', '/api/tasks')), [403, 'EDEN_FORBIDDEN', undefined])
  await s.query("update user_roles set role_id = (select id from roles where slug = 'viewer') where user_id = $1", [holder.id])
  t.equal((await by(token, 'POST', '/api/projects', { payload: { code: 'BY-TOKEN-2', name: 'X' } })).statusCode, 403)
  t.equal(await status(token), 200)
  await s.query('update users set is_active = false where id = $1', [holder.id])
  t.equal(await status(token), 401)
})

await t.test('nobody gives a token what they do not have', async (t) => {
  const body = { name: 'X', scopes: ['projects:read', 'users:write'], expires_at: inDays(1) }
  const refused = await s.ask('POST', '/api/tokens', { as: s.member, body })
  t.same(problem(refused), [422, 'EDEN_SCOPE_NOT_HELD', 'scopes.1'])
  t.same(problem(await s.ask('POST', '/api/tokens', { body: { ...body, scopes: ['no:such'] } })), [422, 'EDEN_SCOPE_NOT_HELD', 'scopes.0'])
  for (const scopes of [[], ['projects:read', 'projects:read'], ['*'], ["x';--"]]) t.equal((await s.ask('POST', '/api/tokens', { body: { ...body, scopes } })).statusCode, 400, scopes.join())
})

await t.test('a token makes no tokens, sees none, and touches nothing that is the person\'s own', async (t) => {
  const { token, id } = await make(s.admin, { scopes: (await s.get('/api/me/permissions')).map(({ code }: any) => code) })
  const refused: Parameters<typeof by>[] = [
    [token, 'POST', '/api/tokens', { payload: { name: 'X', scopes: ['projects:read'], expires_at: inDays(1) } }], [token, 'GET', '/api/tokens'], [token, 'DELETE', `/api/tokens/${id}`],
    [token, 'PATCH', '/api/me', { payload: { name: 'X' } }], [token, 'GET', '/api/me/preferences'], [token, 'GET', '/api/notifications'], [token, 'GET', '/api/notifications/stream'], [token, 'PATCH', '/api/notifications/mark-all-read']
  ]
  for (const args of refused) t.same(problem(await by(...args)), [403, 'EDEN_NOT_BY_TOKEN', undefined], `${args[1]} ${args[2]}`)
  for (const url of ['/api/me', '/api/me/permissions', '/api/users', '/api/admin/tokens', '/api/admin/jobs/']) t.equal(await status(token, url), 200, url)
  // Every route of what is a person's own, also one that comes later: only these two are for tokens.
  const holder = await s.addPerson('viewer')
  const powerless = (await make(holder)).token
  await s.query('delete from user_roles where user_id = $1', [holder.id])
  const open: string[] = []
  for (const [path, methods] of Object.entries<any>((await s.get('/openapi.json')).paths)) {
    for (const method of Object.keys(methods)) {
      if (publicRoutes.has(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`)) continue
      const url = path.replace(/\{\w+\}/g, s.member.id)
      const answer = await second.inject({ method: method.toUpperCase() as 'GET', url, headers: { authorization: `Bearer ${powerless}` }, ...(['get', 'delete'].includes(method) ? {} : { payload: {} }) })
      if (![401, 403, 404].includes(answer.statusCode) && path.startsWith('/api/') && !/health|debug/.test(path)) open.push(`${method.toUpperCase()} ${path}`)
    }
  }
  t.same(open, ['GET /api/me', 'GET /api/me/permissions'])
})
await t.test('it ends when it was said to, which is within a year', async (t) => {
  const body = { name: 'X', scopes: ['projects:read'] }
  t.equal((await s.ask('POST', '/api/tokens', { body })).statusCode, 400, 'it must be said')
  for (const expires of [inDays(-1), now.toISOString(), inDays(365.001), 'infinity', 'tomorrow', null]) {
    t.same(problem(await s.ask('POST', '/api/tokens', { body: { ...body, expires_at: expires } })), [400, 'EDEN_VALIDATION', 'expires_at'], String(expires))
  }
  const { token, id, expires_at: expires } = await make(s.viewer, { expires_at: inDays(365) })
  t.equal(new Date(expires).toISOString(), inDays(365))
  t.equal(await status(token), 200)
  await s.query("update api_tokens set created_at = now() - interval '2 days', expires_at = now() - interval '1 second' where id = $1", [id])
  for (const app of [s.app, second]) t.equal(await status(token, '/api/projects', app), 401)
  t.match(await s.get('/api/tokens?state=expired', { as: s.viewer }), [{ id, state: 'expired' }])
})

await t.test('revoked, by its holder or an administrator, it is refused by every instance at once', async (t) => {
  const holder = await s.addPerson('manager')
  const [mine, taken] = [await make(holder), await make(holder)]
  for (const { token } of [mine, taken]) for (const app of [s.app, second]) t.equal(await status(token, '/api/projects', app), 200)
  t.same((await s.ask('DELETE', `/api/tokens/${mine.id}`, { as: s.admin })).statusCode, 404, 'not another\'s')
  t.same((await s.ask('DELETE', `/api/admin/tokens/${mine.id}`, { as: holder })).statusCode, 403)
  t.same((await s.ask('DELETE', `/api/tokens/${mine.id}`, { as: holder })).json(), { deleted: true, id: mine.id })
  t.same((await s.ask('DELETE', `/api/admin/tokens/${taken.id}`)).json(), { deleted: true, id: taken.id })
  for (const { token, id } of [mine, taken]) {
    for (const app of [s.app, second]) t.equal(await status(token, '/api/projects', app), 401)
    t.equal((await s.ask('DELETE', `/api/tokens/${id}`, { as: holder })).statusCode, 404, 'no second time')
    t.equal((await s.ask('DELETE', `/api/admin/tokens/${id}`)).statusCode, 404)
  }
  t.same((await s.get('/api/tokens', { as: holder })).map(({ state }: any) => state), ['revoked', 'revoked'])
  t.match(lines.filter(({ security }) => security === 'token_revoked').slice(-2), [{ target: mine.id, user_id: holder.id }, { target: taken.id, holder: holder.id, user_id: s.admin.id }])
  t.match(await s.query("select actor_id, target_id from audit_events where event = 'token_revoked' and target_id = any($1) order by at", [[mine.id, taken.id]]), [{ actor_id: holder.id, target_id: mine.id }, { actor_id: s.admin.id, target_id: taken.id }])
})

await t.test('when and from where it was last used is noted once a minute, after what went well', async (t) => {
  const { token, id } = await make(s.manager)
  const used = async () => (await s.get('/api/tokens', { as: s.manager })).find((one: any) => one.id === id)
  t.equal((await by(token, 'GET', '/api/tasks')).statusCode, 403)
  t.equal((await by(token, 'GET', '/api/projects?limit=0')).statusCode, 400)
  const begin = now
  t.equal(await status(token), 200)
  t.match(await eventually(async () => { const one = await used(); return one.last_used_at !== null && one }), { last_used_ip: '127.0.0.1' })
  t.equal(new Date((await used()).last_used_at).getTime(), begin.getTime(), 'not what was refused before')

  const writes = async () => (await s.query<{ xmin: string }>('select xmin::text from api_tokens where id = $1', [id]))[0]?.xmin
  const before = await writes()
  now = new Date(begin.getTime() + 59_000)
  for (const app of [s.app, second, s.app, second]) t.equal(await status(token, '/api/projects', app), 200)
  now = new Date(begin.getTime() + 61_000)
  t.equal((await by(token, 'GET', '/api/tasks')).statusCode, 403)
  t.equal(await writes(), before, 'nothing was written meanwhile')
  t.equal(await status(token), 200)
  await eventually(async () => new Date((await used()).last_used_at).getTime() === now.getTime())
})

await t.test('a use that cannot be noted is no failure', async (t) => {
  const { token } = await make(s.manager)
  await s.query('alter table api_tokens add constraint never_used check (last_used_at is null) not valid')
  now = new Date(now.getTime() + 120_000)
  t.equal(await status(token), 200)
  await s.query('alter table api_tokens drop constraint never_used')
})

await t.test('a person has so many live ones and no more, also when they ask at once', async (t) => {
  const holder = await s.addPerson('viewer')
  const body = { name: 'X', scopes: ['projects:read'], expires_at: inDays(1) }
  const answers = await Promise.all(Array.from({ length: 12 }, () => s.ask('POST', '/api/tokens', { as: holder, body })))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [...Array(7).fill(201), ...Array(5).fill(422)])
  t.same(problem(await s.ask('POST', '/api/tokens', { as: holder, body })), [422, 'EDEN_TOO_MANY_TOKENS', undefined])
  const id = answers.find(({ statusCode }) => statusCode === 201)?.json().id
  await s.ask('DELETE', `/api/tokens/${id}`, { as: holder })
  t.equal((await s.ask('POST', '/api/tokens', { as: holder, body })).statusCode, 201)

  const first = await s.ask('GET', '/api/tokens?limit=3&count=true', { as: holder })
  t.equal(first.headers['x-total-count'], '8')
  const paged = first.json()
  for (let path = nextPage(first); path !== undefined;) {
    const answer = await s.ask('GET', path, { as: holder })
    paged.push(...answer.json())
    path = nextPage(answer)
  }
  const all = await s.get('/api/tokens?limit=200', { as: holder })
  t.same(paged, all)
  t.equal(new Set(all.map(({ id }: any) => id)).size, 8)
  t.equal((await s.get('/api/tokens?state=live', { as: holder })).length, 7)
  const held = await s.get(`/api/admin/tokens?user_id=${holder.id}&state=live,revoked&limit=200`)
  t.same(held.map(({ holder, ...one }: any) => one), all)
  t.match(held[0].holder, { id: holder.id, email: holder.email })
  t.ok((await s.get('/api/admin/tokens?limit=200')).length > 8, 'those of all')
})

await t.test('what has been over for thirty days is forgotten', async (t) => {
  const holder = await s.addPerson('viewer')
  const ids = []
  for (const name of ['expired', 'revoked', 'expired lately', 'live']) ids.push((await make(holder, { name })).id)
  await s.query("update api_tokens set created_at = now() - interval '90 days' where user_id = $1", [holder.id])
  await s.query("update api_tokens set expires_at = now() - interval '31 days' where id = $1", [ids[0]])
  await s.query("update api_tokens set revoked_at = now() - interval '31 days' where id = $1", [ids[1]])
  await s.query("update api_tokens set expires_at = now() - interval '29 days' where id = $1", [ids[2]])
  t.same(await s.app.jobs.runNow('expire_api_tokens'), { tokens: 2 })
  t.same((await s.get('/api/tokens', { as: holder })).map(({ name }: any) => name).sort(), ['expired lately', 'live'])
})
