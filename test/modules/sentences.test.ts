import t from 'tap'
import { sentenceOf, type Told } from '../../modules/activity/sentences.js'
import { startApp } from '../helper.js'

const people = { a: 'Elena Wang', b: 'Omar Diaz', o: 'Halton Architects', c: 'Ana Silva' }
const say = (type: string, action: string, more: Partial<Told> = {}) => sentenceOf({ entity_type: type, action, actor: { name: 'Ada' }, changes: {}, data: {}, people, ...more })

await t.test('each kind of event is one sentence', async (t) => {
  const cases: [string, string][] = [
    [say('task', 'created', { changes: { title: [null, 'Order pump'], assignee_id: [null, 'a'], ball_in_court: [null, 'b'] } }), 'Ada created the task "Order pump", assigned it to Elena Wang and put the ball in Omar Diaz\'s court'],
    [say('task', 'created', { changes: { title: [null, 'Order pump'] } }), 'Ada created the task "Order pump"'],
    [say('task', 'status_changed', { changes: { status: ['todo', 'in_progress'] } }), 'Ada moved it from todo to in progress'],
    [say('task', 'status_changed', { changes: { status: ['review', 'done'], ball_in_court: ['a', null] } }), 'Ada moved it from review to done and took the ball out of Elena Wang\'s court'],
    [say('task', 'ball_passed', { changes: { ball_in_court: ['a', 'b'] }, data: { note: 'Two quotes, please' } }), 'Ada put the ball in Omar Diaz\'s court: "Two quotes, please"'],
    [say('task', 'assigned', { changes: { assignee_id: ['a', null] } }), 'Ada took it from Elena Wang'],
    [say('task', 'updated', { changes: { title: ['A', 'B'], due_at: [null, '2031-01-02T00:00:00+00:00'], description: ['', 'long'] } }), 'Ada renamed it from "A" to "B", set its due date to 2031-01-02 and changed its description'],
    [say('task', 'updated', { changes: { tags: [[], ['x', 'y']], priority: ['low', 'urgent'], department: [null, 'Service'], parent_id: [null, 'c'] } }), 'Ada tagged it "x" and "y", set its priority to urgent, gave it to Service and put it under another task'],
    [say('task', 'updated', { changes: { tags: [['x'], []], due_at: ['2031-01-02', null], department: ['Service', null], parent_id: ['c', null] } }), 'Ada removed its tags, removed its due date, took it from its department and made it a task of its own'],
    [say('task', 'ball_acknowledged'), 'Ada has seen that the ball is in their court'],
    [say('task', 'ball_passed', { changes: { ball_in_court: ['a', null], ball_company_id: [null, 'o'], ball_contact_id: [null, 'c'], ball_paused_since: ['2031-01-02', null] } }), 'Ada put the ball in Ana Silva\'s court'],
    [say('task', 'ball_passed', { changes: { ball_company_id: ['o', null], ball_contact_id: ['c', null], ball_in_court: [null, 'b'] } }), 'Ada put the ball in Omar Diaz\'s court'],
    [say('task', 'ball_passed', { changes: { ball_company_id: ['o', null] } }), 'Ada took the ball out of Halton Architects\'s court'],
    [say('task', 'ball_passed', { changes: { ball_contact_id: ['c', null] } }), 'Ada put the ball in the court of the company as a whole'],
    [say('task', 'ball_nudged', { data: { to: ['a'], note: 'Friday' } }), 'Ada reminded Elena Wang of the ball in their court: "Friday"'],
    [say('task', 'ball_paused', { data: { reason: 'Permit' } }), 'Ada paused the ball: "Permit"'],
    [say('task', 'ball_resumed'), 'Ada let the ball go on'],
    [say('task', 'ball_unacknowledged', { data: { to: ['a'] } }), 'Ada passed the ball, and Elena Wang has not acknowledged it in time'],
    [say('task', 'task_overdue', { data: { to: ['a'] } }), 'The task became overdue'],
    [say('task', 'task_idle', { data: { to: ['a'] } }), 'Nothing has happened for a week'],
    [say('task', 'ball_overdue', { data: { to: ['a', 'b'] } }), 'Ada passed the ball, and Elena Wang has not acted in time'],
    [say('calendar', 'updated', { changes: { weekly_hours: [{}, {}] } }), 'Ada changed its weekly hours'],
    [say('calendar', 'holiday_set', { data: { date: '2031-08-04', name: 'Civic Holiday' } }), 'Ada made 2031-08-04 a day off: "Civic Holiday"'],
    [say('calendar', 'holiday_removed', { data: { date: '2031-08-04' } }), 'Ada made 2031-08-04 a day like others'],
    [say('ball_policy', 'updated'), 'Ada updated what is expected of whoever has a ball'],
    [say('company', 'created'), 'Ada created a company'],
    [say('task', 'deleted'), 'Ada deleted the task'],
    [say('task', 'restored'), 'Ada restored the task'],
    [say('task', 'checklist_reordered'), 'Ada put the steps into another order'],
    [say('task', 'assigned', { changes: { assignee_id: [null, 'who'] } }), 'Ada assigned it to someone'],
    [say('comment', 'created'), 'Ada commented'],
    [say('comment', 'created', { data: { mentions: ['a', 'b'] } }), 'Ada commented and mentioned Elena Wang and Omar Diaz'],
    [say('comment', 'updated', { changes: { body: ['x', 'y'] } }), 'Ada edited a comment'],
    [say('comment', 'deleted'), 'Ada deleted a comment'],
    [say('checklist_item', 'created', { changes: { label: [null, 'Call'] } }), 'Ada added the step "Call"'],
    [say('checklist_item', 'deleted', { changes: { label: ['Call', null] } }), 'Ada removed the step "Call"'],
    [say('checklist_item', 'updated', { changes: { is_done: [false, true] } }), 'Ada ticked a step off'],
    [say('checklist_item', 'updated', { changes: { is_done: [true, false] } }), 'Ada opened a step again'],
    [say('checklist_item', 'updated', { changes: { label: ['Call', 'Write'] } }), 'Ada renamed a step to "Write"'],
    [say('dependency', 'created'), 'Ada let the task wait for another'],
    [say('dependency', 'deleted'), 'Ada let the task wait for another no more'],
    [say('project', 'created', { changes: { name: [null, 'Rink'] } }), 'Ada created the project "Rink"'],
    [say('project', 'updated', { changes: { name: ['Rink', 'Arena'], visibility: ['company', 'members'] } }), 'Ada renamed it from "Rink" to "Arena" and changed its visibility'],
    [say('project', 'member_added', { changes: { member_role: [null, 'viewer'] }, data: { user_id: 'a' } }), 'Ada added Elena Wang to the project as viewer'],
    [say('project', 'member_changed', { changes: { member_role: ['viewer', 'manager'] }, data: { user_id: 'a' } }), 'Ada made Elena Wang manager of the project'],
    [say('project', 'member_removed', { changes: { member_role: ['viewer', null] }, data: { user_id: 'a' } }), 'Ada removed Elena Wang from the project'],
    [say('user', 'updated', { changes: { job_title: [null, 'Foreman'] } }), 'Ada changed its job title'],
    [say('task', 'nudged'), 'Ada nudged the task'],
    [say('purchase_order', 'sent_back'), 'Ada sent back a purchase order']
  ]
  for (const [said, expected] of cases) t.equal(said, expected)
})

await t.test('lists bring the sentence, with the names of whom the change is about', async (t) => {
  const s = await startApp(t)
  const project = await s.addProject({ name: 'Rink' })
  const task = await s.addTask(project.id, { title: 'Pump', assignee_id: s.member.id })
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: s.manager.id, note: 'Yours' }, { as: s.member })
  await s.post(`/api/tasks/${task.id}/comments`, { body: '@mona.ger' })
  await s.ask('PUT', `/api/projects/${project.id}/members/${s.viewer.id}`, { body: { role: 'viewer' } })
  const said = (await s.get('/api/activity?sort=at')).map(({ sentence }: { sentence: string }) => sentence)
  t.same(said, ['Ada Min created the project "Rink"', 'Ada Min created the task "Pump" and assigned it to Mem Ber', 'Mem Ber put the ball in Mona Ger\'s court: "Yours"',
    'Ada Min commented and mentioned Mona Ger', 'Ada Min added Vi Ewer to the project as viewer'])
  t.notOk('people' in (await s.get('/api/activity'))[0])
})
