/**
 * Passwords, links and tokens, good and wrong, are sent wherever they belong and where people put them by mistake; afterwards none of
 * them is in the log at any level, in an answer but the one that gives it, in `/metrics` or in a row of any table of any schema.
 */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { clientOf } from './accounts.js'
import { eventually, startApp } from './helper.js'
import { takeLog } from './logs.js'
import { startSmtp } from './smtp.js'

/** What must be nowhere, by what it is. */
const secrets = new Map<string, string>()
function secret (what: string, value = `Mk${randomBytes(15).toString('hex')}`): string {
  secrets.set(what, value)
  return value
}
/** Of what is found, what it is: as it is, in any case, or as base64. */
function foundIn (text: string): string[] {
  const lower = text.toLowerCase()
  // Of a token its end: its beginning is the same for all and may be told.
  return [...secrets].filter(([, value]) => [value.slice(-30), Buffer.from(value).toString('base64').slice(0, 30)].some((form) => lower.includes(form.toLowerCase()))).map(([what]) => what)
}

const smtp = await startSmtp(t)
const s = await startApp(t, { environment: { SMTP_URL: smtp.url, MAIL_FROM: 'Eden ERP <erp@example.com>', APP_URL: 'https://erp.example.com', LOG_LEVEL: 'trace', DB_SLOW_QUERY_MS: '1', DB_SLOW_QUERY_PLANS: 'true' } })
const lines = takeLog(s.app)
const { post, login, refresh, me, bearer } = clientOf(s)
/** Answers that give no secret away, as they went out: with their headers. */
const answers: string[] = []
async function plain (answer: ReturnType<typeof post>) {
  const { statusCode, headers, body } = await answer
  answers.push(JSON.stringify(headers) + body)
  return statusCode
}
/** The tokens of a session, which are secrets from now on. */
async function signedIn (what: string, answer: ReturnType<typeof post>): Promise<{ access: string, refresh: string }> {
  const { access_token: access, refresh_token: token } = (await answer).json()
  return { access: secret(`access token of ${what}`, access), refresh: secret(`refresh token of ${what}`, token) }
}
async function linkFor (email: string, nth: number): Promise<string> {
  const mail = await eventually(() => smtp.mails.filter(({ to }) => [to].flat().some((one) => one?.text.includes(email)))[nth - 1])
  return /#token=([\w-]{43})$/m.exec(mail.text ?? '')?.[1] as string
}

t.test('what signs people in stays with them', async (t) => {
  const person = await s.addPerson('member', { email: 'robin.w@example.com', name: 'Robin Whittaker' })
  const { email } = person

  // An invitation, accepted; the same by a key that keeps answers for those who ask twice.
  t.equal(await plain(s.ask('POST', '/api/auth/invitations', { body: { user_id: person.id }, headers: { 'idempotency-key': 'invited' } })), 202)
  const invitation = secret('link of an invitation', await linkFor(email, 1))
  const password = secret('password')
  const first = await signedIn('an invitation', post('/invitations/accept', { token: invitation, password }, { headers: { 'idempotency-key': 'accepted' } }))
  t.equal(await me(first.access), 200)
  t.equal(await plain(post('/invitations/accept', { token: invitation, password: secret('password for a used link') })), 422)

  // Signing in: well, wrongly, and as forms and people do it that are wrong themselves.
  const second = await signedIn('a sign-in', post('/login', { email, password }, { headers: { 'idempotency-key': 'signed in' } }))
  t.equal(await plain(login(email, secret('wrong password'))), 401)
  t.equal(await plain(login(secret('password as an address'), 'anything at all')), 400)
  t.equal(await plain(post('/login', { email, password: [secret('password in a list')] })), 400)
  t.equal(await plain(post('/login', `{"email": "${email}", "password": "${secret('password in broken JSON')}"`, { headers: { 'content-type': 'application/json' } })), 400)
  t.equal(await plain(post('/login', `email=a&password=${secret('password in a form')}`, { headers: { 'content-type': 'application/x-www-form-urlencoded' } })), 415)
  t.equal(await plain(post(`/login?password=${secret('password in a query')}`, { email, password: 'not this either' })), 400)
  t.equal(await plain(s.app.inject({ url: '/api/me', headers: { authorization: `Basic ${Buffer.from(`${email}:${secret('password by Basic')}`).toString('base64')}` } })), 401)
  t.equal(await plain(s.app.inject({ url: '/api/me', headers: { authorization: `Bearer ${secret('bearer that is none')}`, cookie: `session=${secret('cookie')}` } })), 401)
  t.equal(await plain(s.app.inject(`/api/me?access_token=${second.access}`)), 401)

  // Refreshing: well, with what never was one, and again with an old one long after, which ends the session.
  const third = await signedIn('a refresh', refresh(second.refresh))
  t.equal(await plain(refresh(secret('refresh token that is none', randomBytes(32).toString('base64url')))), 401)
  await s.query("update refresh_tokens set rotated_at = rotated_at - interval '1 hour'")
  t.equal(await plain(refresh(second.refresh)), 401)
  t.equal(await me(third.access), 401)

  // Changing and resetting.
  const fourth = await signedIn('another sign-in', login(email, password))
  const changed = secret('password that was chosen')
  t.equal(await plain(post('/password', { current_password: secret('wrong current password'), new_password: changed }, { headers: bearer(fourth.access) })), 422)
  t.equal(await plain(post('/password', { current_password: password, new_password: changed }, { headers: { ...bearer(fourth.access), 'idempotency-key': 'changed' } })), 200)
  t.equal(await plain(post('/password/forgot', { email })), 202)
  const link = secret('link of a reset', await linkFor(email, 2))
  t.equal(await plain(post('/password/reset', { token: randomBytes(32).toString('base64url'), new_password: secret('password for no link') })), 422)
  t.equal(await plain(post('/password/reset', { token: link, new_password: secret('password by a reset') })), 200)

  // Personal access tokens: made, used, put into a query, revoked, and used after that.
  const made = (await s.ask('POST', '/api/tokens', { as: person, body: { name: 'A token', scopes: ['projects:read'], expires_at: new Date(Date.now() + 86_400_000).toISOString() }, headers: { 'idempotency-key': 'made' } })).json()
  const token = secret('personal access token', made.token)
  const use = (url: string) => plain(s.app.inject({ url, headers: bearer(token) }))
  t.equal(await use('/api/projects'), 200)
  t.equal(await use('/api/admin/tokens'), 403)
  t.equal(await plain(s.app.inject(`/api/projects?token=${token}`)), 401)
  t.equal(await plain(s.ask('GET', '/api/tokens', { as: person })), 200)
  t.equal(await plain(s.ask('DELETE', `/api/tokens/${made.id}`, { as: person })), 200)
  t.equal(await use('/api/projects'), 401)

  // Guest links: made, used well and wrongly, put where no route is or into a header, revoked, and used after that.
  const project = await s.addProject()
  const share = (headers = {}) => s.ask('POST', '/api/guest-links', { body: { name: 'A guest', project_id: project.id, expires_at: new Date(Date.now() + 86_400_000).toISOString() }, headers })
  const shared = (await share({ 'idempotency-key': 'shared' })).json()
  const shown = secret('token of a guest link', shared.token)
  t.equal(await plain(s.app.inject(`/api/guest/${shown}`)), 200)
  t.equal(await plain(s.app.inject(`/api/guest/${shown}?limit=0`)), 400)
  t.equal(await plain(s.app.inject(`/api/guest/${shown.slice(0, -1)}`)), 404)
  t.equal(await plain(s.app.inject(`/api/guest/${shown}/tasks`)), 404)
  t.equal(await plain(s.app.inject({ method: 'POST', url: `/api/guest/${shown}` })), 404)
  t.equal(await plain(s.app.inject(`/api/projects?token=${shown}`)), 401)
  t.equal(await plain(s.app.inject({ url: '/api/projects', headers: bearer(shown) })), 401)
  t.equal(await plain(s.ask('GET', '/api/guest-links')), 200)
  t.equal(await plain(s.ask('DELETE', `/api/guest-links/${shared.id}`)), 200)
  t.equal(await plain(s.app.inject(`/api/guest/${shown}`)), 404)

  t.same(foundIn(smtp.mails.map(({ text }) => text).join('\n')), ['link of an invitation', 'link of a reset'], 'who looks like this finds them: the e-mails have the links')
  await s.app.auditTrail.written()
  const log = lines.map((line) => JSON.stringify(line)).join('\n')
  for (const event of ['signed_in', 'sign_in_failed', 'sign_in_refused', 'refresh_reused', 'invitation_accepted', 'password_changed', 'password_reset', 'token_created', 'token_revoked', 'permission_refused', 'guest_link_created', 'guest_link_used', 'guest_link_refused', 'guest_link_revoked']) t.match(log, event, `the log has ${event}`)
  t.same(foundIn(log), [], 'the log')
  t.same(foundIn(answers.join('\n')), [], 'answers')
  t.same(foundIn((await s.app.inject('/metrics')).body), [], 'metrics')

  const tables = await s.query("select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'm') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'")
  t.ok(tables.length > 30, `${tables.length} tables`)
  const rows: string[] = []
  for (const { name } of tables) rows.push(...(await s.query(`select t::text as text from ${name} t`)).map(({ text }: { text: string }) => text))
  t.ok(rows.some((row) => row.includes(email)), 'rows were looked at')
  // bytea is written in hexadecimal digits: a secret that was stored as bytes is looked for as such.
  const stored = rows.join('\n')
  t.same(foundIn(stored), [], 'tables')
  t.same([...secrets].filter(([, value]) => stored.includes(Buffer.from(value).toString('hex'))).map(([what]) => what), [], 'bytes in tables')
  t.ok(secrets.size >= 25, `${secrets.size} secrets were sent`)
})
