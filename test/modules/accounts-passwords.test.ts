/** Passwords that are chosen, changed and reset, invitations, and the one-time links that carry both. */
import t from 'tap'
import { MOST_IN_AN_HOUR } from '../../modules/accounts/mails/queries.js'
import { passwordProblem } from '../../modules/accounts/passwords/rules.js'
import { clientOf, counted, givePassword, PASSWORD } from '../accounts.js'
import { eventually, startApp } from '../helper.js'
import { startSmtp } from '../smtp.js'

const smtp = await startSmtp(t)
const now = new Date() // it stands still: what has to wait has to wait all the time
const s = await startApp(t, { clock: () => now, environment: { SMTP_URL: smtp.url, MAIL_FROM: 'Eden ERP <erp@example.com>', APP_URL: 'https://erp.example.com' } })
const { login, post, me, bearer } = clientOf(s)
const NEW = 'a much better passphrase'
const HASHED = 'eden_password_hashes_total{work="hash"}'

let count = 0
async function someone (password: string | null = PASSWORD, fields = {}) {
  const person = await s.addPerson('member', { email: `some.body.${++count}@example.com`, name: `Robin Whittaker ${count}`, ...fields })
  if (password !== null) await givePassword(s, person, password)
  return person
}
const mailsTo = (email: string) => smtp.mails.filter((mail) => [mail.to].flat().some((one) => one?.text.includes(email)))
/** The token in the newest e-mail of several to an address. */
async function tokenOf (email: string, nth = 1): Promise<string> {
  const mail = await eventually(() => mailsTo(email)[nth - 1])
  return /#token=([\w-]{43})$/m.exec(mail.text ?? '')?.[1] as string
}
const mailsDone = (email: string, n: number) => eventually(async () => (await s.query("select 1 from account_mails where email = $1 and state <> 'waiting'", [email])).length >= n)
const audited = async (event: string, id: string) => (await s.query('select actor_id, details from audit_events where event = $1 and target_id = $2', [event, id]))

await t.test('which passwords are not taken', async (t) => {
  const owner = { email: 'jane.doe@example.com', name: 'Jane Oldenburg' }
  for (const [password, problem] of [
    ['elevenchars', /at least 12/], ['ﬃ4567890', /at least 12/], ['🚧🚧🚧🚧🚧🚧🚧🚧🚧🚧🚧', /at least 12/], ['x'.repeat(201), /at most 200/],
    ['password1234', /tried first/], ['PASSWORD-2026!', /tried first/], ['aaaaaaaaaaaaaaaa', /tried first/], ['abcabcabcabc', /tried first/], ['123456789012', /tried first/], ['qwertyuiop123', /tried first/], ['............a', /tried first/], ['correct horse battery staple', /tried first/],
    ['jane.doe@example.com', /own name/], ['JaneOldenburg', /own name/], ['Oldenburg1234', /own name/], ['jane oldenburg!', /own name/], ['Eden ERP jane1', /own name/]
  ] as const) t.match(passwordProblem(password, owner), problem, password)
  for (const password of [NEW, '🚧'.repeat(6) + 'x7'.repeat(1) + ' a wall', 'Jane goes to the market', 'ﬃﬃﬃﬃ of them', 'пароль для меня']) t.equal(passwordProblem(password, owner), undefined, password)
})

await t.test('a change wants the current password, and ends every other session at once', async (t) => {
  const person = await someone()
  const [here, there] = [(await login(person.email)).json(), (await login(person.email)).json()]
  const change = (current: string, wanted: string) => post('/password', { current_password: current, new_password: wanted }, { headers: bearer(here.access_token) })
  t.match((await change('not my password', NEW)).json(), { status: 422, code: 'EDEN_PASSWORD_WRONG', errors: [{ path: 'current_password' }] })
  t.match((await change(PASSWORD, 'too short')).json(), { status: 422, code: 'EDEN_PASSWORD_REFUSED', errors: [{ path: 'new_password', message: /at least 12/ }] })
  t.equal(await me(there.access_token), 200)
  t.same((await change(PASSWORD, NEW)).json(), { ended_sessions: 1 })
  t.equal(await me(here.access_token), 200)
  t.equal(await me(there.access_token), 401, 'a token that was signed before the change')
  t.equal((await post('/refresh', { refresh_token: there.refresh_token })).statusCode, 401)
  t.equal((await login(person.email, PASSWORD)).statusCode, 401)
  t.equal((await login(person.email, NEW)).statusCode, 200)
  t.match(await audited('password_changed', person.id), [{ actor_id: person.id, details: { sessions: 1 } }])
})

await t.test('who guesses the current password by a stolen token is slowed like anyone', async (t) => {
  const person = await someone()
  const { access_token: token } = (await login(person.email)).json()
  const statuses = []
  for (let i = 0; i < 8; i++) statuses.push((await post('/password', { current_password: `guess ${i}`, new_password: NEW }, { headers: bearer(token) })).statusCode)
  t.same(statuses, [422, 422, 422, 422, 422, 422, 429, 429])
})

await t.test('a forgotten password: a link by e-mail, good once, that ends all sessions', async (t) => {
  const person = await someone()
  const session = (await login(person.email)).json()
  const asked = await post('/password/forgot', { email: person.email.toUpperCase() })
  t.same([asked.statusCode, asked.json()], [202, { accepted: true }])
  const token = await tokenOf(person.email)
  const [mail] = mailsTo(person.email)
  t.equal(mail?.subject, 'A new password for Eden ERP')
  t.ok(mail?.text?.includes(`https://erp.example.com/reset-password#token=${token}`))
  t.ok(mail?.text?.includes('for 30 minutes'))
  t.ok(String(mail?.html).includes(`href="https://erp.example.com/reset-password#token=${token}"`))
  t.equal(await me(session.access_token), 200, 'asking changes nothing')
  const before = await counted(s, HASHED)
  t.match((await post('/password/reset', { token, new_password: 'short' })).json(), { code: 'EDEN_PASSWORD_REFUSED' })
  t.match((await post('/password/reset', { token: 'A'.repeat(43), new_password: NEW })).json(), { status: 422, code: 'EDEN_LINK_NOT_GOOD' })
  t.match((await post('/invitations/accept', { token, password: NEW })).json(), { code: 'EDEN_LINK_NOT_GOOD' }, 'a link is for its purpose')
  t.equal(await counted(s, HASHED), before, 'nothing is hashed for that')
  t.same((await post('/password/reset', { token, new_password: NEW })).json(), { ended_sessions: 1 })
  t.equal(await me(session.access_token), 401)
  t.equal((await post('/refresh', { refresh_token: session.refresh_token })).statusCode, 401)
  t.equal((await login(person.email, NEW)).statusCode, 200)
  t.match((await post('/password/reset', { token, new_password: `${NEW} 2` })).json(), { code: 'EDEN_LINK_NOT_GOOD' })
  t.match(await audited('password_reset', person.id), [{ actor_id: person.id }])
  const rows = JSON.stringify([await s.query('select * from account_links'), await s.query('select * from account_mails'), await s.query('select * from audit_events')])
  t.notMatch(rows, token, 'the token is in the e-mail alone')
})

await t.test('of two who come with one link at once, one gets it', async (t) => {
  const person = await someone()
  await post('/password/forgot', { email: person.email })
  const token = await tokenOf(person.email)
  const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => post('/password/reset', { token, new_password: `${NEW} of ${i}` })))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, ...Array(7).fill(422)])
  const winner = answers.findIndex(({ statusCode }) => statusCode === 200)
  t.equal((await login(person.email, `${NEW} of ${winner}`)).statusCode, 200)
})

await t.test('a link dies of age, of a newer one, of another password, and with its person', async (t) => {
  const good = async (token: string) => (await post('/password/reset', { token, new_password: 'x'.repeat(12) })).json().code === 'EDEN_PASSWORD_REFUSED'
  const [aged, newer, changed, gone] = [await someone(), await someone(), await someone(), await someone()]
  for (const { email } of [aged, newer, changed, gone]) await post('/password/forgot', { email })
  const tokens = await Promise.all([aged, newer, changed, gone].map(({ email }) => tokenOf(email)))
  for (const token of tokens) t.ok(await good(token))
  await s.query('update account_links set expires_at = now() where user_id = $1', [aged.id])
  await mailsDone(newer.email, 1)
  await post('/password/forgot', { email: newer.email })
  t.ok(await good(await tokenOf(newer.email, 2)))
  await s.ask('POST', '/api/auth/password', { as: changed, body: { current_password: PASSWORD, new_password: NEW } })
  await s.query('update users set is_active = false where id = $1', [gone.id])
  for (const token of tokens) t.notOk(await good(token))
})

await t.test('asking for a link tells nothing: not who is there, and nobody gets many', async (t) => {
  const [known, gone, without] = [await someone(), await someone(PASSWORD, { is_active: false }), await someone(null)]
  const answers = []
  for (const email of [known.email, gone.email, without.email, 'nobody.at.all@example.com']) {
    const { statusCode, headers, body } = await post('/password/forgot', { email })
    answers.push({ statusCode, body, headers: Object.keys(headers).sort() })
    await mailsDone(email, 1)
  }
  for (const answer of answers) t.same(answer, answers[0])
  t.equal(mailsTo(known.email).length, 1)
  for (const { email } of [gone, without]) t.equal(mailsTo(email).length, 0)
  for (let i = 2; i <= MOST_IN_AN_HOUR + 3; i++) {
    t.equal((await post('/password/forgot', { email: known.email })).statusCode, 202)
    await mailsDone(known.email, Math.min(i, MOST_IN_AN_HOUR))
  }
  t.equal(mailsTo(known.email).length, MOST_IN_AN_HOUR)
})

await t.test('an invitation: by who may write people, to who has no password; it signs in', async (t) => {
  const person = await someone(null)
  const invite = (body: object, as = s.admin, headers = {}) => s.ask('POST', '/api/auth/invitations', { as, body, headers })
  t.equal((await invite({ user_id: person.id }, s.manager)).statusCode, 403)
  t.same([(await invite({ user_id: person.id }, s.admin, { 'idempotency-key': 'once' })).statusCode, (await invite({ user_id: person.id }, s.admin, { 'idempotency-key': 'once' })).statusCode], [202, 202])
  const token = await tokenOf(person.email)
  const [mail] = mailsTo(person.email)
  t.equal(mail?.subject, 'Your account in Eden ERP')
  t.match(mail?.text, 'Ada Min invites you')
  t.ok(mail?.text?.includes(`https://erp.example.com/accept-invitation#token=${token}`))
  t.ok(mail?.text?.includes('for 72 hours'))
  t.match((await post('/invitations/accept', { token, password: 'Sam Fisher 1', name: 'Sam Fisher' })).json(), { code: 'EDEN_PASSWORD_REFUSED', errors: [{ path: 'password', message: /own name/ }] })
  const accepted = await Promise.all([1, 2, 3].map(() => post('/invitations/accept', { token, password: NEW, name: 'Sam Fisher' })))
  t.same(accepted.map(({ statusCode }) => statusCode).sort(), [200, 422, 422])
  const { access_token: access, user } = accepted.find(({ statusCode }) => statusCode === 200)?.json()
  t.same(user, { id: person.id, email: person.email, name: 'Sam Fisher' })
  t.equal((await s.app.inject({ url: '/api/me', headers: bearer(access) })).json().name, 'Sam Fisher')
  t.equal((await login(person.email, NEW)).statusCode, 200)
  t.match(await audited('invited', person.id), [{ actor_id: s.admin.id }])
  t.match(await audited('invitation_accepted', person.id), [{ actor_id: person.id }])
  await s.app.events.settled()
  t.match(await s.get(`/api/activity?entity_id=${person.id}`), [{ action: 'updated', changes: { name: [person.name, 'Sam Fisher'] } }])
  t.match((await invite({ email: person.email })).json(), { status: 409, code: 'EDEN_ALREADY_SIGNED_UP' })
  const gone = await someone(null, { is_active: false })
  t.match((await invite({ email: gone.email })).json(), { status: 422, code: 'EDEN_INACTIVE_PERSON', errors: [{ path: 'email' }] })
  t.match((await invite({ email: 'nobody@example.com' })).json(), { status: 422, code: 'EDEN_UNKNOWN_USER' })
  for (const body of [{}, { user_id: person.id, email: person.email }]) t.equal((await invite(body)).statusCode, 400)
})

await t.test('what the server refuses for now is sent later, with a new link; when it is not there, the job tries again', async (t) => {
  const person = await someone()
  const row = async () => (await s.query('select * from account_mails where email = $1', [person.email]))[0]
  smtp.refuse((address) => address === person.email ? { code: 451, message: 'later' } : undefined)
  await post('/password/forgot', { email: person.email })
  await eventually(async () => (await row()).error !== null)
  t.match(await row(), { state: 'waiting', attempts: 1, error: /later/ })
  smtp.refuse(() => undefined)
  await s.query('update account_mails set due_at = now() where email = $1', [person.email])
  t.match(await s.app.jobs.runNow('send_account_mails'), { sent: 1, failed: 0 })
  t.equal((await post('/password/reset', { token: await tokenOf(person.email), new_password: NEW })).statusCode, 200)
})

await t.test('the clean-up forgets what is over, and nothing else', async (t) => {
  const person = await someone()
  await login(person.email)
  await s.query("insert into sessions (id, user_id, ip, expires_at, must_end_at) values (gen_random_uuid(), $1, '127.0.0.1', now() - interval '31 days', now())", [person.id])
  await s.query("insert into sign_in_throttles (address_hash, network, failures, failed_at) values ('x', '198.51.100.0/24', 3, now() - interval '25 hours')")
  await s.query("insert into account_links (token_hash, user_id, purpose, expires_at) values (sha256('x'), $1, 'password_reset', now() - interval '31 days')", [person.id])
  t.match(await s.app.jobs.runNow('expire_accounts'), { sessions: 1, links: 1, throttles: 1 })
  t.equal((await s.get('/api/me/sessions', { as: person })).length, 1)
})

await t.test('without an SMTP server nobody is invited, and asking for a link answers as ever', async (t) => {
  const dumb = await startApp(t)
  const person = await dumb.addPerson('member')
  t.match((await dumb.ask('POST', '/api/auth/invitations', { body: { user_id: person.id } })).json(), { status: 422, code: 'EDEN_MAIL_UNAVAILABLE' })
  t.equal((await clientOf(dumb).post('/password/forgot', { email: person.email })).statusCode, 202)
  t.same(await dumb.query('select 1 from account_mails'), [])
})
