import t from 'tap'
import { nextPage, startApp, type Person } from '../helper.js'

let now = new Date('2026-06-15T12:00:00Z')
const s = await startApp(t, { clock: () => now })
const [one, two] = [await s.addProject({ name: 'First' }), await s.addProject({ name: 'Second' })]
const hidden = await s.addProject({ name: 'Hidden', visibility: 'members' })
const dropped = await s.addProject({ name: 'Dropped' })
await s.query(`
  insert into tasks (id, project_id, number, title, status, priority, department, ball_in_court, ball_since, due_at, closed_at, last_activity_at, created_by, created_at, updated_at, deleted_at, deleted_by)
  select gen_random_uuid(), ($1::uuid[])[n % 4 + 1], n, 'Task ' || n, status, (array['low', 'normal', 'high', 'urgent'])[n % 4 + 1], (array['Operations', 'Service', null])[n % 3 + 1],
    case when status not in ('done', 'closed') then ($2::uuid[])[n % 4 + 1] end, $3, case when n % 5 > 0 then $3::timestamptz + make_interval(hours => n % 9 - 6) end, case when status in ('done', 'closed') then $3::timestamptz end,
    $3, $4, $3::timestamptz - make_interval(hours => n * 2), $3::timestamptz - make_interval(hours => n * 2), case when n % 13 = 0 then $3::timestamptz end, case when n % 13 = 0 then $4::uuid end
  from generate_series(1, 150) n, lateral (select (array['open', 'todo', 'in_progress', 'review', 'done', 'closed', 'open'])[n % 7 + 1] as status) x`,
[[one.id, two.id, hidden.id, dropped.id], [s.member.id, s.manager.id, null, s.admin.id], '2026-06-15T12:00:00Z', s.admin.id])
await s.ask('DELETE', `/api/projects/${dropped.id}`)

const filters: [query: string, where: string][] = [
  ['', 'true'], [`project=${one.id}`, `t.project_id = '${one.id}'`], [`project=${one.id},${hidden.id}`, `t.project_id in ('${one.id}', '${hidden.id}')`], ['department=Service', 't.department = \'Service\''],
  ['department=Service,Operations', 't.department is not null'], ['from=2026-06-10T00:00:00Z', 't.created_at >= \'2026-06-10\''], ['to=2026-06-10T00:00:00Z', 't.created_at < \'2026-06-10\''],
  [`project=${two.id}&department=Operations&from=2026-06-05T00:00:00Z&to=2026-06-14T08:00:00-04:00`, `t.project_id = '${two.id}' and t.department = 'Operations' and t.created_at >= '2026-06-05' and t.created_at < '2026-06-14T12:00:00Z'`],
  [`project=${dropped.id}`, 'false']
]
const seen = (as: Person) => `t.deleted_at is null and p.deleted_at is null ${as.id === s.admin.id ? '' : 'and p.visibility = \'company\''}`
const recount = (select: string, where: string, as: Person, rest = '') => s.query(`select ${select} from tasks t join projects p on p.id = t.project_id left join users u on u.id = t.ball_in_court where ${seen(as)} and ${where} ${rest}`)

await t.test('tasks by status and by priority: every one has its line, in the order of a board, and its count is a recount', async (t) => {
  for (const as of [s.admin, s.viewer]) {
    for (const [query, where] of filters) {
      for (const [column, names] of [['status', ['open', 'todo', 'in_progress', 'review', 'done', 'closed']], ['priority', ['low', 'normal', 'high', 'urgent']]] as const) {
        const counts = new Map((await recount(`t.${column} as name, count(*)::int`, where, as, `group by t.${column}`)).map(({ name, count }) => [name, count]))
        t.same(await s.get(`/api/reports/tasks/${column}?${query}`, { as }), names.map((name) => ({ [column]: name, count: counts.get(name) ?? 0 })), `${column} ${query}`)
      }
    }
  }
})

await t.test('open tasks by whose court the ball is in, the fullest first, nobody\'s as unassigned', async (t) => {
  for (const as of [s.admin, s.viewer]) {
    for (const [query, where] of filters) {
      const expected = await recount('coalesce(u.email, \'unassigned\') as owner, count(*)::int', `t.status not in ('done', 'closed') and ${where}`, as, 'group by 1 order by 2 desc, 1')
      t.same(await s.get(`/api/reports/tasks/ball?${query}`, { as }), expected, query)
    }
  }
  t.ok((await s.get('/api/reports/tasks/ball')).some(({ owner }: any) => owner === 'unassigned'))
})

await t.test('overdue tasks, the longest first, in pages, counted', async (t) => {
  for (const as of [s.admin, s.viewer]) {
    for (const [query, where] of filters) {
      for (const direction of ['asc', 'desc']) {
        const expected = await recount('t.id, t.title, t.priority, p.name as project_name, coalesce(u.email, \'unassigned\') as owner', `t.status not in ('done', 'closed') and t.due_at < '${now.toISOString()}' and ${where}`, as, `order by t.due_at ${direction}, t.id ${direction}`)
        const rows: any[] = []
        for (let url: string | undefined = `/api/reports/tasks/overdue?limit=7&count=true&sort=${direction === 'desc' ? '-' : ''}due_at&${query}`; url !== undefined;) {
          const answer = await s.ask('GET', url, { as })
          t.equal(answer.headers['x-total-count'], String(expected.length))
          rows.push(...answer.json())
          url = nextPage(answer)
        }
        t.same(rows.map(({ due_at: _, ...row }) => row), expected, query)
        t.ok(rows.every(({ due_at: due }) => Date.parse(due) < now.getTime()))
      }
    }
  }
})

await t.test('tasks created per day: days begin at midnight where the caller is, also when the clocks change', async (t) => {
  const { id } = await s.addProject()
  for (const [zone, at] of [['America/Toronto', '2026-06-15T12:00:00Z'], ['America/Toronto', '2026-06-16T03:59:59.999Z'], ['America/Toronto', '2026-06-16T04:00:00Z'], ['America/Toronto', '2026-03-09T02:00:00Z'], ['America/Toronto', '2026-11-02T12:00:00Z'],
    ['Asia/Kolkata', '2026-06-15T18:30:00Z'], ['Pacific/Kiritimati', '2026-06-15T12:00:00Z'], ['Africa/Cairo', '2026-04-25T12:00:00Z'], ['Africa/Cairo', '2026-10-31T12:00:00Z'], ['America/Havana', '2026-11-02T12:00:00Z']] as const) {
    now = new Date(at)
    await s.query('delete from tasks where project_id = $1', [id])
    await s.query(`insert into tasks (id, project_id, number, title, ball_since, last_activity_at, created_by, created_at, updated_at, deleted_at, deleted_by)
      select gen_random_uuid(), $1, row_number() over (), 'x', x, x, $2, x, x, case when n % 10 = 0 then x end, case when n % 10 = 0 then $2::uuid end
      from generate_series(0, 24 * 7 * 4) n, lateral (select $3::timestamptz - make_interval(mins => n * 15 - 600) as x) m`, [id, s.admin.id, at])
    const as = await s.addPerson('viewer', { timezone: zone })
    for (const days of [1, 5]) {
      const expected = await s.query(`select d::date::text as day, (select count(*)::int from tasks where project_id = $1 and deleted_at is null and (created_at at time zone $2)::date = d::date) as tasks_created
        from generate_series(($3::timestamptz at time zone $2)::date - $4::int + 1, ($3::timestamptz at time zone $2)::date, interval '1 day') d order by d`, [id, zone, at, days])
      t.same(await s.get(`/api/reports/activity/recent?project=${id}&days=${days}`, { as }), expected, `${zone} ${at} ${days}`)
    }
    t.equal((await s.get('/api/reports/activity/recent', { as })).length, 7, 'a week, unless said otherwise')
  }
  now = new Date('2026-06-15T12:00:00Z')
})

await t.test('the days of recent activity follow the filters and what the caller sees', async (t) => {
  for (const as of [s.admin, s.viewer]) {
    for (const [query, where] of filters) {
      const days = await s.get(`/api/reports/activity/recent?days=20&${query}`, { as })
      t.equal(days.length, 20)
      t.equal(days.at(-1).day, '2026-06-15')
      const [{ count }] = await recount('count(*)::int', `${where} and (t.created_at at time zone 'America/Toronto')::date between '2026-05-27' and '2026-06-15' and t.created_at < '2026-06-16T04:00:00Z'`, as)
      t.equal(days.reduce((sum: number, day: any) => sum + day.tasks_created, 0), count, query)
    }
  }
})

await t.test('a report refuses what it cannot be narrowed by', async (t) => {
  for (const [path, field] of [['tasks/status?project=x', 'project.0'], ['tasks/priority?department=Legal', 'department.0'], ['tasks/ball?from=yesterday', 'from'], ['tasks/overdue?limit=0', 'limit'], ['activity/recent?days=91', 'days'], ['activity/recent?days=0', 'days'], ['tasks/status?status=open', 'status']] as const) {
    t.match((await s.ask('GET', `/api/reports/${path}`)).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path: field }] }, path)
  }
})

await t.test('a report follows a change at once', async (t) => {
  const { id } = await s.addProject()
  const task = await s.addTask(id, { status: 'in_progress', priority: 'urgent', ball_in_court: s.member.id, due_at: '2020-01-01T00:00:00Z' })
  const all = async () => Promise.all(['status', 'ball', 'priority', 'overdue'].map(async (report) => (await s.get(`/api/reports/tasks/${report}?project=${id}`)).filter((row: any) => row.count !== 0)))
  t.match(await all(), [[{ status: 'in_progress', count: 1 }], [{ owner: s.member.email, count: 1 }], [{ priority: 'urgent', count: 1 }], [{ id: task.id }]])
  await s.patch(`/api/tasks/${task.id}`, { status: 'done' })
  t.match(await all(), [[{ status: 'done', count: 1 }], [], [{ priority: 'urgent', count: 1 }], []])
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  t.same(await all(), [[], [], [], []])
})
