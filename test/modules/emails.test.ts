import t, { type Test } from 'tap'
import { renderEmail } from '../../modules/notifications/emails/templates.js'
import { startApp, type Person, type TestApp } from '../helper.js'
import { startSmtp, type Mailbox } from '../smtp.js'

const MINUTE = 60_000

/** An app that sends by a server of its own, at a time that the test moves. */
async function startMailing (t: Test, { at = '2026-11-25T15:00:00Z', environment = {} }: { at?: string, environment?: Record<string, string> } = {}) {
  const smtp = await startSmtp(t)
  const clock = { now: new Date(at) }
  const s = await startApp(t, { clock: () => clock.now, environment: { SMTP_URL: smtp.url, MAIL_FROM: 'Eden ERP <erp@example.com>', APP_URL: 'https://erp.example.com', ...environment } })
  const person = (name: string, fields = {}) => s.addPerson('member', { name, email: `${name.toLowerCase()}@example.com`, ...fields })
  const send = async (job = 'send_notification_emails') => {
    await s.app.events.settled()
    return s.app.jobs.runNow(job)
  }
  /** Moves the clock, and what was written by the database's own clock with it. */
  const isNow = async (time: string) => {
    clock.now = new Date(time)
    await s.app.events.settled()
  }
  return { s, smtp, clock, person, send, isNow, project: await s.addProject() }
}
/** Events have the database's time; these are told at another. */
const happenedAt = async (s: TestApp, user: Person, time: string) => {
  await s.app.events.settled()
  await s.query('update notification_emails set due_at = $2 where user_id = $1 and state = \'gathering\' and mode = \'instant\'', [user.id, time])
}
const to = (smtp: Mailbox, { email }: Person) => smtp.mails.filter((mail) => [mail.to].flat().some((one) => one?.text.includes(email)))
const emailsOf = (s: TestApp, { id }: Person) => s.query('select * from notification_emails where user_id = $1 order by created_at', [id])
const prefer = (s: TestApp, as: Person, body: object) => s.ask('PUT', '/api/notifications/preferences', { as, body })

await t.test('what comes together is one e-mail, in text and HTML, by the server and from the address that are configured', async (t) => {
  const { s, smtp, person, send, project } = await startMailing(t, { at: '2999-01-01T00:00:00Z' })
  const ann = await person('Ann', { timezone: 'America/Vancouver' })
  const first = await s.addTask(project.id, { title: 'Pump <b>& "valve"</b>', assignee_id: ann.id })
  const second = await s.addTask(project.id, { title: 'Chiller', assignee_id: ann.id, ball_in_court: ann.id })
  await s.post(`/api/tasks/${second.id}/comments`, { body: '@ann look' })
  t.same(await send(), { sent: 1, skipped: 0, postponed: 0, failed: 0 })
  t.equal(smtp.mails.length, 1)
  const [mail] = smtp.mails as [typeof smtp.mails[0]]
  t.equal(mail.subject, 'You have 3 notifications')
  t.equal(mail.from?.text, '"Eden ERP" <erp@example.com>')
  t.same(smtp.recipients, ['ann@example.com'])
  t.equal(mail.headers.get('auto-submitted'), 'auto-generated')
  t.match(mail.messageId, /^<[0-9a-f-]{36}@example\.com>$/)
  for (const line of [`- Ada Min assigned you ${first.key} Pump <b>& "valve"</b>`, `- Ada Min put the ball in your court: ${second.key} Chiller`, `- Ada Min mentioned you on ${second.key} Chiller`, `https://erp.example.com/tasks/${first.id}`]) t.ok(mail.text?.includes(line), line)
  t.match(String(mail.html), /assigned you \S+ Pump &lt;b&gt;&amp; &quot;valve&quot;&lt;\/b&gt;<\/a>/)
  t.notMatch(String(mail.html), /<b>/)
  t.match((await s.app.inject('/metrics')).body, /^eden_mails_total{outcome="sent"} 1$/m)
  t.same(await send(), { sent: 0, skipped: 0, postponed: 0, failed: 0 }, 'and it is not sent again')
  t.match(await emailsOf(s, ann), [{ state: 'sent', attempts: 1, error: null }])
  await s.post(`/api/tasks/${first.id}/comments`, { body: '@ann again' })
  t.match(await send(), { sent: 1 })
  t.match(smtp.mails[1]?.subject, /^Ada Min mentioned you on /, 'what comes after is the next one')
})

await t.test('an e-mail waits for its delay, and tells only what is still unread, there, and theirs to see', async (t) => {
  const { s, smtp, clock, person, send } = await startMailing(t)
  const hidden = await s.addProject({ visibility: 'members' })
  const people = [await person('Read'), await person('Gone'), await person('Out'), await person('Off'), await person('Stays')]
  const [read, gone, out, off, stays] = people as [Person, Person, Person, Person, Person]
  for (const one of people) await s.ask('PUT', `/api/projects/${hidden.id}/members/${one.id}`, { body: { role: 'member' } })
  const tasks = await Promise.all(people.map((one) => s.addTask(hidden.id, { assignee_id: one.id })))
  const deleted = await s.addTask(hidden.id, { title: 'Deleted', assignee_id: stays.id })
  await s.app.events.settled()
  clock.now = new Date(Date.now() + 4 * MINUTE)
  t.same(await send(), { sent: 0, skipped: 0, postponed: 0, failed: 0 })
  clock.now = new Date(Date.now() + 6 * MINUTE)
  await s.ask('PATCH', '/api/notifications/mark-all-read', { as: read })
  await s.query('update users set is_active = false where id = $1', [gone.id])
  await s.ask('DELETE', `/api/projects/${hidden.id}/members/${out.id}`)
  await prefer(s, off, { email: 'off' })
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  t.same(await send(), { sent: 1, skipped: 4, postponed: 0, failed: 0 })
  t.same(smtp.recipients, [stays.email])
  t.equal(smtp.mails[0]?.subject, `Ada Min assigned you ${tasks[4].key} A task`)
})

await t.test('by default what asks for something comes by e-mail; a person chooses', async (t) => {
  const { s, smtp, person, send, project } = await startMailing(t, { at: '2999-01-01T00:00:00Z' })
  const [usual, keen, none] = [await person('Usual'), await person('Keen'), await person('None')]
  await prefer(s, keen, { types: { commented: { email: true }, task_assigned: { email: false } } })
  await prefer(s, none, { email: 'off' })
  for (const one of [usual, keen, none]) {
    const task = await s.addTask(project.id, { title: one.name, assignee_id: one.id })
    await s.ask('PUT', `/api/tasks/${task.id}/watch`, { as: one })
    await s.post(`/api/tasks/${task.id}/comments`, { body: 'So?' })
  }
  t.match(await send(), { sent: 2 })
  t.match(to(smtp, usual)[0]?.subject, /assigned you/)
  t.match(to(smtp, keen)[0]?.subject, /commented on/)
  t.same(to(smtp, none), [])
  t.equal((await s.get('/api/notifications', { as: none })).length, 2, 'here they are told all the same')
})

await t.test('a daily summary is one a day, at the person\'s time in their zone, also on the days when clocks change', async (t) => {
  const { s, smtp, person, send, isNow, project } = await startMailing(t)
  const dot = await person('Dot', { timezone: 'America/Toronto' })
  await prefer(s, dot, { email: 'daily', daily_at: '07:00' })
  const tell = () => s.addTask(project.id, { assignee_id: dot.id })
  await tell()
  await s.app.events.settled()
  const [email] = await s.query('select to_json(due_at at time zone \'America/Toronto\') #>> \'{}\' as due, to_json(day) #>> \'{}\' as day, due_at > now() as ahead, due_at <= now() + interval \'25 hours\' as soon from notification_emails')
  t.match(email, { due: `${email.day}T07:00:00`, ahead: true, soon: true })
  // The day of the change: seven o'clock is an hour earlier by UTC than the day before.
  await s.query("update notification_emails set day = '2027-03-14', due_at = ('2027-03-14'::date + time '07:00') at time zone 'America/Toronto'")
  await isNow('2027-03-14T10:59:00Z')
  t.match(await send(), { sent: 0 })
  await tell()
  await tell()
  await isNow('2027-03-14T11:00:00Z')
  t.match(await send(), { sent: 1 })
  t.equal(smtp.mails[0]?.subject, 'Your day: 3 notifications')
  await tell()
  await s.app.events.settled()
  t.match(await s.query("select to_json(day) #>> '{}' as day from notification_emails where state = 'gathering'"), [{ day: '2027-03-15' }], 'no second one on that day')
  await isNow('2027-03-15T10:59:00Z')
  t.match(await send(), { sent: 0 })
  await prefer(s, dot, { email: 'daily', daily_at: '23:00' })
  await isNow('2027-03-15T11:00:00Z')
  t.match(await send(), { sent: 1 }, 'what is due stays due')
})

await t.test('in quiet hours nothing is sent; it is when they are over, over midnight too', async (t) => {
  const { s, smtp, person, send, isNow, project } = await startMailing(t)
  const [night, noon] = [await person('Night', { timezone: 'America/Toronto' }), await person('Noon', { timezone: 'Asia/Kathmandu' })]
  await prefer(s, night, { quiet_hours: { from: '20:00', to: '07:00' } })
  await prefer(s, noon, { quiet_hours: { from: '12:00', to: '13:30' } })
  for (const one of [night, noon]) {
    await s.addTask(project.id, { assignee_id: one.id })
    await happenedAt(s, one, '2027-01-01T00:00:00Z')
  }
  await isNow('2027-01-11T06:15:00Z') // a quarter past one in Toronto, noon in Kathmandu
  t.match(await send(), { sent: 0, postponed: 2 })
  const due = async () => s.query('select to_json(due_at) #>> \'{}\' as due from notification_emails order by due_at')
  t.same(await due(), [{ due: '2027-01-11T07:45:00+00:00' }, { due: '2027-01-11T12:00:00+00:00' }])
  await isNow('2027-01-11T07:45:00Z')
  t.match(await send(), { sent: 1, postponed: 0 })
  await isNow('2027-01-11T11:59:59Z')
  t.match(await send(), { sent: 0 })
  await isNow('2027-01-11T12:00:00Z')
  t.match(await send(), { sent: 1 })
  t.same(smtp.recipients, [noon.email, night.email])
})

await t.test('an address that is refused for good fails alone; one that is refused for now is tried again, ever later', async (t) => {
  const { s, smtp, clock, person, send, project } = await startMailing(t, { at: '2999-01-01T00:00:00Z' })
  const people = [await person('Never'), await person('Later'), await person('Fine')]
  const [never, later, fine] = people as [Person, Person, Person]
  smtp.refuse((address) => ({ [never.email]: { code: 550, message: 'no such user' }, [later.email]: { code: 450, message: 'try again' } })[address])
  for (const one of people) await s.addTask(project.id, { assignee_id: one.id })
  t.match(await send(), { sent: 1, failed: 2 })
  t.same(smtp.recipients, [fine.email])
  t.match(await emailsOf(s, never), [{ state: 'failed', error: /no such user/ }])
  t.match(await emailsOf(s, later), [{ state: 'sending', attempts: 1, error: /try again/ }])
  t.match(await send(), { sent: 0, failed: 0 }, 'not at once')
  clock.now = new Date(clock.now.getTime() + 2 * MINUTE)
  t.match(await send(), { failed: 1 })
  smtp.refuse(() => undefined)
  clock.now = new Date(clock.now.getTime() + 4 * MINUTE)
  t.match(await send(), { sent: 1 })
  t.match(await emailsOf(s, later), [{ state: 'sent', attempts: 3, error: null }])
})

await t.test('a server that is not there, or refuses us, costs no e-mail anything; the job fails and says why', async (t) => {
  const { s, smtp, clock, person, send, project } = await startMailing(t, { at: '2999-01-01T00:00:00Z' })
  const [one, two] = [await person('One'), await person('Two')]
  for (const user of [one, two]) await s.addTask(project.id, { assignee_id: user.id })
  await smtp.stop()
  await t.rejects(send(), /the SMTP server: .*ECONNREFUSED/)
  t.match(await emailsOf(s, one), [{ state: 'sending', attempts: 0, error: /ECONNREFUSED/ }])
  t.match((await s.get('/api/admin/jobs')).find(({ name }: any) => name === 'send_notification_emails').last_run, { state: 'failed', error: /ECONNREFUSED/ })
  clock.now = new Date(clock.now.getTime() + MINUTE)
  const port = Number(new URL(smtp.url).port)
  const strict = await startSmtp(t, { port, password: 'another' })
  await t.rejects(send(), /the SMTP server: Invalid login/)
  await strict.stop()
  const back = await startSmtp(t, { port })
  clock.now = new Date(clock.now.getTime() + MINUTE)
  t.match(await send(), { sent: 2, failed: 0 })
  t.same([...back.recipients].sort(), [one.email, two.email])
  t.notMatch(JSON.stringify(await s.query('select error from job_runs')), /eden:right/, 'no password in the record')
})

await t.test('two instances that send at once send each e-mail once; one that was killed in the middle is sent by the next', async (t) => {
  const { s, smtp, clock, person, send, project } = await startMailing(t, { at: '2999-01-01T00:00:00Z' })
  const people = await Promise.all(Array.from({ length: 70 }, (_, n) => person(`P${n}`)))
  await s.post('/api/tasks/bulk', { changes: (await Promise.all(people.map(() => s.addTask(project.id)))).map(({ id }, n) => ({ id, set: { assignee_id: people[n]?.id } })) })
  await s.app.events.settled()
  await s.query("update notification_emails set state = 'sending', attempts = 1, due_at = $1 where user_id = $2", [new Date(clock.now.getTime() + MINUTE).toISOString(), people[0]?.id])
  const runs = await Promise.all([send(), send()])
  const sent = runs.reduce((sum, { sent = 0 }) => sum + sent, 0)
  t.equal(sent, 69)
  t.equal(new Set(smtp.recipients).size, 69)
  t.equal(smtp.recipients.length, 69)
  clock.now = new Date(clock.now.getTime() + MINUTE)
  t.match(await send(), { sent: 1 })
  t.same(smtp.recipients.at(-1), people[0]?.email)
})

await t.test('without a server there are no e-mails, and no job for them', async (t) => {
  const s = await startApp(t)
  await s.addTask((await s.addProject()).id, { assignee_id: s.member.id })
  await s.app.events.settled()
  t.same(await s.query('select 1 from notification_emails'), [])
  t.notOk((await s.get('/api/admin/jobs')).some(({ name }: any) => name === 'send_notification_emails'))
})

await t.test('words: a long title is cut in the subject, a name cannot add a header, a strange locale is no error, more is counted', (t) => {
  const person = { name: 'X\r\nBcc: all@example.com', email: 'x@example.com', timezone: 'America/Toronto', locale: 'xx-XX-not-one-at-all' }
  const item = { task_id: 'id', message: '🚧'.repeat(600), at: '2026-11-25T15:00:00Z' }
  const one = renderEmail({ mode: 'instant', person, items: [item], total: 1 }, 'https://x.example')
  t.equal([...one.subject].length, 150)
  t.match(one.text, /25 Nov 2026|Nov\.? 25, 2026/)
  t.match(one.text, /10:00/, 'in the zone of the person')
  const many = renderEmail({ mode: 'daily', person, items: [item, item], total: 70 }, 'https://x.example')
  t.match(many.text, /\.\.\. and 68 more: https:\/\/x\.example/)
  t.equal(many.subject, 'Your day: 70 notifications')
  t.end()
})
