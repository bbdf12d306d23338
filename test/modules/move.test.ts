import t from 'tap'
import { formWith, startApp, type Person } from '../helper.js'

const s = await startApp(t, { environment: { DB_CONNECTION_TIMEOUT_MS: '60000', DB_LOCK_TIMEOUT_MS: '60000' } })
const from = await s.addProject({ code: 'FROM' })
const to = await s.addProject({ code: 'TO' })
const hidden = await s.addProject({ code: 'HID', visibility: 'members' })
const move = (id: string, body: object, { as, headers }: { as?: Person, headers?: Record<string, string> } = {}) => s.ask('POST', `/api/tasks/${id}/move`, { body, as, headers })
const lastNumber = async (id: string) => (await s.query('select last_task_number as n from project_counters where project_id = $1', [id]))[0].n
const changesOf = async (as?: Person) => {
  const all = []
  for (let after = 0; ;) {
    const page = await s.get(`/api/changes?after=${after}&limit=200`, { as })
    if (page.length === 0) return all
    all.push(...page)
    after = page.at(-1).position
  }
}

await t.test('a task moves with all that is under it: new keys, one event each, and everything that hangs on it', async (t) => {
  const top = await s.addTask(from.id)
  const task = await s.addTask(from.id, { parent_id: top.id, ball_in_court: s.member.id })
  const child = await s.addTask(from.id, { parent_id: task.id, status: 'done' })
  const gone = await s.addTask(from.id, { parent_id: child.id })
  await s.ask('DELETE', `/api/tasks/${gone.id}`)
  const other = await s.addTask(from.id)
  await s.post(`/api/tasks/${other.id}/dependencies`, { blocks_id: task.id })
  const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Hello @mem.ber' })
  const taken = await lastNumber(to.id)

  const answer = await move(task.id, { project_id: to.id })
  t.equal(answer.statusCode, 200, answer.body)
  t.match(answer.json(), { id: task.id, project_id: to.id, key: `TO-${taken + 1}`, parent_id: null, version: 2, ball_in_court: s.member.id, subtasks: { total: 1, done: 1 } })
  t.equal(answer.headers.etag, '"2.1-1"')
  t.match(await s.get(`/api/tasks/${child.id}`), { key: `TO-${taken + 2}`, parent_id: task.id, version: 2 })
  t.equal(await lastNumber(to.id), taken + 3)
  t.match((await s.get(`/api/tasks/${top.id}`)).subtasks, { total: 0 })
  t.match(await s.get(`/api/comments/${comment.id}`), { task_id: task.id })
  t.match(await s.get(`/api/tasks/${task.id}/dependencies`), [{ task_id: other.id, relation: 'blocked_by' }])
  t.match((await s.get('/api/notifications', { as: s.member }))[0], { task_id: task.id, project_id: to.id, task_key: `TO-${taken + 1}` })
  t.match(await s.post(`/api/tasks/${gone.id}/restore`), { key: `TO-${taken + 3}`, parent_id: child.id })

  const log = await s.get(`/api/activity?action=moved&entity_id=${task.id}`)
  t.match(log, [{ project_id: to.id, version: 2, changes: { project_id: [from.id, to.id], number: [task.number, taken + 1], parent_id: [top.id, null] }, sentence: 'Ada Min moved the task here from another project' }])
  const [left] = await s.get(`/api/projects/${from.id}/activity?action=tasks_left`)
  t.match(left, { entity_type: 'project', data: { tasks: [{ id: task.id, key: task.key }, { id: child.id, key: child.key }, { id: gone.id, key: gone.key }] } })
  t.match(left.sentence, /^Ada Min moved FROM-\d+, FROM-\d+ and FROM-\d+ to another project$/)
  t.same(await s.query('select version, count(*)::int from activity_log where entity_id = $1 group by 1 order by 1', [task.id]), [{ version: 1, count: 1 }, { version: 2, count: 1 }])
})

await t.test('the old key still finds the task, in search, and is never given again', async (t) => {
  const task = await s.addTask(from.id)
  await move(task.id, { project_id: to.id })
  t.equal((await s.get(`/api/search?q=${task.key.toLowerCase()}`))[0].id, task.id)
  await move(task.id, { project_id: from.id })
  const back = await s.get(`/api/tasks/${task.id}`)
  t.not(back.key, task.key)
  for (const key of [task.key, back.key]) t.equal((await s.get(`/api/search?q=${key}`))[0].id, task.id, key)
})

await t.test('it may go under a task of the new project, no deeper than allowed', async (t) => {
  const parent = await s.addTask(to.id)
  const task = await s.addTask(from.id)
  t.match((await move(task.id, { project_id: to.id, parent_id: parent.id })).json(), { parent_id: parent.id, project_id: to.id })
  t.match((await s.get(`/api/tasks/${parent.id}`)).subtasks, { total: 1 })
  const [stray, other] = [await s.addTask(from.id), await s.addTask(from.id)]
  t.match((await move(stray.id, { project_id: to.id, parent_id: other.id })).json(), { status: 422, code: 'EDEN_UNKNOWN_PARENT' })
  let bottom = parent
  for (let n = 1; n < 10; n++) bottom = await s.addTask(to.id, { parent_id: bottom.id })
  const before = await lastNumber(to.id)
  t.match((await move(stray.id, { project_id: to.id, parent_id: bottom.id })).json(), { status: 422, code: 'EDEN_TOO_DEEP' })
  t.equal(await lastNumber(to.id), before, 'what was refused burns no number')
  t.match(await s.get(`/api/tasks/${stray.id}`), { version: 1, project_id: from.id })
})

await t.test('it needs the right version, another project, and sight of both', async (t) => {
  const task = await s.addTask(from.id)
  t.match((await move(task.id, { project_id: to.id }, { headers: { 'if-match': '"7"' } })).json(), { status: 412, current_version: 1 })
  t.match((await move(task.id, { project_id: from.id })).json(), { status: 409, code: 'EDEN_ALREADY_IN_PROJECT' })
  t.match((await move(task.id, { project_id: hidden.id }, { as: s.member })).json(), { status: 422, code: 'EDEN_UNKNOWN_PROJECT' })
  t.match((await move(task.id, { project_id: task.id })).json(), { status: 422, code: 'EDEN_UNKNOWN_PROJECT' })
  t.equal((await move(task.id, { project_id: to.id }, { as: s.viewer })).statusCode, 403)
  const secret = await s.addTask(hidden.id)
  t.equal((await move(secret.id, { project_id: to.id }, { as: s.member })).statusCode, 404)
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  t.equal((await move(task.id, { project_id: to.id })).statusCode, 404)
})

await t.test('nobody loses sight of open work of theirs, and those who only watch are not asked', async (t) => {
  const task = await s.addTask(from.id, { assignee_id: s.member.id, ball_in_court: s.manager.id })
  const child = await s.addTask(from.id, { parent_id: task.id, ball_in_court: s.admin.id })
  await s.ask('PUT', `/api/tasks/${task.id}/watch`, { as: s.viewer })
  await s.ask('PUT', `/api/projects/${hidden.id}/members/${s.manager.id}`, { body: { role: 'member' } })
  const refused = (await move(task.id, { project_id: hidden.id })).json()
  t.match(refused, { status: 422, code: 'EDEN_OUT_OF_SIGHT', errors: [{ path: 'assignee_id', message: 'is Mem Ber, who does not see that project' }] })
  t.equal(refused.errors.length, 1)
  await s.patch(`/api/tasks/${task.id}`, { assignee_id: null })
  t.equal((await move(task.id, { project_id: hidden.id })).statusCode, 200)
  t.equal((await s.ask('GET', `/api/tasks/${child.id}`, { as: s.viewer })).statusCode, 404)
  t.same(await s.get('/api/tasks?watched=true', { as: s.viewer }), [])
})

await t.test('who sees one of the two projects learns from the changes that a task left, or came, and nothing of the other', async (t) => {
  const left = await s.addTask(from.id)
  const came = await s.addTask(hidden.id)
  const before = (await changesOf(s.viewer)).length
  await move(left.id, { project_id: hidden.id })
  await move(came.id, { project_id: to.id })
  const seen = (await changesOf(s.viewer)).slice(before)
  t.match(seen, [
    { type: 'project.tasks_left', project_id: from.id, data: { detail: { tasks: [{ id: left.id, key: left.key }] } } },
    { type: 'task.moved', project_id: to.id, entity_id: came.id }
  ])
  t.equal(seen.length, 2)
  t.notMatch(JSON.stringify(seen[0]), hidden.id)
  t.notMatch(JSON.stringify(seen), /HID/)
  t.same(await s.get(`/api/search?q=${came.key}`, { as: s.viewer }), [], 'a key of a hidden project finds nothing')
  t.equal((await s.get(`/api/search?q=${came.key}`))[0].id, came.id)
})

await t.test('the same request twice moves once', async (t) => {
  const task = await s.addTask(from.id)
  const headers = { 'idempotency-key': 'move-once' }
  const first = await move(task.id, { project_id: to.id }, { headers })
  const again = await move(task.id, { project_id: to.id }, { headers })
  t.same([again.statusCode, again.json()], [200, first.json()])
  t.equal((await s.get(`/api/tasks/${task.id}`)).version, 2)
})

await t.test('a family of 500 moves in one go, one more does not', async (t) => {
  const parent = await s.addTask(from.id)
  await s.query(`
    insert into tasks (id, project_id, number, parent_id, title, ball_since, last_activity_at, created_by, created_at, updated_at)
    select gen_random_uuid(), project_id, 10000 + n, id, 'Child ' || n, created_at, created_at, created_by, created_at, created_at from tasks, generate_series(1, 500) n where id = $1`, [parent.id])
  t.match((await move(parent.id, { project_id: to.id })).json(), { status: 422, code: 'EDEN_FAMILY_TOO_LARGE' })
  await s.query('update tasks set parent_id = null where parent_id = $1 and number = 10500', [parent.id])
  const before = await lastNumber(to.id)
  t.equal((await move(parent.id, { project_id: to.id })).statusCode, 200)
  t.same(await s.query('select count(*)::int as n, min(number) as first, max(number) as last from tasks where project_id = $1 and (id = $2 or parent_id = $2)', [to.id, parent.id]), [{ n: 500, first: before + 1, last: before + 500 }])
  await s.app.events.settled() // positions are given after the answer
  t.equal((await s.query("select count(distinct event_id)::int as n from event_positions join activity_log on id = event_id where action = 'moved' and version = 2 and (changes #>> '{number,1}')::int > $1", [before]))[0].n, 500)
})

await t.test('many who move, change, pause, comment, attach files and make families at once lose nothing and never get an error of ours', async (t) => {
  const projects = await Promise.all(Array.from({ length: 3 }, () => s.addProject()))
  const tasks = (await Promise.all(Array.from({ length: 12 }, (_, n) => s.addTask(projects[n % 3].id, { ball_in_court: s.member.id })))).map(({ id }) => id)
  const answers = await Promise.all(Array.from({ length: 320 }, (_, n) => {
    const id = tasks[(n * 7) % 12] as string
    const project = projects[(n * 5 + Math.floor(n / 12)) % 3]
    switch (n % 8) {
      case 0: case 1: return move(id, { project_id: project.id })
      case 2: return s.ask('PATCH', `/api/tasks/${id}`, { body: { parent_id: tasks[(n * 11) % 12] } })
      case 3: return s.ask('PATCH', `/api/tasks/${id}`, { body: { title: `Title ${n}` } })
      case 4: return s.ask('POST', `/api/tasks/${id}/comments`, { body: { body: `Comment ${n}` } })
      case 5: return s.ask('POST', `/api/tasks/${id}/ball/${n % 16 < 8 ? 'pause' : 'resume'}`, { body: n % 16 < 8 ? { reason: 'Permit' } : undefined })
      case 6: return s.ask('POST', `/api/tasks/${id}/attachments`, formWith(`File ${n}`, `${n}.txt`))
      default: return s.ask('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'New', parent_id: n % 16 < 8 ? id : null } })
    }
  }))
  const bad = answers.filter(({ statusCode }) => ![200, 201, 409, 422].includes(statusCode))
  t.same(bad.map((answer) => [answer.statusCode, answer.json().detail]), [], 'nobody is told to try again, or that a task is not there')
  t.ok(answers.filter((answer) => answer.statusCode === 200 && answer.json().project_id !== undefined).length > 60)

  const ids = projects.map(({ id }) => id)
  t.same(await s.query('select 1 from tasks c join tasks p on p.id = c.parent_id where c.project_id <> p.project_id'), [], 'families are together')
  t.same(await s.query(`
    select c.project_id from project_counters c left join (
      select project_id, number from tasks union all select project_id, number from task_former_keys) n using (project_id)
    where project_id = any($1) group by 1, c.last_task_number having count(*) <> c.last_task_number or count(distinct number) <> c.last_task_number`, [ids]), [], 'each number was given once, and none is missing')
  t.same(await s.query(`
    select t.id from tasks t join activity_log a on a.entity_id = t.id and a.entity_type = 'task' where t.project_id = any($1)
    group by t.id, t.version having count(*) <> t.version or count(distinct a.version) <> t.version`, [ids]), [], 'one event for each version')
  t.same(await s.query(`
    select t.id from tasks t join lateral (
      select a.project_id from activity_log a where a.entity_id = t.id and a.entity_type = 'task' order by a.version desc limit 1) a on true
    where t.project_id = any($1) and t.project_id <> a.project_id`, [ids]), [], 'the last event is where the task is')
})
