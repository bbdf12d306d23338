import t from 'tap'
import { startApp } from '../helper.js'

let ahead = 0
const s = await startApp(t, { clock: () => new Date(Date.now() + ahead) })
const project = await s.addProject()
const company = await s.post('/api/companies', { name: 'Halton Architects', kind: 'architect' })
const pause = (id: string, reason = 'Waiting for the permit') => s.ask('POST', `/api/tasks/${id}/ball/pause`, { body: { reason } })
const resume = (id: string) => s.ask('POST', `/api/tasks/${id}/ball/resume`)
const nudge = (id: string, body?: object, as = s.admin) => s.ask('POST', `/api/tasks/${id}/ball/nudge`, { body, as })
const code = (answer: { json: () => any }) => [answer.json().status, answer.json().code]

await t.test('a pause is part of its hold: the history has both, the task says since when, and the log has it', async (t) => {
  const task = await s.addTask(project.id, { ball_in_court: s.member.id })
  const paused = (await pause(task.id)).json()
  t.match(paused, { no: 1, pauses: [{ reason: 'Waiting for the permit', ended_at: null, paused_by: s.admin.id }] })
  const shown = await s.get(`/api/tasks/${task.id}`)
  t.match(shown, { ball_paused_since: paused.pauses[0].started_at, ball_since: task.ball_since, version: 2 })
  t.same(code(await pause(task.id)), [409, 'EDEN_BALL_PAUSED'])
  const resumed = (await resume(task.id)).json()
  t.ok(resumed.pauses[0].ended_at > resumed.pauses[0].started_at)
  t.ok(resumed.paused_seconds > 0 && resumed.held_seconds >= resumed.paused_seconds)
  t.match(await s.get(`/api/tasks/${task.id}`), { ball_paused_since: null, version: 3 })
  t.same(code(await resume(task.id)), [409, 'EDEN_BALL_NOT_PAUSED'])
  t.same((await s.get(`/api/tasks/${task.id}/activity?sort=at&action=ball_paused,ball_resumed`)).map(({ action, version, data, changes }: any) => [action, version, data, changes.ball_paused_since.map(Boolean)]), [
    ['ball_paused', 2, { reason: 'Waiting for the permit' }, [false, true]], ['ball_resumed', 3, {}, [true, false]]])
  ahead = 3_600_000
  await pause(task.id, 'Again')
  ahead += 7_200_000
  const [hold] = await s.get(`/api/tasks/${task.id}/ball`)
  t.equal(hold.pauses.length, 2)
  t.ok(hold.paused_seconds > 7200 && hold.paused_seconds < hold.held_seconds, 'a pause that goes on counts until now')
  ahead = 0
})

await t.test('a pause ends with its hold, by whatever ends that, at the same instant; a deletion ends neither', async (t) => {
  const endings: Record<string, (id: string) => Promise<unknown>> = {
    handover: (id) => s.post(`/api/tasks/${id}/ball`, { to_user_id: s.manager.id }),
    'to a company': (id) => s.post(`/api/tasks/${id}/ball`, { to_company_id: company.id }),
    'to nobody': (id) => s.patch(`/api/tasks/${id}`, { ball_in_court: null }),
    finished: (id) => s.patch(`/api/tasks/${id}`, { status: 'closed' }),
    bulk: (id) => s.post('/api/tasks/bulk', { changes: [{ id, set: { ball_in_court: s.viewer.id, title: 'x' } }] })
  }
  for (const [name, end] of Object.entries(endings)) {
    const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
    await pause(id)
    await end(id)
    const [hold] = await s.get(`/api/tasks/${id}/ball`)
    t.equal(hold.pauses[0].ended_at, hold.ended_at, name)
    t.equal((await s.get(`/api/tasks/${id}`)).ball_paused_since, null, name)
    const [last] = await s.get(`/api/tasks/${id}/activity`)
    t.equal(last.changes.ball_paused_since[1], null, `${name}: the event says that it is over`)
  }
  const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
  await pause(id)
  t.match(await s.patch(`/api/tasks/${id}`, { title: 'Another title' }), { ball_paused_since: /./ }, 'other changes leave it')
  await s.ask('DELETE', `/api/tasks/${id}`)
  t.equal((await resume(id)).statusCode, 404)
  t.match(await s.post(`/api/tasks/${id}/restore`), { ball_paused_since: /./ })
  t.equal((await resume(id)).statusCode, 200)
})

await t.test('what is in nobody\'s court is not paused; an outside party\'s hold may be', async (t) => {
  const { id } = await s.addTask(project.id)
  t.same(code(await pause(id)), [409, 'EDEN_BALL_NOBODYS'])
  t.same(code(await resume(id)), [409, 'EDEN_BALL_NOBODYS'])
  await s.post(`/api/tasks/${id}/ball`, { to_company_id: company.id })
  t.equal((await pause(id)).statusCode, 200)
})

await t.test('the database refuses pauses that overlap or reach out of their hold, whichever of the two is changed', async (t) => {
  const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
  await s.post(`/api/tasks/${id}/ball`, { to_user_id: s.manager.id })
  await s.query("update tasks set created_at = '2026-01-01' where id = $1", [id])
  await s.query(`with a as (update ball_holds set started_at = '2026-01-01', ended_at = '2026-01-10' where task_id = $1 and no = 1)
    update ball_holds set started_at = '2026-01-10' where task_id = $1 and no = 2`, [id])
  const add = (hold: number, start: string, end: string | null) => s.query("insert into ball_pauses (task_id, hold_no, started_at, ended_at, reason, paused_by) values ($1, $2, $3, $4, 'x', $5)", [id, hold, start, end, s.admin.id])
  await add(1, '2026-01-02', '2026-01-05')
  await add(1, '2026-01-05', '2026-01-06')
  await t.rejects(add(1, '2026-01-04', '2026-01-07'), /ball_pauses_apart/)
  await t.rejects(add(1, '2026-01-04', null), /ball_pauses_apart/)
  await t.rejects(add(1, '2025-12-31', '2026-01-01T12:00:00Z'), /inside its hold/)
  await t.rejects(add(1, '2026-01-09', '2026-01-11'), /inside its hold/)
  await t.rejects(add(1, '2026-01-09', null), /inside its hold/)
  await t.rejects(add(2, '2026-01-09', '2026-01-09T12:00:00Z'), /inside its hold/)
  await t.rejects(add(3, '2026-01-12', null), /ball_pauses_hold_fkey|inside its hold/)
  await t.rejects(add(2, '2026-01-12', '2026-01-12'), /ball_pauses_forward/)
  await add(2, '2026-01-12', null)
  await t.rejects(s.query("update ball_holds set ended_at = '2026-01-20', outcome = 'passed' where task_id = $1 and no = 2", [id]), /inside its hold/)
  await t.rejects(s.query("with a as (update ball_holds set ended_at = '2026-01-04' where task_id = $1 and no = 1) update ball_holds set started_at = '2026-01-04' where task_id = $1 and no = 2", [id]), /inside its hold/)
  await t.rejects(s.query("update ball_pauses set ended_at = '2026-01-11' where task_id = $1 and started_at = '2026-01-05'", [id]), /inside its hold/)
  await t.rejects(s.query('update tasks set ball_in_court = null, ball_paused_since = clock_timestamp() where id = $1', [id]), /tasks_paused_in_a_court/)
})

await t.test('a nudge tells the holder, with a note; the same person does so once in a while, for each hold', async (t) => {
  const task = await s.addTask(project.id, { ball_in_court: s.member.id })
  t.match((await nudge(task.id, { note: 'The crane leaves on Friday' })).json(), { holder: { id: s.member.id } })
  await s.app.events.settled()
  t.match(await s.get('/api/notifications?limit=1', { as: s.member }), [{ type: 'ball_nudged', task_id: task.id, message: /Ada Min reminds you of the ball in your court: .*A task/ }])
  t.match(await s.get(`/api/tasks/${task.id}/activity?action=ball_nudged`), [{ data: { to: [s.member.id], note: 'The crane leaves on Friday' }, changes: {}, version: 1 }])
  const again = await nudge(task.id)
  t.same(code(again), [429, 'EDEN_NUDGED_ALREADY'])
  t.ok(Number(again.headers['retry-after']) > 500 && Number(again.headers['retry-after']) <= 600)
  t.equal((await nudge(task.id, {}, s.manager)).statusCode, 200, 'somebody else may')
  await s.query("update ball_nudges set nudged_at = nudged_at - interval '10 minutes' where task_id = $1", [task.id])
  t.equal((await nudge(task.id)).statusCode, 200)
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: s.manager.id })
  t.equal((await nudge(task.id)).statusCode, 200, 'it is another hold')
})

await t.test('nobody, an outside party and oneself are not nudged', async (t) => {
  const { id } = await s.addTask(project.id)
  t.same(code(await nudge(id)), [409, 'EDEN_BALL_NOBODYS'])
  await s.post(`/api/tasks/${id}/ball`, { to_company_id: company.id })
  t.same(code(await nudge(id)), [422, 'EDEN_BALL_OUTSIDE'])
  await s.post(`/api/tasks/${id}/ball`, { to_user_id: s.admin.id })
  t.same(code(await nudge(id)), [422, 'EDEN_BALL_YOURS'])
  t.same(await s.get(`/api/tasks/${id}/activity?action=ball_nudged`), [])
})
