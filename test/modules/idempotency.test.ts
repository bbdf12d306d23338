import t from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { JWT_SECRET, QUIET, startApp, type Person } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
let keys = 0
const newKey = () => `key-${++keys}`
const post = (path: string, key: string, body?: object, as: Person = s.admin) => s.ask('POST', `/api/${path}`, { as, body, headers: { 'idempotency-key': key } })
const titled = async (title: string) => (await s.query('select count(*)::int from tasks where title = $1', [title]))[0].count

await t.test('a repetition gets the first answer, whole, and does nothing; it says that it is one', async (t) => {
  const task = await s.addTask(project.id)
  const gone = await s.addTask(project.id)
  await s.ask('DELETE', `/api/tasks/${gone.id}`)
  const requests: [path: string, body?: object][] = [
    ['projects', { code: 'IDEM', name: 'Once' }], ['tasks', { project_id: project.id, title: 'Once' }], [`projects/${project.id}/tasks`, { title: 'Once' }],
    ['tasks/bulk', { changes: [{ id: task.id, set: { priority: 'high' } }] }], [`tasks/${task.id}/comments`, { body: 'Once @vi.ewer' }], [`tasks/${task.id}/ball`, { to_user_id: s.admin.id }], [`tasks/${task.id}/ball/ack`], [`tasks/${gone.id}/restore`]
  ]
  const counts = () => s.query('select (select count(*) from tasks) as tasks, (select count(*) from projects) as projects, (select count(*) from comments) as comments, (select count(*) from ball_holds) as holds, (select count(*) from activity_log) as events')
  for (const [path, body] of requests) {
    const key = newKey()
    const first = await post(path, key, body)
    t.ok(first.statusCode < 300, first.body)
    const before = await counts()
    for (let n = 0; n < 2; n++) {
      const again = await post(path, key, body)
      t.same([again.statusCode, again.json()], [first.statusCode, first.json()], path)
      for (const header of ['location', 'etag', 'content-type']) t.equal(again.headers[header], first.headers[header], `${path} ${header}`)
      t.same([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']], [undefined, 'true'])
    }
    t.same(await counts(), before, `${path} was done once`)
  }
})

await t.test('the first answer is what it was, whatever became of the task since', async (t) => {
  const first = await post('tasks', 'then', { project_id: project.id, title: 'Then' })
  await s.patch(`/api/tasks/${first.json().id}`, { title: 'Now' })
  await s.ask('DELETE', `/api/tasks/${first.json().id}`)
  t.same((await post('tasks', 'then', { project_id: project.id, title: 'Then' })).json(), first.json())
})

await t.test('the same key with another body, or on another route, is refused', async (t) => {
  const body = { title: 'Mismatch' }
  t.equal((await post(`projects/${project.id}/tasks`, 'other', body)).statusCode, 201)
  for (const [path, other] of [[`projects/${project.id}/tasks`, { title: 'Mismatch', priority: 'high' }], ['tasks', { project_id: project.id, title: 'Mismatch' }], [`projects/${(await s.addProject()).id}/tasks`, body]] as const) {
    t.match((await post(path, 'other', other)).json(), { status: 422, code: 'EDEN_IDEMPOTENCY_MISMATCH' })
  }
  t.equal(await titled('Mismatch'), 1)
  t.equal((await post(`projects/${project.id}/tasks`, 'another', body)).statusCode, 201, 'another key is another request')
})

await t.test('of requests at once one is done; its twins are replays or told that it is under way', async (t) => {
  for (let round = 0; round < 5; round++) {
    const title = `Twins ${round}`
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(`projects/${project.id}/tasks`, `twins-${round}`, { title })))
    const done = answers.filter(({ statusCode }) => statusCode === 201)
    t.equal(done.filter(({ headers }) => headers['idempotency-replayed'] === undefined).length, 1)
    t.equal(new Set(done.map((answer) => answer.json().id)).size, 1)
    for (const answer of answers.filter(({ statusCode }) => statusCode !== 201)) t.match(answer.json(), { status: 409, code: 'EDEN_IDEMPOTENCY_IN_PROGRESS' })
    t.equal(await titled(title), 1)
    t.equal((await post(`projects/${project.id}/tasks`, `twins-${round}`, { title })).headers['idempotency-replayed'], 'true', 'afterwards it is a replay')
  }
})

await t.test('two instances share what was done', async (t) => {
  const twin = await buildApp(parseConfig({ ...QUIET, DATABASE_URL: s.url, JWT_SECRET }))
  await twin.ready()
  t.teardown(() => twin.close())
  const answers = await Promise.all([s.app, twin, s.app, twin].map((app) => app.inject({ method: 'POST', url: `/api/projects/${project.id}/tasks`, headers: { 'x-dev-email': s.admin.email, 'idempotency-key': 'shared' }, payload: { title: 'Shared' } })))
  t.same([...new Set(answers.map(({ statusCode }) => statusCode))].filter((status) => ![201, 409].includes(status)), [])
  t.equal(await titled('Shared'), 1)
})

await t.test('work that fails leaves the key free, whatever it failed by', async (t) => {
  const path = `projects/${project.id}/tasks`
  t.equal((await post(path, 'free', { title: 'Free', assignee_id: '01900000-0000-7000-8000-00000000dead' })).statusCode, 422)
  t.equal((await post(path, 'free', { title: '' })).statusCode, 400)
  t.equal((await post(path, 'free', { title: 'Free' }, s.viewer)).statusCode, 403)
  const answer = await post(path, 'free', { title: 'Free' })
  t.same([answer.statusCode, answer.headers['idempotency-replayed']], [201, undefined])
  const other = await s.addProject({ code: 'TAKEN' })
  t.equal((await post('projects', 'same', { code: 'TAKEN', name: 'x' })).statusCode, 409)
  await s.ask('DELETE', `/api/projects/${other.id}`)
  t.equal((await post('projects', 'same', { code: 'TAKEN', name: 'x' })).statusCode, 201, 'the very same request, when its cause is gone')
  const task = await s.addTask(project.id)
  t.equal((await post('tasks/bulk', 'bulk', { changes: [{ id: task.id, version: 2, set: { title: 'x' } }] })).statusCode, 412)
  await s.patch(`/api/tasks/${task.id}`, { priority: 'low' })
  t.equal((await post('tasks/bulk', 'bulk', { changes: [{ id: task.id, version: 2, set: { title: 'x' } }] })).statusCode, 200)
})

await t.test('a key is one\'s own: another\'s is another request', async (t) => {
  const answers = [await post(`projects/${project.id}/tasks`, 'mine', { title: 'Each' }), await post(`projects/${project.id}/tasks`, 'mine', { title: 'Each' }, s.member)]
  t.same(answers.map(({ statusCode }) => statusCode), [201, 201])
  t.same(answers.map((answer) => answer.json().created_by), [s.admin.id, s.member.id])
})

await t.test('after 24 hours the key is free again', async (t) => {
  const path = `projects/${project.id}/tasks`
  await post(path, 'old', { title: 'Day' })
  const [{ hours }] = await s.query('select extract(epoch from expires_at - now()) / 3600 as hours from idempotency_keys where key = \'old\'')
  t.ok(Number(hours) > 23.9 && Number(hours) <= 24)
  await s.query('update idempotency_keys set expires_at = now() where key = \'old\'')
  const answer = await post(path, 'old', { title: 'Day', priority: 'low' })
  t.same([answer.statusCode, answer.headers['idempotency-replayed']], [201, undefined])
  t.equal((await post(path, 'old', { title: 'Day', priority: 'low' })).json().id, answer.json().id)
  t.equal(await titled('Day'), 2)
})

await t.test('a key is 1 to 255 visible characters', async (t) => {
  for (const key of ['has space', 'x'.repeat(256), 'é']) t.match((await post(`projects/${project.id}/tasks`, key, { title: 'Bad key' })).json(), { status: 400, code: 'EDEN_VALIDATION' }, key)
  t.equal(await titled('Bad key'), 0)
  t.equal((await post(`projects/${project.id}/tasks`, 'x'.repeat(255), { title: 'Long key' })).statusCode, 201)
})

await t.test('what a replayed request caused happened once: one event, one notification', async (t) => {
  const ben = await s.addPerson('member')
  for (let n = 0; n < 3; n++) await post(`projects/${project.id}/tasks`, 'told', { title: 'Told', assignee_id: ben.id })
  t.same(await s.get('/api/notifications/unread-count', { as: ben }), { count: 1 })
})
