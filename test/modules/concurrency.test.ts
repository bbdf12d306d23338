import { randomBytes } from 'node:crypto'
import t from 'tap'
import pg from 'pg'
import { makeLink, redeemLink } from '../../modules/accounts/links/queries.js'
import { changePassword } from '../../modules/accounts/passwords/queries.js'
import { endSessions, MOST_SESSIONS, openSession } from '../../modules/accounts/sessions/queries.js'
import { updateUser } from '../../modules/users/queries.js'
import { formWith, startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const patch = (id: string, body: object, headers?: Record<string, string>) => s.ask('PATCH', `/api/tasks/${id}`, { body, headers })
const statuses = (answers: { statusCode: number }[]) => answers.map(({ statusCode }) => statusCode).sort()

/** Runs requests that all wait for the lock of one row, and lets them go at once; the first comes first. @param also what else keeps them waiting */
async function queueUp (row: string, requests: (() => Promise<any>)[], also?: string): Promise<any[]> {
  const client = new pg.Client({ connectionString: s.url })
  await client.connect()
  try {
    await client.query('begin')
    await client.query(`select from ${row} for update`)
    if (also !== undefined) await client.query(also)
    const answers: Promise<any>[] = []
    for (const request of requests) {
      answers.push(request())
      while (Number((await s.query('select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = \'Lock\''))[0].count) < answers.length);
    }
    await client.query('commit')
    return await Promise.all(answers)
  } finally {
    await client.end()
  }
}

await t.test('of two changes from the same version exactly one wins, every time', async (t) => {
  for (let round = 0; round < 20; round++) {
    const { id } = await s.addTask(project.id)
    const answers = await Promise.all([patch(id, { title: 'One' }, { 'if-match': '"1"' }), patch(id, { description: 'Two' }, { 'if-match': '"1"' })])
    t.same(statuses(answers), [200, 412])
    t.match(answers.find(({ statusCode }) => statusCode === 412)?.json(), { code: 'EDEN_STALE', current_version: 2 })
    const task = await s.get(`/api/tasks/${id}`)
    t.same([task.version, task.title === 'One', task.description === 'Two'].sort(), [2, false, true].sort())
  }
})

await t.test('a change and a deletion from the same version: one wins', async (t) => {
  for (let round = 0; round < 10; round++) {
    const { id } = await s.addTask(project.id)
    const [change, removal] = await Promise.all([patch(id, { title: 'x' }, { 'if-match': '"1"' }), s.ask('DELETE', `/api/tasks/${id}`, { headers: { 'if-match': '"1"' } })])
    t.ok([[200, 412], [404, 200]].some(([a, b]) => change.statusCode === a && removal.statusCode === b), `${change.statusCode} ${removal.statusCode}`)
  }
})

await t.test('changes without a precondition all happen, one after the other: no version and no value is lost', async (t) => {
  const { id } = await s.addTask(project.id)
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => patch(id, n % 3 === 0 ? { title: `${n}` } : n % 3 === 1 ? { tags: [`${n}`] } : { ball_in_court: [s.member.id, s.manager.id, null][Math.floor(n / 3) % 3] })))
  t.same(new Set(statuses(answers)), new Set([200]))
  const log = await s.query('select version, changes from activity_log where entity_id = $1 order by version', [id])
  t.same(log.map(({ version }) => version), log.map((_, n) => n + 1))
  const value: Record<string, unknown> = { ball_in_court: null }
  for (const { changes } of log) {
    for (const [field, [from, to]] of Object.entries(changes) as [string, [unknown, unknown]][]) {
      t.same(from, value[field] ?? null, 'each change begins where the one before ended')
      value[field] = to
    }
  }
  const task = await s.get(`/api/tasks/${id}`)
  t.match(task, { title: value.title, tags: value.tags, ball_in_court: value.ball_in_court, version: log.length })
})

await t.test('of deletions at once, and of restorations at once, one is done', async (t) => {
  const { id } = await s.addTask(project.id)
  t.same(statuses(await Promise.all(Array.from({ length: 6 }, () => s.ask('DELETE', `/api/tasks/${id}`)))), [200, 404, 404, 404, 404, 404])
  t.same(statuses(await Promise.all(Array.from({ length: 6 }, () => s.ask('POST', `/api/tasks/${id}/restore`)))), [200, 404, 404, 404, 404, 404])
  t.match(await s.get(`/api/tasks/${id}`), { version: 3 })
})

await t.test('two tasks cannot become each other\'s parent at once, nor can a ring close; nobody is told to try again', async (t) => {
  for (let round = 0; round < 8; round++) {
    const size = round % 2 ? 2 : 4
    const ring = await Promise.all(Array.from({ length: size }, () => s.addTask(project.id)))
    const answers = await Promise.all(ring.map(({ id }, n) => patch(id, { parent_id: ring[(n + 1) % size].id })))
    t.same(statuses(answers), [...Array(size - 1).fill(200), 422])
    t.match(answers.find(({ statusCode }) => statusCode === 422)?.json(), { code: 'EDEN_PARENT_CYCLE' })
  }
  const tasks = await Promise.all(Array.from({ length: 10 }, () => s.addTask(project.id)))
  const answers = await Promise.all(Array.from({ length: 80 }, (_, n) => patch(tasks[(n * 7) % 10].id, { parent_id: tasks[(n * 3 + Math.floor(n / 10)) % 10].id })))
  t.same([...new Set(statuses(answers))], [200, 422])
  t.same(await s.query('with recursive up (id, parent_id) as (select id, parent_id from tasks union select u.id, t.parent_id from up u join tasks t on t.id = u.parent_id) select id from up where id = parent_id'), [], 'no task is its own ancestor')
})

await t.test('who changes a subtask waits for nobody who changes families: they may wait for that subtask', async (t) => {
  const parent = await s.addTask(project.id)
  const task = await s.addTask(project.id, { parent_id: parent.id })
  const other = new pg.Client({ connectionString: s.url })
  await other.connect()
  t.teardown(() => other.end())
  await other.query('begin')
  await other.query("select pg_advisory_xact_lock(hashtextextended('task parents of ' || $1, 0))", [project.id])
  t.equal((await patch(task.id, { title: 'Meanwhile', priority: 'high' })).statusCode, 200)
  t.equal((await s.ask('POST', '/api/tasks/bulk', { body: { changes: [{ id: task.id, set: { tags: ['meanwhile'] } }] } })).statusCode, 200)
  await other.query('commit')
  t.match(await s.get(`/api/tasks/${task.id}`), { title: 'Meanwhile', parent_id: parent.id, version: 3 })
})

await t.test('bulk changes that make families at once do not block each other for good', async (t) => {
  const tasks = (await Promise.all(Array.from({ length: 12 }, () => s.addTask(project.id)))).map(({ id }) => id)
  const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => s.ask('POST', '/api/tasks/bulk', {
    body: { changes: [0, 1, 2, 3].map((k) => ({ id: tasks[(n + k * 3) % 12], set: { parent_id: tasks[(n + k * 3 + 1 + n % 2) % 12] } })) }
  })))
  t.same([...new Set(statuses(answers))].filter((status) => status !== 200 && status !== 422), [])
})

await t.test('who reopens a task right after it was handed over and finished gives the ball back to whom it was taken from', async (t) => {
  let inOrder = 0
  for (let round = 0; round < 10; round++) {
    const { id } = await s.addTask(project.id, { status: 'in_progress' })
    const answers = await queueUp(`tasks where id = '${id}'`, [
      () => s.ask('POST', `/api/tasks/${id}/ball`, { body: { to_user_id: s.member.id } }),
      () => patch(id, { status: 'done' }),
      () => patch(id, { status: 'in_progress' })
    ])
    t.same(answers.map(({ statusCode }) => statusCode), [201, 200, 200])
    if (answers[2].json().version < 4) continue // it overtook what finishes the task, and had nothing to reopen
    inOrder++
    t.same((await s.get(`/api/tasks/${id}/ball`)).map(({ holder }: any) => holder?.id ?? null), [null, s.member.id, null, s.member.id])
  }
  t.ok(inOrder > 0)
})

await t.test('acknowledged by several requests at once, a ball is acknowledged once', async (t) => {
  const { id } = await s.addTask(project.id)
  await queueUp(`tasks where id = '${id}'`, [() => s.ask('POST', `/api/tasks/${id}/ball`, { body: { to_user_id: s.member.id } }), ...Array.from({ length: 3 }, () => () => s.ask('POST', `/api/tasks/${id}/ball/ack`, { as: s.member }))])
  t.equal((await s.get(`/api/tasks/${id}/activity?action=ball_acknowledged`)).length, 1)
})

await t.test('a handover that waits for a pause ends it, and of pauses or resumptions at once one is done', async (t) => {
  for (let round = 0; round < 6; round++) {
    const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
    const answers = await queueUp(`tasks where id = '${id}'`, [
      () => s.ask('POST', `/api/tasks/${id}/ball/pause`, { body: { reason: 'Permit' } }),
      () => s.ask('POST', `/api/tasks/${id}/ball`, { body: { to_user_id: s.manager.id } })
    ])
    t.same(answers.map(({ statusCode }) => statusCode), [200, 201])
    const holds = await s.get(`/api/tasks/${id}/ball`)
    t.same(holds.map(({ pauses }: any) => pauses.length).sort(), [0, 1])
    t.ok(holds.every(({ pauses, ended_at: end }: any) => pauses.every((pause: any) => end === null || pause.ended_at === end)))
  }
  const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
  t.same(statuses(await Promise.all(Array.from({ length: 5 }, () => s.ask('POST', `/api/tasks/${id}/ball/pause`, { body: { reason: 'Permit' } })))), [200, 409, 409, 409, 409])
  t.same(statuses(await Promise.all(Array.from({ length: 5 }, () => s.ask('POST', `/api/tasks/${id}/ball/resume`)))), [200, 409, 409, 409, 409])
  t.equal((await s.query('select from ball_pauses where task_id = $1', [id])).length, 1)
})

await t.test('of nudges by one person at once one is done', async (t) => {
  const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
  t.same(statuses(await Promise.all(Array.from({ length: 5 }, () => s.ask('POST', `/api/tasks/${id}/ball/nudge`)))), [200, 429, 429, 429, 429])
})

await t.test('roles in a project that are given at once are logged as they followed each other', async (t) => {
  const { id } = await s.addProject()
  const put = (role: string) => s.ask('PUT', `/api/projects/${id}/members/${s.member.id}`, { body: { role } })
  t.same(statuses(await Promise.all([put('viewer'), put('viewer'), put('viewer')])), [200, 200, 200])
  t.same(statuses(await queueUp(`project_members where project_id = '${id}' and user_id = '${s.member.id}'`, [() => put('manager'), () => put('member'), () => put('viewer')])), [200, 200, 200])
  const log = (await s.query('select action, changes -> \'member_role\' as role from activity_log where project_id = $1 and action like \'member%\' order by created_at, id', [id]))
  t.same(log.map(({ action }) => action), ['member_added', 'member_changed', 'member_changed', 'member_changed'])
  t.same(log.map(({ role }) => role[0]), [null, ...log.slice(0, -1).map(({ role }) => role[1])])
})

await t.test('bulk changes of parents in two projects, in opposite orders at once, do not block each other for good', async (t) => {
  const [a, b] = [await s.addProject(), await s.addProject()]
  const [parentA, parentB] = [await s.addTask(a.id), await s.addTask(b.id)]
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(Array.from({ length: 4 }, async (_, n) => {
      const changes = [{ id: (await s.addTask(a.id)).id, set: { parent_id: parentA.id } }, { id: (await s.addTask(b.id)).id, set: { parent_id: parentB.id } }]
      return () => s.ask('POST', '/api/tasks/bulk', { body: { changes: n % 2 ? changes : changes.reverse() } })
    })).then((requests) => Promise.all(requests.map((request) => request())))
    t.same(statuses(answers), [200, 200, 200, 200])
  }
})

await t.test('tasks that are added while their project is deleted and restored keep their numbers gapless', async (t) => {
  const { id } = await s.addProject()
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => n % 10 === 4
    ? s.ask('DELETE', `/api/projects/${id}`)
    : n % 10 === 7 ? s.ask('POST', `/api/projects/${id}/restore`) : s.ask('POST', `/api/projects/${id}/tasks`, { body: { title: `${n}` } })))
  t.same([...new Set(statuses(answers))].filter((status) => ![200, 201, 404, 422].includes(status)), [])
  const numbers = (await s.query('select number from tasks where project_id = $1 order by number', [id])).map(({ number }) => number)
  t.same(numbers, numbers.map((_, n) => n + 1))
})

await t.test('who ticks steps off while others reorder, add and remove them waits, and nobody is told to try again', async (t) => {
  const { id } = await s.addTask(project.id)
  const steps: string[] = []
  for (let n = 0; n < 10; n++) steps.push((await s.post(`/api/tasks/${id}/checklist`, { label: `${n}` })).id)
  const answers = (await Promise.all(Array.from({ length: 60 }, (_, n) => n % 3 === 0
    ? s.ask('POST', `/api/tasks/${id}/checklist/reorder`, { body: { ids: n % 2 ? steps : [...steps].reverse() } })
    : n % 20 === 7
      ? s.ask('DELETE', `/api/checklist/${steps[n % 10]}`)
      : s.ask('PATCH', `/api/checklist/${steps[n % 10]}`, { body: { is_done: n % 2 === 0, label: `Step ${n}` } }))))
  t.same([...new Set(statuses(answers))].filter((status) => status !== 200 && status !== 404), [])
  const places = (await s.query('select position from checklist_items where task_id = $1 order by position', [id])).map(({ position }) => position)
  t.same(places, places.map((_, n) => n + 1))
})

await t.test('who gives a task another parent on the base of a version, and who does so without, take turns', async (t) => {
  const parents = await Promise.all([1, 2, 3].map(() => s.addTask(project.id)))
  const { id } = await s.addTask(project.id)
  const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => patch(id, { parent_id: parents[n % 3].id, ...(n % 2 ? { base_version: 1 } : {}) })))
  t.same([...new Set(statuses(answers))].filter((status) => status !== 200 && status !== 409), [])
})

await t.test('who lets two tasks of a family wait for each other while it moves does not block the move for good', async (t) => {
  const [from, to] = [await s.addProject(), await s.addProject()]
  const root = await s.addTask(from.id)
  const [first, between, last] = [await s.addTask(from.id, { parent_id: root.id }), await s.addTask(from.id, { parent_id: root.id }), await s.addTask(from.id, { parent_id: root.id })]
  const answers = await queueUp(`tasks where id = '${between.id}'`, [
    () => s.ask('POST', `/api/tasks/${root.id}/move`, { body: { project_id: to.id } }),
    () => s.ask('POST', `/api/tasks/${last.id}/dependencies`, { body: { blocks_id: first.id } })
  ])
  t.same(answers.map(({ statusCode }) => statusCode), [200, 201])
  t.same(await s.query("select project_id from activity_log where entity_type = 'dependency' and task_id = $1", [first.id]), [{ project_id: to.id }])
})

await t.test('what is done to a task that has just moved is told in the project where it went, and not in the one that it left', async (t) => {
  const doings: Record<string, (task: any) => Promise<[string, () => Promise<any>]>> = {
    'a text': async ({ id }) => {
      const comment = await s.post(`/api/tasks/${id}/comments`, { body: 'Before' })
      return [comment.id, () => s.ask('PATCH', `/api/comments/${comment.id}`, { body: { body: 'After' } })]
    },
    'a comment': async ({ id }) => {
      const comment = await s.post(`/api/tasks/${id}/comments`, { body: 'Before' })
      return [comment.id, () => s.ask('DELETE', `/api/comments/${comment.id}`)]
    },
    'a step': async ({ id }) => {
      const step = await s.post(`/api/tasks/${id}/checklist`, { label: 'Before' })
      return [step.id, () => s.ask('PATCH', `/api/checklist/${step.id}`, { body: { label: 'After' } })]
    },
    'a file': async ({ id }) => {
      const file = (await s.ask('POST', `/api/tasks/${id}/attachments`, formWith('bytes', 'plan.txt'))).json()
      return [file.id, () => s.ask('DELETE', `/api/attachments/${file.id}`)]
    },
    'what waits for it': async ({ id, project_id: projectId }) => {
      const blocker = await s.addTask(projectId)
      const dependency = await s.post(`/api/tasks/${blocker.id}/dependencies`, { blocks_id: id })
      return [dependency.id, () => s.ask('DELETE', `/api/tasks/${blocker.id}/dependencies/${id}`)]
    }
  }
  for (const [name, prepare] of Object.entries(doings)) {
    const [from, to] = [await s.addProject(), await s.addProject()]
    const task = await s.addTask(from.id)
    const [id, act] = await prepare(task)
    const answers = await queueUp(`tasks where id = '${task.id}'`, [() => s.ask('POST', `/api/tasks/${task.id}/move`, { body: { project_id: to.id } }), act])
    t.same(answers.map(({ statusCode }) => statusCode), [200, 200], name)
    t.same(await s.query('select project_id from activity_log where entity_id = $1 order by created_at desc limit 1', [id]), [{ project_id: to.id }], name)
  }
})

await t.test('two who give each other another address at once, and somebody who accepts an invitation meanwhile, do not block each other for good', async (t) => {
  const changed = (id: string, actorId: string, set: { email?: string, name?: string }) => updateUser(s.app.db, { id, set, origin: { actorId, requestId: 'test' } })
  const [one, other] = [await s.addPerson('admin'), await s.addPerson('admin')]
  const task = await s.addTask(project.id)
  for (let round = 0; round < 20; round++) {
    await Promise.all([
      changed(one.id, other.id, { email: `one${round}@example.com` }),
      changed(other.id, one.id, { email: `other${round}@example.com` }),
      // Each of these refers to both of them.
      ...[one.id, other.id].map(async (id) => t.equal((await patch(task.id, { assignee_id: id, ball_in_court: id === one.id ? other.id : one.id })).statusCode, 200))
    ])
  }
  for (let round = 0; round < 10; round++) {
    const { id } = await s.addPerson('member')
    const token = randomBytes(32).toString('base64url')
    await makeLink(s.app.db, { by: { id }, purpose: 'invitation', token, minutes: 10 })
    await Promise.all([
      s.app.db.transaction().execute(async (trx) => {
        await redeemLink(trx, { token, purpose: 'invitation', passwordHash: '$argon2id$one' })
        await updateUser(trx, { id, set: { name: 'Their own' }, origin: { actorId: id, requestId: 'test' } })
      }),
      changed(id, s.admin.id, { email: `invited${round}@example.com` })
    ])
    t.match(await s.get(`/api/users/${id}`), { name: 'Their own', email: `invited${round}@example.com`, version: 3 })
  }
})

await t.test('of a password that is changed and one that is reset at once one holds, and both are answered', async (t) => {
  for (let round = 0; round < 100; round++) {
    const { id } = await s.addPerson('member')
    await s.query('insert into user_credentials (user_id, password_hash) values ($1, $2)', [id, '$argon2id$old'])
    const token = randomBytes(32).toString('base64url')
    await makeLink(s.app.db, { by: { id }, purpose: 'password_reset', token, minutes: 10 })
    const [reset, change] = await Promise.all([
      redeemLink(s.app.db, { token, purpose: 'password_reset', passwordHash: '$argon2id$reset' }),
      changePassword(s.app.db, { userId: id, from: '$argon2id$old', to: '$argon2id$changed' })
    ])
    t.same([reset !== undefined, change].filter(Boolean).length, 1)
    t.same(await s.query('select password_hash from user_credentials where user_id = $1', [id]), [{ password_hash: reset !== undefined ? '$argon2id$reset' : '$argon2id$changed' }])
  }
})

await t.test('who merges a change while a month is added to the log waits for that', async (t) => {
  const [busy, task] = [await s.addTask(project.id), await s.addTask(project.id)]
  const [made, merged] = await queueUp(`tasks where id = '${busy.id}'`, [
    () => s.query("select create_activity_partition('2040-01-01')").then(() => ({ statusCode: 200 }), () => ({ statusCode: 500 })),
    () => patch(task.id, { title: 'Merged', base_version: 1 })
  ], `update tasks set title = title where id = '${busy.id}'`)
  t.same([made.statusCode, merged.statusCode], [200, 200])
})

await t.test('who ends all sessions and who opens one too many do not block each other for good', async (t) => {
  const { id } = await s.addPerson('member')
  await s.query('insert into user_credentials (user_id, password_hash) values ($1, $2)', [id, '$argon2id$one'])
  const open = () => openSession(s.app.db, { userId: id, passwordHash: '$argon2id$one', ip: '127.0.0.1', lifetimes: { idleHours: 1, mostHours: 2, graceSeconds: 10 } })
  const sessions = await s.query(`
    insert into sessions (id, user_id, ip, created_at, last_used_at, expires_at, must_end_at)
    select ('01900000-0000-7000-8000-0000000000' || n)::uuid, $1, '127.0.0.1', now() - interval '1 hour', now() - (100 - n) * interval '1 second', now() + interval '1 hour', now() + interval '1 hour'
    from generate_series(10, 10 + $2::int) n returning id`, [id, MOST_SESSIONS + 10])
  const [ended, opened] = await queueUp(`sessions where id = '${sessions[5].id}'`, [() => endSessions(s.app.db, { userId: id, reason: 'signed_out_everywhere' }), open])
  t.equal(ended, MOST_SESSIONS + 11)
  t.match(opened, { hasEnded: true })
})
