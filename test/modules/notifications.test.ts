import t from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { JWT_SECRET, nextPage, QUIET, startApp, type Person } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const person = (name: string, fields = {}) => s.addPerson('member', { name, email: `${name.toLowerCase()}@example.com`, ...fields })
const told = async (as: Person): Promise<any[]> => s.get('/api/notifications?limit=200', { as })
const types = async (as: Person) => (await told(as)).map(({ type }) => type)

await t.test('who is assigned, is handed the ball or is mentioned is told who did it and on which task', async (t) => {
  const pat = await person('Pat')
  const task = await s.addTask(project.id, { title: 'Order the chiller' })
  await s.patch(`/api/tasks/${task.id}`, { assignee_id: pat.id })
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: pat.id }, { as: s.manager })
  const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'See @pat' }, { as: s.member })
  const common = { task_id: task.id, task_key: task.key, task_title: 'Order the chiller', project_id: project.id, is_read: false, read_at: null }
  t.match(await told(pat), [
    { ...common, type: 'mentioned', actor: { id: s.member.id, name: s.member.name }, comment_id: comment.id, message: `Mem Ber mentioned you on ${task.key} Order the chiller`, created_at: comment.created_at },
    { ...common, type: 'ball_received', actor: { id: s.manager.id }, comment_id: null },
    { ...common, type: 'task_assigned', actor: { id: s.admin.id }, comment_id: null }
  ])
  t.equal((await told(pat)).length, 3)
})

await t.test('one event tells one person one thing, the one that asks most of them', async (t) => {
  const [sam, kim] = [await person('Sam'), await person('Kim')]
  const task = await s.addTask(project.id, { assignee_id: sam.id, ball_in_court: sam.id })
  t.same(await types(sam), ['ball_received'])
  await s.patch(`/api/tasks/${task.id}`, { assignee_id: kim.id, ball_in_court: null })
  t.same(await types(kim), ['task_assigned'])
  t.same(await types(sam), ['ball_received'], 'who loses it is told nothing')
  await s.post(`/api/tasks/${task.id}/comments`, { body: '@kim @kim @kim@example.com' })
  t.same(await types(kim), ['mentioned', 'task_assigned'])
  await s.patch(`/api/tasks/${task.id}`, { title: 'Other', assignee_id: kim.id })
  t.equal((await told(kim)).length, 2, 'nothing new came to them')
})

await t.test('nobody is told of what they did themselves', async (t) => {
  const lee = await person('Lee')
  const task = await s.addTask(project.id, { assignee_id: lee.id, ball_in_court: lee.id }, lee)
  await s.patch(`/api/tasks/${task.id}`, { assignee_id: null, ball_in_court: null }, { as: lee })
  await s.patch(`/api/tasks/${task.id}`, { assignee_id: lee.id, ball_in_court: lee.id }, { as: lee })
  await s.post(`/api/tasks/${task.id}/comments`, { body: 'I, @lee' }, { as: lee })
  t.same(await told(lee), [])
})

await t.test('an edit tells whom it mentions for the first time, and nobody twice', async (t) => {
  const [ann, bob] = [await person('Ann'), await person('Bob')]
  const task = await s.addTask(project.id)
  const { id } = await s.post(`/api/tasks/${task.id}/comments`, { body: '@ann' })
  await s.patch(`/api/comments/${id}`, { body: '@ann and @bob' })
  await s.patch(`/api/comments/${id}`, { body: '@bob and @ann, again' })
  t.same(await types(ann), ['mentioned'])
  t.same(await types(bob), ['mentioned'])
})

await t.test('reopening gives the ball back, and tells whom it is given to', async (t) => {
  const ray = await person('Ray')
  const task = await s.addTask(project.id, { status: 'in_progress' })
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: ray.id })
  await s.patch(`/api/tasks/${task.id}`, { status: 'done' })
  t.equal((await told(ray)).length, 1)
  await s.patch('/api/notifications/mark-all-read', undefined, { as: ray })
  await s.patch(`/api/tasks/${task.id}`, { status: 'in_progress' })
  t.same(await types(ray), ['ball_received', 'ball_received'])
})

await t.test('who has left or may not see the project is told nothing; who reads all projects is', async (t) => {
  const hidden = await s.addProject({ visibility: 'members' })
  const [gone, blind, boss] = [await person('Gone'), await person('Blind'), await s.addPerson('admin', { email: 'boss@example.com' })]
  const task = await s.addTask(project.id, { assignee_id: gone.id })
  await s.app.events.settled()
  await s.query('update users set is_active = false where id = $1', [gone.id])
  await s.post(`/api/tasks/${task.id}/comments`, { body: '@gone' })
  const secret = await s.addTask(hidden.id, { assignee_id: blind.id, ball_in_court: boss.id })
  await s.post(`/api/tasks/${secret.id}/comments`, { body: '@blind @boss' })
  await s.app.events.settled()
  t.match(await s.query('select type from notifications where user_id = $1', [gone.id]), [{ type: 'task_assigned' }])
  t.same(await s.query('select 1 from notifications where user_id = $1', [blind.id]), [])
  t.same(await types(boss), ['mentioned', 'ball_received'])
})

await t.test('recent, unread count, read and mark all read', async (t) => {
  const [zoe, eve] = [await person('Zoe'), await person('Eve')]
  for (let n = 0; n < 12; n++) await s.addTask(project.id, { title: `${n}`, assignee_id: zoe.id })
  await s.addTask(project.id, { assignee_id: eve.id })
  const recent = await s.get('/api/notifications/recent', { as: zoe })
  t.same(recent.map(({ task_title: title }: any) => title), ['11', '10', '9', '8', '7', '6', '5', '4', '3', '2'])
  t.same(await s.get('/api/notifications/unread-count', { as: zoe }), { count: 12 })
  const [first] = recent
  const read = await s.patch(`/api/notifications/${first.id}/read`, undefined, { as: zoe })
  t.match(read, { id: first.id, is_read: true, read_at: /Z$/ })
  t.equal((await s.patch(`/api/notifications/${first.id}/read`, undefined, { as: zoe })).read_at, read.read_at, 'once read, read since then')
  t.same(await s.get('/api/notifications/unread-count', { as: zoe }), { count: 11 })
  t.same(await s.patch('/api/notifications/mark-all-read', undefined, { as: zoe }), { updated: 11 })
  t.same(await s.patch('/api/notifications/mark-all-read', undefined, { as: zoe }), { updated: 0 })
  t.same(await s.get('/api/notifications/unread-count', { as: zoe }), { count: 0 })
  t.same(await s.get('/api/notifications/unread-count', { as: eve }), { count: 1 }, 'another\'s stay unread')
})

await t.test('other people\'s notifications are not there, and stay as they are', async (t) => {
  const [mia, leo] = [await person('Mia'), await person('Leo')]
  await s.addTask(project.id, { assignee_id: mia.id })
  const [{ id }] = await told(mia)
  for (const as of [leo, s.admin]) t.match((await s.ask('PATCH', `/api/notifications/${id}/read`, { as })).json(), { status: 404, code: 'EDEN_NOT_FOUND' })
  t.equal((await s.ask('PATCH', '/api/notifications/01900000-0000-7000-8000-00000000dead/read', { as: mia })).statusCode, 404)
  t.match(await told(mia), [{ is_read: false }])
})

await t.test('the list is filtered and paged, and forgets deleted tasks as long as they are', async (t) => {
  const ivy = await person('Ivy')
  const other = await s.addProject()
  const tasks = []
  for (let n = 0; n < 9; n++) tasks.push(await s.addTask(n % 3 ? project.id : other.id, n % 2 ? { assignee_id: ivy.id } : { ball_in_court: ivy.id }))
  const all = await told(ivy)
  await s.patch(`/api/notifications/${all[0].id}/read`, undefined, { as: ivy })
  const count = async (query: string) => Number((await s.ask('GET', `/api/notifications?count=true&limit=1&${query}`, { as: ivy })).headers['x-total-count'])
  t.equal(await count(''), 9)
  t.equal(await count('unread=true'), 8)
  t.equal(await count('unread=false'), 1)
  t.equal(await count('type=ball_received'), 5)
  t.equal(await count('type=ball_received,task_assigned'), 9)
  t.equal(await count(`project=${other.id}`), 3)
  t.equal(await count(`project=${other.id}&type=task_assigned&unread=true`), 1)
  await s.query('update notifications set created_at = $2 where user_id = $1', [ivy.id, all[4].created_at])
  for (const [sort, direction] of [['created_at', 'asc'], ['-created_at', 'desc']]) {
    const seen: string[] = []
    for (let url: string | undefined = `/api/notifications?limit=2&sort=${sort}`; url !== undefined;) {
      const answer = await s.ask('GET', url, { as: ivy })
      seen.push(...answer.json().map(({ id }: { id: string }) => id))
      url = nextPage(answer)
    }
    t.same(seen, (await s.query(`select id from notifications where user_id = $1 order by id ${direction}`, [ivy.id])).map(({ id }) => id))
  }
  await s.ask('DELETE', `/api/tasks/${tasks[8].id}`)
  t.equal(await count(''), 8)
  await s.post(`/api/tasks/${tasks[8].id}/restore`)
  t.equal(await count(''), 9)
})

await t.test('two instances on one database tell everyone of everything exactly once, under concurrent writes', async (t) => {
  const twin = await buildApp(parseConfig({ ...QUIET, DB_POOL_MAX: '5', DATABASE_URL: s.url, JWT_SECRET }))
  await twin.ready()
  t.teardown(() => twin.close())
  const people = await Promise.all(['U1', 'U2', 'U3', 'U4'].map((name) => person(name)))
  const start = (await s.query('select count(*)::int as count from notifications'))[0].count
  const answers = await Promise.all(Array.from({ length: 120 }, (_, n) => (n % 2 ? twin : s.app).inject({
    method: 'POST',
    url: `/api/projects/${project.id}/tasks`,
    headers: { 'x-dev-email': s.admin.email },
    payload: { title: `${n}`, assignee_id: people[n % 4]?.id, ball_in_court: people[(n + (n % 3)) % 4]?.id }
  })))
  t.ok(answers.every(({ statusCode }) => statusCode === 201))
  await Promise.all([s.app.events.settled(), twin.events.settled()])
  const expected = answers.reduce((sum, _, n) => sum + (n % 3 ? 2 : 1), 0)
  t.equal((await s.query('select count(*)::int as count from notifications'))[0].count - start, expected)
  const wrong = await s.query(`
    select a.id from activity_log a, lateral (select count(*) as told from notifications n where n.event_id = a.id) n
    where a.entity_type = 'task' and a.action = 'created' and a.project_id = $1 and (a.changes ? 'assignee_id' or a.changes ? 'ball_in_court') and a.actor_id = $2
      and a.changes -> 'assignee_id' ->> 1 in (select id::text from users where name like 'U_')
      and n.told <> (select count(distinct x) from unnest(array[a.changes -> 'assignee_id' ->> 1, a.changes -> 'ball_in_court' ->> 1]) x where x is not null)`, [project.id, s.admin.id])
  t.same(wrong, [])
  t.match(await s.query('select (select last_position from event_sequencer) = (select position from event_cursors where consumer = \'notifications\') as done'), [{ done: true }])
})
