import t from 'tap'
import { dueReminders, recordReminders } from '../../modules/tasks/index.js'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const MONDAY = '2026-06-08' // no holiday in its week
const at = (time: string) => new Date(`${time}-04:00`)
const dues = async (now: Date, id: string) => (await dueReminders(s.app.db, now)).filter((one) => one.task_id === id)
const record = (now: Date) => recordReminders(s.app.db, { now, requestId: 'a-job-1' })
const events = (id: string) => s.get(`/api/tasks/${id}/activity?action=ball_unacknowledged,ball_overdue&sort=at`)

/** A task whose ball the manager passed to the member at a moment. */
async function passed (since: string, fields: object = {}, handover: object = {}): Promise<string> {
  const { id } = await s.addTask(project.id, { priority: 'high', ...fields })
  await s.post(`/api/tasks/${id}/ball`, { to_user_id: s.member.id, ...handover }, { as: s.manager })
  await s.query('update tasks set created_at = $2, ball_since = $2 where id = $1', [id, at(since)])
  await s.query('with a as (update ball_holds set started_at = $2, ended_at = $2 where task_id = $1 and no = 1) update ball_holds set started_at = $2 where task_id = $1 and no = 2', [id, at(since)])
  return id
}

await t.test('the policy is read and set, by whoever may, and a stale change is refused', async (t) => {
  const { version, updated_at: _at, ...rules } = await s.get('/api/ball-policy', { as: s.viewer })
  t.match(rules, { high: { acknowledge_within_seconds: 14_400, act_within_seconds: 64_800 } })
  const put = (body: object, headers?: Record<string, string>) => s.ask('PUT', '/api/ball-policy', { body, headers })
  const changed = { ...rules, low: { acknowledge_within_seconds: null, act_within_seconds: 600_000 } }
  t.match((await put(changed)).json(), { ...changed, version: version + 1 })
  t.match((await put(changed)).json(), { version: version + 1 }, 'the same again is no change')
  t.match((await put(rules, { 'if-match': `"${version}"` })).json(), { status: 412, code: 'EDEN_STALE', current_version: version + 1 })
  const answers = await Promise.all([rules, changed, rules].map((body) => put({ ...body, normal: { acknowledge_within_seconds: 60, act_within_seconds: 60 } }, { 'if-match': `"${version + 1}"` })))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 412, 412])
  t.equal((await put(rules)).json().version, version + 3)
  t.match(await s.get('/api/activity?entity_type=ball_policy&sort=at&limit=1'), [{ action: 'updated', data: { low: { act_within_seconds: 600_000 } } }])
})

await t.test('whoever does not acknowledge within the working time of the policy is reminded, once', async (t) => {
  const id = await passed(`${MONDAY}T16:00:00`) // high: four hours, one on Monday and three on Tuesday
  t.same(await dues(at('2026-06-09T10:59:59'), id), [])
  t.match(await dues(at('2026-06-09T11:00:00'), id), [{ hold_no: 2, stage: 'ball_unacknowledged', to: [s.member.id], worked_seconds: 14_400 }])
  while (await record(at('2026-06-09T11:00:00')) > 0);
  t.match(await events(id), [{ action: 'ball_unacknowledged', version: 2, changes: {}, data: { to: [s.member.id], worked_seconds: 14_400 }, request_id: 'a-job-1' }])
  t.same(await dues(at('2026-06-09T12:00:00'), id), [])
  s.app.events.poke()
  await s.app.events.settled()
  t.match(await s.get('/api/notifications?type=ball_unacknowledged', { as: s.member }), [{ task_id: id, message: /^You have not acknowledged the ball in your court: / }])
  t.match(await s.get(`/api/tasks/${id}`), { version: 2, stalled_days: 0 })
})

await t.test('a job does it, every few minutes', async (t) => {
  t.match(await s.app.jobs.runNow('remind_of_balls'), { reminders: Number })
  t.same(await s.app.jobs.runNow('remind_of_balls'), { reminders: 0 })
  t.same(await s.app.jobs.runNow('extend_calendar'), { extended: 0 })
})

await t.test('who acknowledged, and who took the ball themselves, is not reminded to', async (t) => {
  const id = await passed(`${MONDAY}T08:00:00`)
  await s.post(`/api/tasks/${id}/ball/ack`, undefined, { as: s.member }).catch(() => {})
  await s.query('update ball_holds set acknowledged_at = started_at where task_id = $1 and no = 2', [id])
  t.same(await dues(at('2026-06-09T11:00:00'), id), [])
  const own = await passed(`${MONDAY}T08:00:00`)
  await s.query('update ball_holds set passed_by = user_id where task_id = $1 and no = 2', [own])
  t.same((await dues(at('2026-06-30T11:00:00'), own)).map(({ stage, to }) => [stage, to]), [['ball_overdue', [s.member.id]]])
})

await t.test('a hold is overdue after the time that was named, or after the policy\'s working time; its passer is told too', async (t) => {
  const named = await passed(`${MONDAY}T08:00:00`, {}, { expected_by: at('2026-06-20T12:00:00').toISOString() })
  const free = await passed(`${MONDAY}T08:00:00`)
  await s.query('update ball_holds set acknowledged_at = started_at where task_id = any($1) and no = 2', [[named, free]])
  t.same(await dues(at('2026-06-09T16:59:59'), free), [])
  t.match(await dues(at('2026-06-09T17:00:00'), free), [{ stage: 'ball_overdue', to: [s.member.id, s.manager.id], worked_seconds: 64_800 }])
  t.same(await dues(at('2026-06-20T11:59:59'), named), [])
  t.match(await dues(at('2026-06-20T12:00:00'), named), [{ stage: 'ball_overdue' }])
  while (await record(at('2026-06-20T12:00:00')) > 0);
  s.app.events.poke()
  await s.app.events.settled()
  for (const [person, message] of [[s.member, /^The ball in your court is overdue: /], [s.manager, /^The ball that you passed is overdue: /]] as const) {
    const told = await s.get('/api/notifications?type=ball_overdue', { as: person })
    t.same(told.filter((one: any) => one.task_id === free || one.task_id === named).length, 2)
    t.match(told[0].message, message)
  }
})

await t.test('pauses are no working time of the holder, and while one lasts nobody is reminded', async (t) => {
  const id = await passed(`${MONDAY}T08:00:00`)
  const pause = (from: string, to: string | null) => s.query("insert into ball_pauses values ($1, 2, $2, $3, 'Permit', $4)", [id, at(from), to === null ? null : at(to), s.admin.id])
  await pause(`${MONDAY}T09:00:00`, `${MONDAY}T16:00:00`)
  t.same(await dues(at('2026-06-09T09:59:59'), id), [])
  t.match(await dues(at('2026-06-09T10:00:00'), id), [{ stage: 'ball_unacknowledged', worked_seconds: 14_400 }])
  await pause('2026-06-09T09:30:00', null)
  await s.query('update tasks set ball_paused_since = $2 where id = $1', [id, at('2026-06-09T09:30:00')])
  t.same(await dues(at('2026-06-19T10:00:00'), id), [])
})

await t.test('nobody is reminded of what is finished, deleted, outside, or in a project that rests; a new hold is reminded of anew', async (t) => {
  const late = at('2027-06-08T08:00:00')
  const closed = await passed(`${MONDAY}T08:00:00`)
  const gone = await passed(`${MONDAY}T08:00:00`)
  const outside = await passed(`${MONDAY}T08:00:00`)
  const company = await s.post('/api/companies', { name: 'Halton Architects', kind: 'architect' })
  await s.patch(`/api/tasks/${closed}`, { status: 'closed' })
  await s.ask('DELETE', `/api/tasks/${gone}`)
  await s.post(`/api/tasks/${outside}/ball`, { to_company_id: company.id })
  for (const id of [closed, gone, outside]) t.same(await dues(late, id), [])
  const id = await passed(`${MONDAY}T08:00:00`)
  await s.patch(`/api/projects/${project.id}`, { status: 'on_hold' })
  t.same(await dues(late, id), [])
  await s.patch(`/api/projects/${project.id}`, { status: 'active' })
  while (await record(late) > 0);
  t.equal((await events(id)).length, 2)
  await s.post(`/api/tasks/${id}/ball`, { to_user_id: s.admin.id })
  while (await record(late) > 0);
  t.same((await events(id)).map(({ action, data }: any) => `${action} ${data.to}`).sort(), [
    `ball_overdue ${s.admin.id}`, `ball_overdue ${s.member.id},${s.manager.id}`, `ball_unacknowledged ${s.member.id}`].sort(), 'one more, of the hold that began since')
})

await t.test('recorded by many at once, while balls are passed and acknowledged, each reminder is one event', async (t) => {
  const late = at('2028-06-08T08:00:00')
  const ids = await Promise.all(Array.from({ length: 30 }, () => passed(`${MONDAY}T08:00:00`)))
  const work = ids.slice(0, 15).map((id, n) => n % 2
    ? s.ask('POST', `/api/tasks/${id}/ball`, { body: { to_user_id: s.viewer.id } })
    : s.ask('POST', `/api/tasks/${id}/ball/ack`, { as: s.member }))
  await Promise.all([...work, ...Array.from({ length: 8 }, () => record(late))])
  while (await record(late) > 0);
  t.same((await dueReminders(s.app.db, late)).filter(({ task_id: id }) => ids.includes(id)), [])
  t.same(await s.query(`
    select r.task_id, r.hold_no, r.stage, count(a.id) from ball_reminders r left join activity_log a on a.task_id = r.task_id and a.action = r.stage and a.created_at = r.recorded_at
    group by 1, 2, 3 having count(a.id) <> 1`), [], 'each recorded reminder has its event')
  t.equal((await s.query("select count(*)::int as n from activity_log where action in ('ball_unacknowledged', 'ball_overdue')"))[0].n, (await s.query('select count(*)::int as n from ball_reminders'))[0].n)
  t.ok((await s.query('select count(*)::int as n from ball_reminders where task_id = any($1)', [ids]))[0].n >= 45)
})
