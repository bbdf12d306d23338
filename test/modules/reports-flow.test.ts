import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { createdPerDay, tasksByBall, tasksByPriority, tasksByStatus } from '../../modules/reports/queries.js'
import { foldLedger, verifyCounts } from '../../modules/reports/index.js'
import { ageing } from '../../modules/reports/ageing/queries.js'
import { ballFlow } from '../../modules/reports/flow/queries.js'
import { projectHealth } from '../../modules/reports/health/queries.js'
import { throughput } from '../../modules/reports/throughput/queries.js'
import { workload } from '../../modules/reports/workload/queries.js'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { startApp, type Person } from '../helper.js'
import { micros, slowAgeing, slowCounts, slowFlow, slowHealth, slowThroughput, slowWorkload, type Filter, type Rows } from './reports-slowly.js'

const seed = Number(process.env.EDEN_REPORTS_SEED ?? Math.floor(Math.random() * 1e6))
t.comment(`EDEN_REPORTS_SEED=${seed}`)
let state = seed
/** mulberry32, public domain: the history repeats with its seed. */
function random (): number {
  state = (state + 0x6D2B79F5) | 0
  let x = Math.imul(state ^ (state >>> 15), 1 | state)
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
  return ((x ^ (x >>> 14)) >>> 0) / 4294967296
}
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
const chance = (share: number) => random() < share

const s = await startApp(t)
const departments = ['Operations', 'Service', null]
const people: Person[] = [s.admin, s.manager, s.member, ...await Promise.all(Array.from({ length: 5 }, () => s.addPerson('member')))]
for (const [n, { id }] of people.entries()) await s.query('update users set department = $2 where id = $1', [id, departments[n % 3]])
const gone = await s.addPerson('member', { is_active: false })
const projects = [await s.addProject(), await s.addProject({ status: 'on_hold' }), await s.addProject({ visibility: 'members' }), await s.addProject()]
const dropped = await s.addProject()
await s.ask('PUT', `/api/projects/${projects[2].id}/members/${s.member.id}`, { body: { role: 'viewer' } })
const companies = await Promise.all(['Halton Architects', 'City of Milton'].map((name) => s.post('/api/companies', { name, kind: 'ahj' })))
const HOUR = 3_600_000

/** The columns of a hold that say whose it is. */
const heldBy = (holder: { id: string } | null) => {
  const isCompany = companies.some(({ id }) => id === holder?.id)
  return { user_id: isCompany ? null : holder?.id ?? null, company_id: isCompany ? holder?.id ?? null : null }
}

/** A history of months: each task with its holds, which meet, ended at whole and at odd microseconds. */
async function makeHistory (until: number, tasks: number): Promise<void> {
  const taskRows: object[] = []
  const holdRows: object[] = []
  const text = (ms: number) => new Date(ms).toISOString().replace('Z', `${chance(0.5) ? String(Math.floor(random() * 1000)).padStart(3, '0') : '000'}Z`)
  for (let n = 1; n <= tasks; n++) {
    const id = randomUUID()
    const holders = [...people, gone, null, ...companies]
    const finished = chance(0.55)
    const times = Array.from({ length: 1 + Math.floor(random() * 5) }, () => until - Math.floor(random() ** 2 * 250 * 24) * HOUR - (chance(0.3) ? 0 : Math.floor(random() * HOUR))).sort((a, b) => a - b).map(text)
    const holds = times.map((start, i) => ({
      task_id: id,
      no: i + 1,
      ...heldBy(finished && i === times.length - 1 ? null : pick(holders)),
      started_at: start,
      ended_at: times[i + 1] ?? null,
      expected_by: chance(0.3) ? new Date(Date.parse(start) + random() * 400 * HOUR).toISOString() : null,
      outcome: i === times.length - 1 ? null : finished && i === times.length - 2 ? 'finished' : pick(['passed', 'passed', 'reopened'])
    })).map((hold) => ({ ...hold, acknowledged_at: hold.user_id !== null && chance(0.5) ? hold.started_at : null }))
    const last = holds.at(-1) as (typeof holds)[number]
    taskRows.push({
      id,
      project_id: pick([...projects.slice(0, 3), dropped]).id,
      number: 10_000 + n,
      title: `Task ${n}`,
      status: finished ? pick(['done', 'closed']) : pick(['open', 'todo', 'in_progress', 'review']),
      department: pick(departments),
      assignee_id: chance(0.7) ? pick([...people, gone]).id : null,
      ball_in_court: last.user_id,
      ball_company_id: last.company_id,
      ball_no: holds.length,
      ball_since: last.started_at,
      due_at: chance(0.6) ? new Date(until + Math.round((random() - 0.4) * 30 * 24) * HOUR).toISOString() : null,
      closed_at: finished ? last.started_at : null,
      created_at: times[0],
      updated_at: last.started_at,
      last_activity_at: last.started_at,
      created_by: s.admin.id,
      deleted_at: chance(0.08) ? last.started_at : null
    })
    holdRows.push(...holds)
  }
  await s.query(`insert into tasks (id, project_id, number, title, status, department, assignee_id, ball_in_court, ball_company_id, ball_no, ball_since, due_at, closed_at, created_at, updated_at, last_activity_at, created_by, deleted_at, deleted_by)
    select id, project_id, number, title, status, department, assignee_id, ball_in_court, ball_company_id, ball_no, ball_since, due_at, closed_at, created_at, updated_at, last_activity_at, created_by, deleted_at, case when deleted_at is not null then created_by end
    from jsonb_populate_recordset(null::tasks, $1)`, [JSON.stringify(taskRows)])
  await s.query(`insert into ball_holds (task_id, no, user_id, company_id, started_at, ended_at, expected_by, outcome, acknowledged_at)
    select task_id, no, user_id, company_id, started_at, ended_at, expected_by, outcome, acknowledged_at from jsonb_populate_recordset(null::ball_holds, $1)`, [JSON.stringify(holdRows)])
}

const actorOf = (person: Person, timezone: string, permissions: string[] = []): Actor => ({ ...person, timezone, permissions, seesOpenProjects: true })
const byKey = (lines: any[]) => [...lines].sort((a, b) => JSON.stringify([a.scope, a.owner, a.department, a.person_id, a.code, a.begins]) < JSON.stringify([b.scope, b.owner, b.department, b.person_id, b.code, b.begins]) ? -1 : 1)

const countsOf = async (db: Db, { actor, now }: { actor: Actor, now: Date }, filter: Filter) => ({
  status: await tasksByStatus(db, actor, filter), priority: await tasksByPriority(db, actor, filter), ball: await tasksByBall(db, actor, filter), recent: await createdPerDay(db, { actor, now, days: 20, filter })
})

/** The working days that the history may touch. */
const workdays = async (db: Db) => (await db.selectFrom('calendar_days').select(['opens_at', 'work_s']).where('opens_at', '>', new Date(Date.now() - 300 * 24 * HOUR).toISOString()).where('opens_at', '<', new Date(Date.now() + 60 * 24 * HOUR).toISOString()).where('work_s', '>', 0).execute())
  .map(({ opens_at: opens, work_s: seconds }) => ({ opens: micros(opens), closes: micros(opens) + seconds * 1e6 }))

/** One report and its slow twin, of the same snapshot. */
async function compare (t: Test, actors: Actor[], nows: Date[], filters: Filter[]): Promise<void> {
  await s.app.db.transaction().setIsolationLevel('repeatable read').execute(async (trx) => {
    const all = (table: 'users' | 'projects' | 'project_members' | 'companies' | 'tasks' | 'ball_holds' | 'ball_pauses' | 'ball_policy_rules') => trx.selectFrom(table).selectAll().execute()
    const rows: Rows = { users: await all('users'), companies: await all('companies'), projects: await all('projects'), members: await all('project_members'), tasks: await all('tasks'), holds: await all('ball_holds'), pauses: await all('ball_pauses'), rules: await all('ball_policy_rules'), days: await workdays(trx) }
    for (const actor of actors) {
      for (const now of nows) {
        const asking = { actor, now }
        const us = micros(now.toISOString())
        for (const filter of filters) {
          const name = `${actor.email} ${actor.timezone} ${now.toISOString()} ${JSON.stringify(filter)}`
          const { person: _person, ...noPerson } = filter
          t.same(await countsOf(trx, asking, noPerson), slowCounts(rows, actor, us, 20, noPerson), `counts ${name}`)
          t.same(byKey(await ballFlow(trx, asking, filter as never)), byKey(slowFlow(rows, actor, us, filter)), `flow ${name}`)
          t.same(byKey(await workload(trx, asking, filter as never)), byKey(slowWorkload(rows, actor, us, filter)), `workload ${name}`)
          t.same(byKey(await projectHealth(trx, asking, filter as never)), byKey(slowHealth(rows, actor, us, filter)), `health ${name}`)
          t.same(await ageing(trx, asking, filter as never), slowAgeing(rows, actor, us, filter), `ageing ${name}`)
          for (const per of ['day', 'week'] as const) t.same(await throughput(trx, asking, { ...filter, per } as never), slowThroughput(rows, actor, us, { ...filter, per }), `throughput per ${per} ${name}`)
        }
      }
    }
  })
}

const real = Date.now()
await makeHistory(real, 500)
await s.ask('DELETE', `/api/projects/${dropped.id}`)
const day = (days: number) => new Date(real - days * 24 * HOUR).toISOString()
const filters: Filter[] = [{}, { project: [projects[0].id] }, { project: [projects[1].id, projects[2].id, dropped.id] }, { department: ['Service'] }, { person: [s.member.id, gone.id] },
  { from: day(60) }, { to: day(20) }, { from: day(90), to: day(10), project: [projects[0].id], department: ['Service', 'Operations'], person: [s.admin.id, s.member.id] }, { from: day(5), to: day(9) }]
const seesAll = actorOf(s.admin, 'America/Toronto', ['projects:read_all'])

await t.test('every number is that of a plain computation over the same rows, while others write', async (t) => {
  const wanted = { more: true }
  const open: any[] = await Promise.all(Array.from({ length: 6 }, () => s.addTask(projects[3].id, { ball_in_court: s.member.id, due_at: new Date(real + 24 * HOUR).toISOString() })))
  let written = 0
  const write = async () => {
    while (wanted.more) {
      const { id } = open[written % open.length]
      const steps = [
        () => s.ask('POST', `/api/tasks/${id}/ball`, { body: { to_user_id: pick(people).id } }),
        () => s.ask('PATCH', `/api/tasks/${id}`, { body: { status: pick(['todo', 'in_progress', 'done', 'closed', 'open']) } }),
        () => s.ask('POST', `/api/tasks/${id}/ball/ack`, { as: s.member }),
        () => s.ask('PATCH', `/api/tasks/${id}`, { body: { assignee_id: pick(people).id, due_at: new Date(real + random() * 300 * HOUR).toISOString() } }),
        () => s.ask('POST', `/api/projects/${projects[3].id}/tasks`, { body: { title: 'More', ball_in_court: s.manager.id } }),
        () => s.ask('DELETE', `/api/tasks/${id}`).then(() => s.ask('POST', `/api/tasks/${id}/restore`)),
        () => s.ask('POST', '/api/tasks/bulk', { body: { changes: open.map((task) => ({ id: task.id, set: { priority: pick(['low', 'normal', 'high', 'urgent']), department: pick(departments) } })) } }),
        () => s.ask('DELETE', `/api/projects/${projects[1].id}`).then(() => s.ask('POST', `/api/projects/${projects[1].id}/restore`)),
        () => s.query('update tasks set project_id = $2, number = -number where id = $1', [id, pick([projects[0], projects[2], projects[3]]).id]),
        () => foldLedger(s.app.db)
      ]
      await steps[written++ % steps.length]?.()
    }
  }
  const writers = [write(), write()]
  try {
    await compare(t, [seesAll, actorOf(s.member, 'America/Toronto'), actorOf(s.viewer, 'Asia/Kolkata')], [new Date()], filters)
    await compare(t, [seesAll], [new Date()], filters)
  } finally {
    wanted.more = false
    await Promise.all(writers)
  }
  t.ok(written > 20, `${written} changes were made meanwhile`)
  t.same(await verifyCounts(s.app.db), [])
})

await t.test('days and weeks begin at midnight where the caller is, on both days of the year on which the clocks change', async (t) => {
  for (const [zone, times] of [
    ['America/Toronto', ['2026-03-09T03:59:59Z', '2026-03-09T04:00:00Z', '2026-03-15T12:00:00Z', '2026-11-02T04:59:59Z', '2026-11-02T05:00:00Z']],
    ['America/Havana', ['2026-11-01T04:30:00Z', '2026-11-01T05:30:00Z', '2026-11-08T12:00:00Z', '2026-03-08T05:00:00Z']],
    ['Australia/Lord_Howe', ['2026-04-05T12:00:00Z', '2026-10-04T12:00:00Z']]
  ] as const) {
    for (const time of times) {
      await s.query('delete from tasks where project_id = $1', [projects[1].id])
      await s.query(`insert into tasks (id, project_id, number, title, status, ball_since, last_activity_at, created_by, created_at, updated_at, closed_at, due_at)
        select gen_random_uuid(), $1, n, 'x', case when n % 2 = 0 then 'done' else 'open' end, x, x, $2, x - make_interval(hours => n % 50), x, case when n % 2 = 0 then x end, x + interval '9 days'
        from generate_series(1, 400) n, lateral (select $3::timestamptz - make_interval(mins => n * 30 - 300) as x) m`, [projects[1].id, s.admin.id, time])
      await compare(t, [actorOf(s.admin, zone, ['projects:read_all'])], [new Date(time)], [{ project: [projects[1].id] }, { project: [projects[1].id], from: new Date(Date.parse(time) - 100 * HOUR).toISOString() }])
    }
  }
})

await t.test('over HTTP: the same lines, in their order, for `me` too; and refusals', async (t) => {
  for (const path of ['ball/flow', 'workload', 'throughput', 'projects/health', 'tasks/ageing']) t.ok((await s.get(`/api/reports/${path}`)).length > 0, path)
  const flow = await s.get('/api/reports/ball/flow?by=person')
  t.ok(flow.every(({ scope }: any) => scope === 'person'))
  t.same(flow.map((line: any) => line.held_seconds_p95), flow.map((line: any) => line.held_seconds_p95).sort((a: number, b: number) => b - a), 'the slowest first')
  t.same([...new Set((await s.get('/api/reports/ball/flow?by=department,department')).map(({ scope }: any) => scope))], ['department'])
  t.same((await s.get('/api/reports/workload?person=me', { as: s.member })).map((line: any) => line.owner), [s.member.email])
  t.equal((await s.get('/api/reports/throughput?per=day')).length, 30)
  t.equal((await s.get('/api/reports/throughput')).length, 12)
  t.same(await s.get('/api/reports/throughput?from=2100-01-01T00:00:00Z'), [])
  t.ok((await s.get('/api/reports/throughput?to=1990-01-01T00:00:00Z')).every(({ created }: any) => created === 0))
  t.match((await s.ask('GET', '/api/reports/throughput?per=day&from=1990-01-01T00:00:00Z')).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path: 'from' }] })
  t.equal((await s.ask('GET', '/api/reports/projects/health?person=someone')).statusCode, 400)
  t.equal((await s.ask('GET', '/api/reports/ball/flow', { as: await s.addPerson(null) })).statusCode, 403)
})
