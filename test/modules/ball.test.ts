import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()

/** Pauses out of their holds, over each other, or other than the task says. */
const WRONG_PAUSES = `
  select b.task_id from ball_pauses b left join ball_holds h on h.task_id = b.task_id and h.no = b.hold_no
  where h.no is null or b.started_at < h.started_at or coalesce(b.ended_at, 'infinity') > coalesce(h.ended_at, 'infinity')
  union all select a.task_id from ball_pauses a join ball_pauses b on b.task_id = a.task_id and b.started_at > a.started_at where coalesce(a.ended_at, 'infinity') > b.started_at
  union all select t.id from tasks t full join (select * from ball_pauses where ended_at is null) b on b.task_id = t.id where t.ball_paused_since is distinct from b.started_at`

await t.test('a new task has one hold, from its creation, in nobody\'s court or in the court it is given', async (t) => {
  const nobody = await s.addTask(project.id)
  const somebody = await s.addTask(project.id, { ball_in_court: s.member.id })
  t.match(await s.get(`/api/tasks/${nobody.id}/ball`), [{ no: 1, holder: null, started_at: nobody.created_at, ended_at: null }])
  t.match(await s.get(`/api/tasks/${somebody.id}/ball`), [{ no: 1, holder: { id: s.member.id, email: s.member.email }, started_at: somebody.created_at }])
})

await t.test('a handover ends the hold and begins the next at the same instant, with note and expected time', async (t) => {
  const task = await s.addTask(project.id)
  const hold = await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: s.member.id, note: 'Please price', expected_by: '2030-01-02T17:00:00-05:00' })
  t.match(hold, { task_id: task.id, no: 2, holder: { id: s.member.id }, passed_by: s.admin.id, note: 'Please price', expected_by: '2030-01-02T22:00:00Z', ended_at: null, acknowledged_at: null })
  const holds = await s.get(`/api/tasks/${task.id}/ball`)
  t.equal(holds.length, 2)
  t.equal(holds[0].ended_at, holds[1].started_at)
  t.equal(holds[0].outcome, 'passed')
  t.match(await s.get(`/api/tasks/${task.id}`), { ball_in_court: s.member.id, ball_since: hold.started_at, version: 2 })
})

await t.test('a handover answers 201 with where to read the history, and the new version', async (t) => {
  const task = await s.addTask(project.id)
  const answer = await s.ask('POST', `/api/tasks/${task.id}/ball`, { body: { to_user_id: s.member.id } })
  t.equal(answer.statusCode, 201)
  t.match(answer.headers, { location: `/api/tasks/${task.id}/ball`, etag: '"2"' })
})

await t.test('the ball cannot be handed to whom it is with already, to someone who has left, or to nobody known', async (t) => {
  const gone = await s.addPerson('member', { is_active: false })
  const task = await s.addTask(project.id, { ball_in_court: s.member.id })
  const to = (id: string | null) => s.ask('POST', `/api/tasks/${task.id}/ball`, { body: { to_user_id: id } })
  t.match((await to(s.member.id)).json(), { status: 409, code: 'EDEN_BALL_ALREADY_THERE' })
  t.match((await to(gone.id)).json(), { status: 422, code: 'EDEN_INACTIVE_PERSON', errors: [{ path: 'to_user_id' }] })
  t.match((await to('01900000-0000-7000-8000-00000000dead')).json(), { status: 422, code: 'EDEN_UNKNOWN_BALL_IN_COURT' })
  t.equal((await s.get(`/api/tasks/${task.id}/ball`)).length, 1)
  t.equal((await to(null)).statusCode, 201)
})

await t.test('a stale handover is refused, and tells the version', async (t) => {
  const task = await s.addTask(project.id)
  const pass = (version: number, to: string) => s.ask('POST', `/api/tasks/${task.id}/ball`, { body: { to_user_id: to }, headers: { 'if-match': `"${version}"` } })
  t.equal((await pass(1, s.member.id)).statusCode, 201)
  t.match((await pass(1, s.manager.id)).json(), { status: 412, code: 'EDEN_STALE', current_version: 2 })
})

await t.test('only the holder acknowledges, once: a second time changes nothing', async (t) => {
  const task = await s.addTask(project.id)
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: s.member.id })
  t.match((await s.ask('POST', `/api/tasks/${task.id}/ball/ack`)).json(), { status: 403, code: 'EDEN_BALL_NOT_YOURS' })
  const first = await s.post(`/api/tasks/${task.id}/ball/ack`, undefined, { as: s.member })
  t.ok(first.acknowledged_at >= first.started_at)
  const second = await s.post(`/api/tasks/${task.id}/ball/ack`, undefined, { as: s.member })
  t.equal(second.acknowledged_at, first.acknowledged_at)
  const events = await s.get(`/api/tasks/${task.id}/activity?action=ball_acknowledged`)
  t.equal(events.length, 1)
})

await t.test('a finished task is in nobody\'s court, and reopening gives the ball back', async (t) => {
  const task = await s.addTask(project.id, { ball_in_court: s.member.id, status: 'in_progress' })
  const done = await s.patch(`/api/tasks/${task.id}`, { status: 'done' })
  t.match(done, { ball_in_court: null, closed_at: done.updated_at, ball_since: done.updated_at })
  t.match((await s.ask('POST', `/api/tasks/${task.id}/ball`, { body: { to_user_id: s.member.id } })).json(), { status: 422, code: 'EDEN_TASK_FINISHED' })
  const again = await s.patch(`/api/tasks/${task.id}`, { status: 'in_progress' })
  t.match(again, { ball_in_court: s.member.id, closed_at: null })
  t.match((await s.get(`/api/tasks/${task.id}/ball`)).map((hold: any) => hold.outcome), ['finished', 'reopened', null])
})

await t.test('handovers, closes, reopenings, deletes and restores at once leave holds that meet, and sum to the task\'s age', async (t) => {
  const party = await s.post('/api/companies', { name: 'Halton Architects', kind: 'architect' })
  const contact = await s.post(`/api/companies/${party.id}/contacts`, { name: 'Ana Silva' })
  const receivers = [{ to_user_id: s.admin.id }, { to_company_id: party.id }, { to_user_id: s.manager.id }, { to_contact_id: contact.id }, { to_user_id: null }]
  const tasks = await Promise.all([1, 2, 3].map(() => s.addTask(project.id, { status: 'in_progress' })))
  const one = (round: number) => {
    const kind = round % 17
    const { id } = tasks[(kind === 3 ? round - 1 : round) % tasks.length] // what was deleted is restored
    switch (kind) {
      case 0: return s.ask('PATCH', `/api/tasks/${id}`, { body: { status: 'done' } })
      case 1: return s.ask('PATCH', `/api/tasks/${id}`, { body: { status: 'in_progress' } })
      case 2: return s.ask('DELETE', `/api/tasks/${id}`)
      case 3: return s.ask('POST', `/api/tasks/${id}/restore`)
      case 4: return s.ask('PATCH', `/api/tasks/${id}`, { body: { title: `Round ${round}` } })
      case 5: case 6: return s.ask('POST', `/api/tasks/${id}/ball/pause`, { body: { reason: 'Waiting for a permit' } })
      case 7: return s.ask('POST', `/api/tasks/${id}/ball/resume`)
      default: return s.ask('POST', `/api/tasks/${id}/ball`, { body: receivers[Math.floor(round / 3) % receivers.length] })
    }
  }
  const answers = await Promise.all(Array.from({ length: 290 }, (_, round) => one(round)))
  t.same(answers.filter(({ statusCode }) => statusCode >= 500).map(({ body }) => body), [])
  t.ok(answers.filter(({ statusCode }) => statusCode < 300).length > 60, 'many of them succeeded')

  const wrong = await s.query(`
    select t.id,
      count(*) filter (where h.ended_at is null) as open_holds,
      extract(epoch from sum(coalesce(h.ended_at, n.now) - h.started_at) - (n.now - t.created_at)) as unaccounted,
      (select count(*) from activity_log a where a.entity_type = 'task' and a.entity_id = t.id) as events,
      t.version, t.ball_no, max(h.no) as last_no
    from tasks t join ball_holds h on h.task_id = t.id, (select now()) n (now)
    group by t.id, n.now
    having count(*) filter (where h.ended_at is null) <> 1 or sum(coalesce(h.ended_at, n.now) - h.started_at) <> n.now - t.created_at
      or max(h.no) <> t.ball_no
      or (select count(*) from activity_log a where a.entity_type = 'task' and a.entity_id = t.id and a.action <> 'ball_acknowledged') <> t.version`)
  t.same(wrong, [])
  const current = await s.query(`
    select t.id from tasks t join ball_holds h on h.task_id = t.id and h.no = t.ball_no
    where h.ended_at is not null or (h.user_id, h.company_id, h.contact_id) is distinct from (t.ball_in_court, t.ball_company_id, t.ball_contact_id) or h.started_at <> t.ball_since`)
  t.same(current, [])
  t.same(await s.query(WRONG_PAUSES), [])
  t.ok((await s.query('select from ball_pauses')).length > 5, 'there were pauses')
})

await t.test('the database itself refuses a gap, an overlap and a second current hold', async (t) => {
  const task = await s.addTask(project.id)
  const insert = (no: number, started: string, ended: string | null) =>
    s.query('insert into ball_holds (task_id, no, started_at, ended_at, outcome) values ($1, $2, $3, $4, case when $4::timestamptz is not null then \'passed\' end)', [task.id, no, started, ended])
  await t.rejects(insert(2, '2030-01-01', null), /ball_holds_current/)
  await t.rejects(insert(2, '2030-01-01', '2030-01-02'), /ball_holds_meet/)
  await t.rejects(s.query('update ball_holds set ended_at = started_at - interval \'1 second\', outcome = \'passed\' where task_id = $1', [task.id]), /ball_holds_forward/)
})
