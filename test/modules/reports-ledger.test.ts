import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { foldLedger, verifyCounts } from '../../modules/reports/index.js'
import { createdPerDay, tasksByBall, tasksByPriority, tasksByStatus } from '../../modules/reports/queries.js'
import type { Actor } from '../../plugins/auth/index.js'
import { parseConfig } from '../../plugins/config.js'
import type { Db } from '../../plugins/database/index.js'
import { JWT_SECRET, QUIET, startApp, type TestApp } from '../helper.js'
import { micros, slowCounts, type Filter } from './reports-slowly.js'

const actorOf = (person: { id: string, email: string, name: string }, timezone: string, permissions: string[] = []): Actor => ({ ...person, timezone, permissions, seesOpenProjects: true })
const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T
const ledger = (s: TestApp) => s.query('select status, priority, department, holder, delta from stat_ledger order by delta, status, priority')

/** The four reports and the same counted by hand, in one snapshot. */
async function compare (t: Test, db: Db, actors: Actor[], filters: Filter[]): Promise<void> {
  const now = new Date()
  await db.transaction().setIsolationLevel('repeatable read').execute(async (trx) => {
    const all = (table: 'users' | 'companies' | 'projects' | 'project_members' | 'tasks') => trx.selectFrom(table).selectAll().execute()
    const rows = { users: await all('users'), companies: await all('companies'), projects: await all('projects'), members: await all('project_members'), tasks: await all('tasks'), holds: [] }
    for (const actor of actors) {
      for (const filter of filters) {
        const fast = { status: await tasksByStatus(trx, actor, filter), priority: await tasksByPriority(trx, actor, filter), ball: await tasksByBall(trx, actor, filter), recent: await createdPerDay(trx, { actor, now, days: 5, filter }) }
        t.same(fast, slowCounts(rows, actor, micros(now.toISOString()), 5, filter), `${actor.email} ${actor.timezone} ${JSON.stringify(filter)}`)
      }
    }
    t.same(await verifyCounts(trx), [], 'the books balance in this snapshot')
  })
}

await t.test('each kind of change appends what it adds and takes away, and nothing else is appended', async (t) => {
  const s = await startApp(t)
  const [one, two] = [await s.addProject(), await s.addProject()]
  const appends = async (name: string, change: () => Promise<unknown>, expected: object[]) => {
    await foldLedger(s.app.db)
    await change()
    t.match(await ledger(s), expected, name)
    t.equal((await ledger(s)).length, expected.length, name)
    t.same(await verifyCounts(s.app.db), [], name)
  }
  let task: any
  const patch = (body: object) => s.patch(`/api/tasks/${task.id}`, body)
  await appends('creation', async () => { task = await s.addTask(one.id, { department: 'Service', ball_in_court: s.member.id }) }, [{ status: 'open', priority: 'normal', department: 'Service', holder: `user:${s.member.id}`, delta: 1 }])
  await appends('a title, an assignee, a due date', () => patch({ title: 'Other', assignee_id: s.member.id, due_at: '2026-01-01T00:00:00Z' }), [])
  await appends('a status', () => patch({ status: 'todo' }), [{ status: 'open', delta: -1 }, { status: 'todo', delta: 1 }])
  await appends('a priority', () => patch({ priority: 'urgent' }), [{ priority: 'normal', delta: -1 }, { priority: 'urgent', delta: 1 }])
  await appends('a department', () => patch({ department: null }), [{ department: 'Service', delta: -1 }, { department: '', delta: 1 }])
  await appends('a handover', () => s.post(`/api/tasks/${task.id}/ball`, { to_user_id: null }), [{ holder: `user:${s.member.id}`, delta: -1 }, { holder: 'nobody', delta: 1 }])
  const company = await s.post('/api/companies', { name: 'Halton Architects', kind: 'architect' })
  await appends('a handover to a company', () => s.post(`/api/tasks/${task.id}/ball`, { to_company_id: company.id }), [{ holder: 'nobody', delta: -1 }, { holder: `company:${company.id}`, delta: 1 }])
  await appends('and back', () => s.post(`/api/tasks/${task.id}/ball`, { to_user_id: null }), [{ holder: `company:${company.id}`, delta: -1 }, { holder: 'nobody', delta: 1 }])
  await appends('a merge', () => patch({ status: 'in_progress', base_version: 2 }).catch(() => patch({ status: 'in_progress' })), [{ status: 'todo', delta: -1 }, { status: 'in_progress', delta: 1 }])
  await appends('a deletion', () => s.ask('DELETE', `/api/tasks/${task.id}`), [{ status: 'in_progress', delta: -1 }])
  await appends('a restoration', () => s.post(`/api/tasks/${task.id}/restore`), [{ status: 'in_progress', delta: 1 }])
  await appends('another project', () => s.query('update tasks set project_id = $2 where id = $1', [task.id, two.id]), [{ delta: -1 }, { delta: 1 }])
  await appends('a project\'s deletion', () => s.ask('DELETE', `/api/projects/${two.id}`), [])
  t.same((await s.get('/api/reports/tasks/status')).filter(({ count }: any) => count > 0), [], 'its tasks are no longer counted')
  await appends('a project\'s restoration', () => s.post(`/api/projects/${two.id}/restore`), [])
  t.same((await s.get('/api/reports/tasks/status')).filter(({ count }: any) => count > 0), [{ status: 'in_progress', count: 1 }], 'its tasks are counted again')
  await s.app.db.transaction().execute(async (trx) => {
    await trx.updateTable('tasks').set({ priority: 'low' }).where('id', '=', task.id).execute()
    t.equal((await tasksByPriority(trx, actorOf(s.admin, 'UTC'), {})).find(({ priority }) => priority === 'low')?.count, 1, 'a transaction sees its own change')
    throw new Error('roll back')
  }).catch(() => {})
  t.equal((await s.get('/api/reports/tasks/priority'))[0].count, 0, 'what is rolled back never counted')

  const many = await Promise.all(Array.from({ length: 300 }, () => s.addTask(one.id)))
  await appends('three hundred at once', () => s.post('/api/tasks/bulk', { changes: many.map(({ id }) => ({ id, set: { priority: 'high' } })) }), [{ delta: -300 }, { delta: 300 }].slice(0, 2))
  await appends('a change there and back in one transaction still sums to nothing', () => s.query(`
    do $$ begin update tasks set status = 'todo' where project_id = '${one.id}'; update tasks set status = 'open' where project_id = '${one.id}'; end $$`), [{ delta: -300 }, { delta: -300 }, { delta: 300 }, { delta: 300 }])
  await appends('an upsert', () => s.query(`insert into tasks as x (id, project_id, number, title, ball_since, last_activity_at, created_by, created_at, updated_at)
    select v.id, project_id, v.number, title, ball_since, last_activity_at, created_by, created_at, updated_at from tasks, (values ($1::uuid, 900), ($2::uuid, 901)) v (id, number) where tasks.id = $1
    on conflict (id) do update set priority = 'urgent'`, [many[0].id, randomUUID()]), [{ priority: 'high', delta: -1 }, { priority: 'normal', delta: 1 }, { priority: 'urgent', delta: 1 }])
  await t.rejects(s.query('update stat_ledger set delta = 2'), { message: /append-only/ })
  await s.query("do $$ begin perform set_config('eden.replaces_all_data', 'yes', true); truncate tasks cascade; end $$")
  t.same(await s.query('select project_id from stat_totals union all select project_id from stat_ledger'), [], 'emptied with the tasks')
  t.same(await verifyCounts(s.app.db), [])
})

await t.test('folding changes no number, leaves nothing at zero, and may happen twice, at once, or be killed', async (t) => {
  const s = await startApp(t)
  const project = await s.addProject()
  const reports = () => Promise.all(['tasks/status', 'tasks/ball', 'tasks/priority', 'activity/recent', 'projects/health', 'throughput'].map((path) => s.get(`/api/reports/${path}`)))
  // More than a batch of the folder, of which much comes to nothing.
  await s.query(`insert into tasks (id, project_id, number, title, priority, ball_since, last_activity_at, created_by, created_at, updated_at)
    select gen_random_uuid(), $1, n, 'x', (array['low', 'high'])[n % 2 + 1], x, x, $2, x, x from generate_series(1, 9000) n, lateral (select now() - make_interval(mins => n * 15) as x) m`, [project.id, s.admin.id])
  for (const status of ['todo', 'open']) await s.query('update tasks set status = $1', [status])
  const [[{ count: written }], before] = [await s.query('select count(*)::int from stat_ledger'), (await reports()).slice(0, 4)]
  t.ok(written > 40_000, `${written} rows`)

  const client = new pg.Client(s.url)
  client.on('error', () => {})
  await client.connect()
  await client.query('begin')
  await client.query("select pg_advisory_xact_lock(hashtextextended('stat ledger', 0))")
  t.equal(await foldLedger(s.app.db), 0, 'somebody else is at it')
  await client.query('delete from stat_ledger')
  await s.query('select pg_terminate_backend($1)', [(client as unknown as { processID: number }).processID])
  while ((await s.query("select from pg_stat_activity where datname = current_database() and query like 'delete from stat_ledger%' and pid <> pg_backend_pid()")).length > 0) await wait(10)
  t.equal((await s.query('select count(*)::int from stat_ledger'))[0].count, written, 'who is killed in the middle has done nothing')

  const folded = await Promise.all(Array.from({ length: 6 }, () => foldLedger(s.app.db)))
  t.equal(folded.reduce((sum, rows) => sum + rows, 0) + await foldLedger(s.app.db), written, 'each row once')
  t.equal(await foldLedger(s.app.db), 0)
  t.same((await reports()).slice(0, 4), before)
  t.same(await s.query("select from stat_totals where count = 0 or key = 'todo'"), [])
  t.same(await verifyCounts(s.app.db), [])

  await s.query("update stat_totals set count = count + 1 where key = 'open' and project_id = $1", [project.id])
  t.same(await verifyCounts(s.app.db), [{ project_id: project.id, dim: 'status', department: '', key: 'open', counted: 9001, actual: 9000 }], 'a wrong number is found')
  await s.query('select rebuild_stats()')
  t.same(await verifyCounts(s.app.db), [], 'and put right')
})

await t.test('who sees few projects, most, or all gets the numbers of those, whichever way they are added up', async (t) => {
  const s = await startApp(t)
  const projects = await Promise.all(Array.from({ length: 9 }, (_, n) => s.addProject({ visibility: n % 3 === 0 ? 'company' : 'members' })))
  const some = await s.addPerson('member')
  for (const { id } of projects.slice(0, 5)) await s.ask('PUT', `/api/projects/${id}/members/${some.id}`, { body: { role: 'viewer' } })
  await s.query(`insert into tasks (id, project_id, number, title, status, priority, department, ball_in_court, ball_since, closed_at, last_activity_at, created_by, created_at, updated_at)
    select gen_random_uuid(), ($1::uuid[])[n % 9 + 1], n, 'x', status, (array['low', 'normal', 'high'])[n % 3 + 1], (array['Service', null])[n % 2 + 1],
      case when status <> 'done' then ($2::uuid[])[n % 3 + 1] end, x, case when status = 'done' then x end, x, $3, x, x
    from generate_series(1, 500) n, lateral (select now() - make_interval(mins => n * 17) as x, (array['open', 'review', 'done'])[n % 3 + 1] as status) m`, [projects.map(({ id }) => id), [s.member.id, some.id, null], s.admin.id])
  const actors = [actorOf(s.admin, 'America/Toronto', ['projects:read_all']), actorOf(some, 'Asia/Kathmandu'), actorOf(s.viewer, 'Australia/Lord_Howe')]
  const time = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
  const filters: Filter[] = [{}, { project: [projects[0].id] }, { project: projects.map(({ id }) => id) }, { department: ['Service'] }, { from: time(50.123) }, { from: time(60.01), to: time(60) }, { to: time(30.5), project: projects.slice(1).map(({ id }) => id) }, { from: time(1), to: time(2) }]
  for (const step of ['in the ledger', 'folded', 'half and half', 'one deleted']) {
    if (step === 'folded') await foldLedger(s.app.db)
    if (step === 'half and half') await s.query("update tasks set status = 'todo', department = 'Service' where status = 'open' and number < 250")
    if (step === 'one deleted') await s.ask('DELETE', `/api/projects/${projects[3].id}`)
    await t.test(step, (t) => compare(t, s.app.db, actors, filters))
  }
})

await t.test('many write, folders fold, connections are cut: every snapshot\'s numbers are right, and at the end the books balance', async (t) => {
  const s = await startApp(t)
  const projects = [await s.addProject(), await s.addProject(), await s.addProject({ visibility: 'members' })]
  const people = [s.admin, s.manager, s.member]
  const tasks: string[] = (await Promise.all(Array.from({ length: 12 }, (_, n) => s.addTask(projects[n % 3].id)))).map(({ id }) => id)
  const company = await s.post('/api/companies', { name: 'Halton Architects', kind: 'architect' })
  const wanted = { more: true }
  let done = 0
  const wishes: (() => Promise<unknown>)[] = [
    () => s.ask('PATCH', `/api/tasks/${pick(tasks)}`, { body: { status: pick(['open', 'todo', 'in_progress', 'done', 'closed']), priority: pick(['low', 'high']) } }),
    () => s.ask('POST', `/api/tasks/${pick(tasks)}/ball`, { body: { to_user_id: pick([...people.map(({ id }) => id), null]) } }),
    () => s.ask('POST', `/api/tasks/${pick(tasks)}/ball`, { body: { to_company_id: company.id } }),
    () => s.ask('PATCH', `/api/tasks/${pick(tasks)}`, { body: { base_version: 1, department: pick(['Service', 'Accounting', null]) } }),
    () => s.ask('POST', '/api/tasks/bulk', { body: { changes: [...new Set([pick(tasks), pick(tasks), pick(tasks)])].map((id) => ({ id, set: { priority: pick(['normal', 'urgent']), ball_in_court: pick(people).id } })) } }),
    () => s.ask('POST', `/api/projects/${pick(projects).id}/tasks`, { body: { title: 'More' } }),
    () => s.ask('DELETE', `/api/tasks/${pick(tasks)}`),
    () => s.ask('POST', `/api/tasks/${pick(tasks)}/restore`),
    () => s.ask('DELETE', `/api/projects/${projects[1].id}`),
    () => s.ask('POST', `/api/projects/${projects[1].id}/restore`),
    () => s.query('update tasks set project_id = $2, number = number + 100000 where id = $1', [pick(tasks), pick(projects).id]),
    () => foldLedger(s.app.db),
    () => s.query("select pg_terminate_backend(pid) from (select pid from pg_stat_activity where application_name = 'eden-erp' and datname = current_database() order by random() limit 1) victim")
  ]
  const written = () => done
  const writers = Array.from({ length: 6 }, async () => {
    // What was cut says so; that it was all or nothing is what is looked at.
    while (wanted.more) await pick(wishes)().then(() => done++, () => {})
  })
  const actors = [actorOf(s.admin, 'America/Toronto', ['projects:read_all']), actorOf(s.viewer, 'Asia/Kolkata')]
  // Snapshots are taken through an app of their own, by the name of which its connections are spared.
  const url = new URL(s.url)
  url.searchParams.set('application_name', 'snapshots')
  const reader = await buildApp(parseConfig({ ...QUIET, DATABASE_URL: url.href, JWT_SECRET }))
  t.teardown(() => reader.close())
  let compared = 0
  try {
    for (; compared < 10 || written() < 600; compared++) await compare(t, reader.db, actors, [{}, { department: ['Service'] }, { project: [projects[0].id] }])
  } finally {
    wanted.more = false
    await Promise.all(writers)
  }
  t.comment(`${done} changes, ${compared} snapshots`)
  while (await foldLedger(s.app.db).catch(() => 1) > 0);
  t.same(await s.query('select * from stat_ledger'), [])
  t.same(await verifyCounts(s.app.db), [])
})
