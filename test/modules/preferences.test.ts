import t from 'tap'
import { coalesce, onePerPerson } from '../../modules/notifications/rules.js'
import { startApp, type Person } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const person = (name: string, fields = {}) => s.addPerson('member', { name, email: `${name.toLowerCase()}@example.com`, ...fields })
const told = async (as: Person): Promise<any[]> => s.get('/api/notifications?limit=200', { as })
const types = async (as: Person) => (await told(as)).map(({ type }) => type)
const put = async (as: Person, body: object) => s.ask('PUT', '/api/notifications/preferences', { as, body })
const watch = (as: Person, task: { id: string }) => s.ask('PUT', `/api/tasks/${task.id}/watch`, { as })
const on = { in_app: true, email: true }
const here = { in_app: true, email: false }
const all = { types: { ball_overdue: on, ball_unacknowledged: on, ball_nudged: on, ball_received: on, task_assigned: on, task_overdue: on, mentioned: on, commented: here, task_changed: here, task_idle: here }, email: 'instant', daily_at: '07:00', quiet_hours: null }
const withTypes = (types: object) => ({ ...all, types: { ...all.types, ...types } })

await t.test('people are told what they did not say otherwise of; PUT replaces all, and is each one\'s own', async (t) => {
  const [pat, sam] = [await person('Pat'), await person('Sam')]
  t.same(await s.get('/api/notifications/preferences', { as: pat }), all)
  t.same((await put(pat, { types: { mentioned: { in_app: false }, commented: { email: true } } })).json(), withTypes({ mentioned: { in_app: false, email: true }, commented: on }))
  const settings = { email: 'daily', daily_at: '16:30', quiet_hours: { from: '20:00', to: '06:30' } }
  t.same((await put(pat, { ...settings, types: { task_changed: { in_app: false } } })).json(), { ...withTypes({ task_changed: { in_app: false, email: false } }), ...settings }, 'what is left out is as before')
  t.same((await put(pat, { email: 'off' })).json(), { ...all, email: 'off' })
  t.same((await put(pat, all)).json(), all, 'what GET tells PUT takes')
  t.same(await s.get('/api/notifications/preferences', { as: sam }), all)
  for (const [body, path] of [
    [{ types: { mentioned: {} } }, 'types.mentioned'], [{ types: { mentioned: { in_app: 'true' } } }, 'types.mentioned.in_app'], [{ types: { mentioned: { in_app: true, pigeon: true } } }, 'types.mentioned.pigeon'],
    [{ types: { nothing: { in_app: true } } }, 'types.nothing'], [{ email: 'hourly' }, 'email'], [{ daily_at: '24:00' }, 'daily_at'], [{ daily_at: '7:00' }, 'daily_at'],
    [{ quiet_hours: { from: '20:00' } }, 'quiet_hours.to'], [{ quiet_hours: { from: '20:00', to: '20:00' } }, 'quiet_hours.to']
  ] as const) t.match((await put(pat, body)).json(), { status: 400, code: /EDEN_(VALIDATION|INVALID_VALUE)/, errors: [{ path }] }, path)
  t.same(await s.get('/api/notifications/preferences', { as: pat }), all, 'a refusal changes nothing')
})

await t.test('many who set theirs at once, each more than once, all succeed, and the last whole answer is what holds', async (t) => {
  const kim = await person('Kim')
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => put(kim, {
    email: n % 2 ? 'daily' : 'off',
    types: Object.fromEntries(Object.keys(all.types).map((type) => [type, { in_app: n % 2 === 0, email: n % 2 === 0 }]))
  })))
  t.ok(answers.every(({ statusCode }) => statusCode === 200))
  const { types, email } = await s.get('/api/notifications/preferences', { as: kim })
  const is = email === 'off'
  t.same(types, Object.fromEntries(Object.keys(all.types).map((type) => [type, { in_app: is, email: is }])))
})

await t.test('what is off is not told, and gives way to what else the event is to the person', async (t) => {
  const ann = await person('Ann')
  await put(ann, { types: { ball_received: { in_app: false }, mentioned: { in_app: false } } })
  const task = await s.addTask(project.id, { assignee_id: ann.id, ball_in_court: ann.id })
  await s.post(`/api/tasks/${task.id}/comments`, { body: '@ann' })
  t.same(await types(ann), ['task_assigned'])
  await put(ann, { types: { mentioned: { in_app: true } } })
  await s.post(`/api/tasks/${task.id}/comments`, { body: '@ann' })
  t.same(await types(ann), ['mentioned', 'task_assigned'], 'what comes later, not what was missed')
})

await t.test('who watches a task is told of its status and of comments: never who did it, who left, who is blind, who stopped', async (t) => {
  const hidden = await s.addProject({ visibility: 'members' })
  const [bob, eve, gone, blind, past] = [await person('Bob'), await person('Eve'), await person('Gone'), await person('Blind'), await person('Past')]
  for (const one of [bob, eve, gone, blind, past]) await s.ask('PUT', `/api/projects/${hidden.id}/members/${one.id}`, { body: { role: 'member' } })
  const task = await s.addTask(hidden.id, { title: 'Pump' })
  await s.patch(`/api/tasks/${task.id}`, { status: 'todo' })
  await s.app.events.settled()
  for (const one of [bob, eve, gone, blind, past]) await watch(one, task)
  await s.query('update users set is_active = false where id = $1', [gone.id])
  await s.ask('DELETE', `/api/projects/${hidden.id}/members/${blind.id}`)
  await s.ask('DELETE', `/api/tasks/${task.id}/watch`, { as: past })
  await s.patch(`/api/tasks/${task.id}`, { title: 'Pumps' })
  await s.patch(`/api/tasks/${task.id}`, { status: 'in_progress' }, { as: eve })
  const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Hi @eve' })
  await s.patch(`/api/comments/${comment.id}`, { body: 'Hello @eve' })
  t.match(await told(bob), [
    { type: 'commented', comment_id: comment.id, event_count: 1, message: `Ada Min commented on ${task.key} Pumps` },
    { type: 'task_changed', comment_id: null, event_count: 1, message: `Eve changed the status of ${task.key} Pumps` }
  ])
  t.same(await types(bob), ['commented', 'task_changed'], 'what was before, a title and an edit are not told')
  t.same(await types(eve), ['mentioned'], 'one event, one thing')
  t.match(await s.query('select count(*)::int from notifications where user_id = any($1)', [[gone.id, blind.id, past.id]]), [{ count: 0 }])
})

await t.test('ten changes of a task in a short time are one notification, of the newest; one that was read, or is old, is left alone', async (t) => {
  const ivy = await person('Ivy')
  const [task, other] = [await s.addTask(project.id, { title: 'Chiller' }), await s.addTask(project.id)]
  for (const one of [task, other]) await watch(ivy, one)
  const change = async (count: number) => { for (let n = 0; n < count; n++) await s.patch(`/api/tasks/${task.id}`, { status: ['todo', 'in_progress'][n % 2] }, { as: n % 2 ? s.manager : s.admin }) }
  await change(10)
  const [one, ...none] = await told(ivy)
  t.same(none, [])
  t.match(one, { type: 'task_changed', event_count: 10, actor: { id: s.manager.id }, message: `Mona Ger changed the status of ${task.key} Chiller (10 times lately)` })
  t.ok(one.created_at < one.updated_at)
  t.match(await s.query(`select a.version from notifications n join activity_log a on a.id = n.event_id join event_positions e on e.event_id = a.id and e.position = n.position
    where n.id = $1`, [one.id]), [{ version: 11 }])

  await s.patch(`/api/tasks/${other.id}`, { status: 'todo' })
  t.equal((await told(ivy)).length, 2, 'another task is another notification')
  await s.patch(`/api/notifications/${one.id}/read`, undefined, { as: ivy })
  await change(2)
  t.match((await told(ivy)).map(({ event_count: count }) => count), [2, 1, 10])
  await s.query("update notifications set created_at = created_at - interval '5 minutes' where user_id = $1", [ivy.id])
  await change(3)
  t.match((await told(ivy)).map(({ event_count: count }) => count).sort(), [1, 10, 2, 3])
})

await t.test('whoever reads while others change loses no event and gets none twice', async (t) => {
  const zoe = await person('Zoe')
  const tasks = await Promise.all([1, 2, 3].map(() => s.addTask(project.id)))
  for (const task of tasks) await watch(zoe, task)
  const read = async () => {
    for (let n = 0; n < 25; n++) t.equal((await s.ask('PATCH', '/api/notifications/mark-all-read', { as: zoe })).statusCode, 200)
  }
  const write = async (task: { id: string }) => { for (let n = 0; n < 25; n++) await s.post(`/api/tasks/${task.id}/comments`, { body: `${n}` }) }
  await Promise.all([...tasks.map(write), read(), read()])
  await s.app.events.settled()
  t.match(await s.query('select task_id, sum(event_count)::int as told from notifications where user_id = $1 group by 1', [zoe.id]), tasks.map(() => ({ told: 25 })))
})

await t.test('the rules, by themselves', async (t) => {
  const one = (minute: number, position: number, more = {}) => ({ event_id: `e${position}`, user_id: 'u', type: 'commented' as const, task_id: 't', at: new Date(minute * 60_000).toISOString(), position, ...more })
  const shape = (rows: ReturnType<typeof coalesce>) => rows.map(({ event_id: id, onto, event_count: count }) => [id, onto, count])
  t.same(shape(coalesce([one(0, 1), one(4, 2), one(4.99, 3), one(5, 4), one(9, 5), one(11, 6)], [])), [['e3', null, 3], ['e5', null, 2], ['e6', null, 1]], 'the time runs from the first')
  const old = { id: 'n', user_id: 'u', type: 'commented', task_id: 't', created_at: new Date(0).toISOString() }
  t.same(shape(coalesce([one(1, 1), one(4, 2), one(6, 3)], [old])), [['e2', 'n', 2], ['e3', null, 1]])
  t.same(shape(coalesce([one(1, 1, { user_id: 'v' }), one(1, 2, { task_id: 'x' }), one(1, 3, { type: 'mentioned' })], [old])), [['e1', null, 1], ['e2', null, 1], ['e3', null, 1]])
  t.same(onePerPerson([one(0, 1), one(0, 1, { type: 'mentioned' }), one(0, 1, { type: 'task_changed' })]).map(({ type }) => type), ['mentioned'])
})
