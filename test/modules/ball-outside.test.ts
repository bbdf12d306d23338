import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const company = await s.post('/api/companies', { name: 'Halton Architects', kind: 'architect' })
const other = await s.post('/api/companies', { name: 'City of Milton', kind: 'ahj' })
const contact = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Ana Silva', email: 'ana@halton.example' })
const pass = (id: string, body: object) => s.ask('POST', `/api/tasks/${id}/ball`, { body })
const problem = (answer: { json: () => any }) => { const { status, code, errors } = answer.json(); return [status, code, errors?.[0]?.path] }
const UNKNOWN = '01900000-0000-7000-8000-00000000dead'

await t.test('the ball goes to a company, to a contact, who implies the company, and back to one of ours', async (t) => {
  const task = await s.addTask(project.id, { ball_in_court: s.member.id })
  t.equal(task.ball_holder.name, s.member.name)
  const ours = { kind: 'user', id: s.member.id, name: s.member.name, email: s.member.email, company: null }
  const theirs = { kind: 'company', id: company.id, name: 'Halton Architects', email: null, company: null }
  const hers = { kind: 'contact', id: contact.id, name: 'Ana Silva', email: 'ana@halton.example', company: { id: company.id, name: 'Halton Architects' } }

  const answer = await pass(task.id, { to_company_id: company.id, note: 'For approval', expected_by: '2030-01-02T00:00:00Z' })
  t.equal(answer.statusCode, 201)
  t.match(answer.json(), { no: 2, holder: theirs, note: 'For approval', expected_by: '2030-01-02T00:00:00Z' })
  t.match(await s.get(`/api/tasks/${task.id}`), { ball_in_court: null, ball_company_id: company.id, ball_contact_id: null, ball_holder: theirs, version: 2 })
  t.equal((await pass(task.id, { to_contact_id: contact.id })).statusCode, 201)
  t.match(await s.get(`/api/tasks/${task.id}`), { ball_in_court: null, ball_company_id: company.id, ball_contact_id: contact.id, ball_holder: hers })
  t.equal((await pass(task.id, { to_user_id: s.member.id })).statusCode, 201)
  t.same((await s.get(`/api/tasks/${task.id}/ball`)).map(({ holder }: any) => holder), [ours, theirs, hers, ours])

  const log = await s.get(`/api/tasks/${task.id}/activity?action=ball_passed&sort=at`)
  t.same(log.map(({ changes }: any) => changes), [
    { ball_in_court: [s.member.id, null], ball_company_id: [null, company.id] },
    { ball_contact_id: [null, contact.id] },
    { ball_in_court: [null, s.member.id], ball_company_id: [company.id, null], ball_contact_id: [contact.id, null] }
  ])
})

await t.test('exactly one receiver is named; an unknown or deleted one is refused by its field, and so is where the ball is', async (t) => {
  const task = await s.addTask(project.id)
  t.same(problem(await pass(task.id, {})), [400, 'EDEN_VALIDATION', 'body'])
  t.same(problem(await pass(task.id, { note: 'x' })), [400, 'EDEN_VALIDATION', 'body'])
  t.same(problem(await pass(task.id, { to_user_id: null, to_company_id: company.id })), [400, 'EDEN_VALIDATION', 'to_company_id'])
  t.same(problem(await pass(task.id, { to_company_id: null })), [400, 'EDEN_VALIDATION', 'to_company_id'])
  const gone = await s.post('/api/companies', { name: 'Gone', kind: 'sub' })
  const left = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Left' })
  const there = await s.post(`/api/companies/${gone.id}/contacts`, { name: 'There' })
  for (const path of [`companies/${gone.id}`, `contacts/${left.id}`]) await s.ask('DELETE', `/api/${path}`)
  for (const id of [UNKNOWN, gone.id, contact.id]) t.same(problem(await pass(task.id, { to_company_id: id })), [422, 'EDEN_UNKNOWN_BALL_IN_COURT', 'to_company_id'])
  for (const id of [UNKNOWN, left.id, company.id, there.id]) t.same(problem(await pass(task.id, { to_contact_id: id })), [422, 'EDEN_UNKNOWN_BALL_IN_COURT', 'to_contact_id'])
  await pass(task.id, { to_contact_id: contact.id })
  t.same(problem(await pass(task.id, { to_contact_id: contact.id })), [409, 'EDEN_BALL_ALREADY_THERE', undefined])
  t.equal((await pass(task.id, { to_company_id: company.id })).statusCode, 201, 'back to the company as such')
  t.same(problem(await pass((await s.addTask(project.id, { status: 'done' })).id, { to_company_id: company.id })), [422, 'EDEN_TASK_FINISHED', 'to_company_id'])
})

await t.test('a change of ball_in_court takes the ball from outside; any other change leaves it there', async (t) => {
  const task = await s.addTask(project.id)
  await pass(task.id, { to_contact_id: contact.id })
  t.match(await s.patch(`/api/tasks/${task.id}`, { title: 'Still there' }), { ball_contact_id: contact.id })
  t.match(await s.patch(`/api/tasks/${task.id}`, { ball_in_court: s.member.id }), { ball_in_court: s.member.id, ball_company_id: null, ball_contact_id: null })
  await pass(task.id, { to_company_id: other.id })
  t.match((await s.ask('POST', '/api/tasks/bulk', { body: { changes: [{ id: task.id, set: { ball_in_court: null } }] } })).json(), [{ ball_in_court: null, ball_company_id: null, ball_holder: null }])
  t.equal((await s.get(`/api/tasks/${task.id}/ball`)).length, 5)
})

await t.test('a merge does not take the ball from outside unseen', async (t) => {
  const task = await s.addTask(project.id)
  await pass(task.id, { to_company_id: company.id })
  const base = (await s.get(`/api/tasks/${task.id}`)).version
  await pass(task.id, { to_company_id: other.id })
  t.match((await s.ask('PATCH', `/api/tasks/${task.id}`, { body: { base_version: base, ball_in_court: s.member.id } })).json(),
    { status: 409, code: 'EDEN_MERGE_CONFLICT', conflicts: { ball_company_id: { base: company.id, yours: null, theirs: other.id } } })
  t.match(await s.patch(`/api/tasks/${task.id}`, { base_version: base, title: 'Merged' }), { title: 'Merged', ball_company_id: other.id })
})

await t.test('reopened, a task goes back to the company and contact, to the company when the contact left, to nobody when it did', async (t) => {
  const fresh = await s.post('/api/companies', { name: 'Short-lived', kind: 'sub' })
  const person = await s.post(`/api/companies/${fresh.id}/contacts`, { name: 'P' })
  const task = await s.addTask(project.id, { status: 'in_progress' })
  const reopen = async () => { await s.patch(`/api/tasks/${task.id}`, { status: 'in_progress' }); return s.get(`/api/tasks/${task.id}`) }
  await pass(task.id, { to_contact_id: person.id })
  t.match(await s.patch(`/api/tasks/${task.id}`, { status: 'done' }), { ball_company_id: null, ball_contact_id: null, ball_holder: null })
  t.match(await reopen(), { ball_company_id: fresh.id, ball_contact_id: person.id })
  await s.patch(`/api/tasks/${task.id}`, { status: 'done' })
  await s.ask('DELETE', `/api/contacts/${person.id}`)
  t.match(await reopen(), { ball_company_id: fresh.id, ball_contact_id: null })
  await s.patch(`/api/tasks/${task.id}`, { status: 'done' })
  await s.ask('DELETE', `/api/companies/${fresh.id}`)
  t.match(await reopen(), { ball_company_id: null, ball_in_court: null })
})

await t.test('a company or contact with the ball of an open task is not deleted, also when both happen at once', async (t) => {
  const task = await s.addTask(project.id)
  await pass(task.id, { to_contact_id: contact.id })
  t.match((await s.ask('DELETE', `/api/companies/${company.id}`)).json(), { status: 409, code: 'EDEN_HOLDS_BALL' })
  t.match((await s.ask('DELETE', `/api/contacts/${contact.id}`)).json(), { status: 409, code: 'EDEN_HOLDS_BALL' })
  for (let round = 0; round < 12; round++) {
    const party = await s.post('/api/companies', { name: `Round ${round}`, kind: 'vendor' })
    const person = await s.post(`/api/companies/${party.id}/contacts`, { name: 'P' })
    const { id } = await s.addTask(project.id)
    const to = round % 2 ? { to_company_id: party.id } : { to_contact_id: person.id }
    const [handover, deletion] = await Promise.all([pass(id, to), s.ask('DELETE', round % 2 ? `/api/companies/${party.id}` : `/api/contacts/${person.id}`)])
    t.ok([[201, 409], [422, 200]].some(([a, b]) => handover.statusCode === a && deletion.statusCode === b), `${handover.statusCode} ${deletion.statusCode}`)
  }
  t.same(await s.query(`select t.id from tasks t left join companies o on o.id = t.ball_company_id left join contacts c on c.id = t.ball_contact_id
    where t.is_open and (o.deleted_at is not null or c.deleted_at is not null)`), [])
})

await t.test('lists are filtered by company, contacts included; nobody is nobody', async (t) => {
  const here = await s.addProject()
  const [a, b, c, d] = await Promise.all([1, 2, 3, 4].map(() => s.addTask(here.id)))
  await pass(a.id, { to_company_id: company.id })
  await pass(b.id, { to_contact_id: contact.id })
  await pass(c.id, { to_user_id: s.member.id })
  const found = async (ball: string, more = '') => new Set((await s.get(`/api/projects/${here.id}/tasks?ball=${ball}${more}`)).map(({ id }: any) => id))
  t.same(await found(`company:${company.id}`), new Set([a.id, b.id]))
  t.same(await found(`company:${company.id}`, '&sort=due_at'), new Set([a.id, b.id]))
  t.same(await found('none'), new Set([d.id]))
  t.same(await found(`none,company:${company.id},${s.member.id}`), new Set([a.id, b.id, c.id, d.id]))
  t.same(await found(`company:${other.id}`), new Set())
  t.equal(Number((await s.ask('GET', `/api/projects/${here.id}/tasks?ball=company:${company.id}&count=true`)).headers['x-total-count']), 2)
})

await t.test('reports name a company where they name an owner, and count it as somebody', async (t) => {
  const here = await s.addProject()
  const ask = (path: string) => s.get(`/api/reports/${path}${path.includes('?') ? '&' : '?'}project=${here.id}`)
  const tasks = await Promise.all([1, 2, 3, 4, 5].map(() => s.addTask(here.id, { due_at: '2020-01-01T00:00:00Z' })))
  await pass(tasks[0].id, { to_company_id: company.id })
  await pass(tasks[1].id, { to_contact_id: contact.id })
  await pass(tasks[2].id, { to_user_id: s.member.id })
  await pass(tasks[3].id, { to_company_id: other.id })
  await pass(tasks[3].id, { to_user_id: null })
  t.same(await ask('tasks/ball'), [{ owner: company.name, count: 2 }, { owner: 'unassigned', count: 2 }, { owner: s.member.email, count: 1 }])
  t.same((await ask('tasks/overdue')).map(({ owner }: any) => owner).sort(), [company.name, company.name, s.member.email, 'unassigned', 'unassigned'].sort())
  t.match(await ask('projects/health'), [{ open: 5, nobodys: 2 }])
  t.equal((await ask('tasks/ageing')).reduce((sum: number, line: any) => sum + line.in_court, 0), 3)
  const flow = await ask('ball/flow')
  t.same(flow.map(({ scope, company_id: id, owner, holds, current, handoffs, department }: any) => [scope, id, owner, holds, current, handoffs, department]).sort(), [
    ['person', null, s.member.email, 1, 1, 0, null], ['department', null, null, 1, 1, 0, null],
    ['company', company.id, company.name, 2, 2, 0, null], ['company', other.id, other.name, 1, 0, 1, null]].sort())
  t.same((await ask('ball/flow?by=company')).map(({ scope }: any) => scope), ['company', 'company'])
  t.same((await ask(`ball/flow?person=${s.member.id}`)).map(({ scope }: any) => scope), ['person', 'department'])
})

await t.test('the database refuses a ball in two courts, and a contact of another company', async (t) => {
  const task = await s.addTask(project.id, { ball_in_court: s.member.id })
  const set = (columns: string, values: unknown[]) => s.query(`update tasks set ${columns} where id = $1`, [task.id, ...values])
  await t.rejects(set('ball_company_id = $2', [company.id]), /tasks_ball_with_one/)
  await t.rejects(set('ball_in_court = null, ball_contact_id = $2', [contact.id]), /tasks_ball_with_one/)
  await t.rejects(set('ball_in_court = null, ball_company_id = $2, ball_contact_id = $3', [other.id, contact.id]), /tasks_ball_contact_id_fkey/)
  await t.rejects(s.query('update ball_holds set company_id = $2 where task_id = $1', [task.id, company.id]), /ball_holds_with_one/)
  const done = await s.addTask(project.id, { status: 'done' })
  await t.rejects(s.query('update tasks set ball_company_id = $2 where id = $1', [done.id, company.id]), /tasks_finished_has_no_party/)
})
