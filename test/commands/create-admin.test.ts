import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { createAdmin } from '../../commands/create-admin.js'
import { DEMO_PASSWORD, demoPasswordHash } from '../../commands/demo-password.js'
import { passwordProblem } from '../../modules/accounts/index.js'
import { clientOf } from '../accounts.js'
import { startApp } from '../helper.js'

const s = await startApp(t, { environment: { APP_URL: 'https://erp.example.com' } })
const { login, post, me } = clientOf(s)
const WORDS = 'a passphrase to begin with'

/** What the command said, with a password on its standard input. */
async function run (argv: string[], password = ''): Promise<string[]> {
  const lines: string[] = []
  await createAdmin(s.app.config, argv, { input: Readable.from([password]), ask: (question) => lines.push(question), print: (line) => lines.push(line) })
  return lines
}
const refused = (t: Test, argv: string[], password: string, message: RegExp) => t.rejects(run(argv, password), { message }, argv.join(' '))
const rolesOf = async (email: string) => (await s.get(`/api/users/${(await s.query('select id from users where email = $1', [email]))[0].id}`)).roles

await t.test('makes an administrator who signs in; a second time changes nothing', async (t) => {
  t.same(await run(['ada.one@example.com', 'Ada', 'One'], `${WORDS}\nand what follows`), ['Ada One (ada.one@example.com) is here now, and an administrator'])
  const session = (await login('ada.one@example.com', WORDS)).json()
  t.equal(await me(session.access_token), 200)
  t.same(await rolesOf('ada.one@example.com'), ['admin'])
  t.same(await run(['ADA.one@example.com', 'Somebody Else'], 'another password of theirs'), ['Ada One (ada.one@example.com) is an administrator already', 'their password stays as it is'])
  t.equal((await login('ada.one@example.com', WORDS)).statusCode, 200)
  t.match(await s.query("select actor_id, details from audit_events where event = 'administrator_made'"), [{ actor_id: null, details: { command: 'user:create-admin', is_new: true } }])
  await s.app.events.settled()
  t.same((await s.get('/api/changes?limit=200')).filter(({ data }: any) => data.request_id === 'user:create-admin').map(({ type }: any) => type), ['user.created', 'user.role_given'], 'who follows the changes hears of it')
})

await t.test('makes an administrator of somebody who is there', async (t) => {
  t.same(await run([s.member.email], WORDS), [`Mem Ber (${s.member.email}) is an administrator now`])
  t.same((await rolesOf(s.member.email)).sort(), ['admin', 'member'])
  t.equal((await login(s.member.email, WORDS)).statusCode, 200)
})

await t.test('prints a link by which they choose a password; the newest is good', async (t) => {
  const linkIn = (lines: string[]) => /https:\/\/erp\.example\.com\/accept-invitation#token=([\w-]{43})$/.exec(lines.at(-1) as string)?.[1]
  const [first, second] = [linkIn(await run(['li.nk@example.com', '--link'])), linkIn(await run(['li.nk@example.com', '--link']))]
  t.equal((await post('/invitations/accept', { token: first, password: WORDS })).statusCode, 422)
  const answer = await post('/invitations/accept', { token: second, password: WORDS })
  t.match(answer.json(), { user: { name: 'li.nk' } })
  t.same(await run(['li.nk@example.com', '--link']), ['li.nk (li.nk@example.com) is an administrator already', 'their password stays as it is'])
})

await t.test('refuses nonsense, and then nobody is made', async (t) => {
  const count = async () => (await s.query('select count(*)::int as people from users'))[0].people
  const before = await count()
  await refused(t, [], WORDS, /is not an e-mail address\nusage/)
  await refused(t, ['nobody'], WORDS, /is not an e-mail address/)
  await refused(t, ['a b@example.com'], WORDS, /is not an e-mail address/)
  await refused(t, [`${'x'.repeat(250)}@example.com`], WORDS, /is not an e-mail address/)
  await refused(t, ['new@example.com', 'x'.repeat(201)], WORDS, /a name is/)
  await refused(t, ['new@example.com', '--force'], WORDS, /--force/)
  await refused(t, ['new@example.com'], '', /there is no password on the standard input/)
  await refused(t, ['new@example.com'], 'short\n', /the password must have at least 12/)
  await refused(t, ['new@example.com'], 'password123456', /tried first/)
  await refused(t, ['new.person@example.com', 'New Person'], 'New Person 12', /own name/)
  const gone = await s.addPerson('admin', { is_active: false })
  await refused(t, [gone.email], WORDS, /has left/)
  t.equal(await count(), before + 1, 'but the one of this test')
})

await t.test('the demo company has a password outside production only', async (t) => {
  t.match(await demoPasswordHash({ NODE_ENV: 'development' }), /^\$argon2id\$/)
  t.equal(await demoPasswordHash({ NODE_ENV: 'production' }), undefined)
  t.equal(passwordProblem(DEMO_PASSWORD, { email: 'admin@edenmep.ca', name: 'Morgan Eden' }), undefined)
})
