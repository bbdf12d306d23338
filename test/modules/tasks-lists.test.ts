import t from 'tap'
import { nextPage, startApp, type Person } from '../helper.js'

const NOW = '2026-06-15T12:00:00Z'
const s = await startApp(t, { clock: () => new Date(NOW) })
const [one, two] = [await s.addProject({ code: 'ONE' }), await s.addProject({ code: 'TWO' })]
const hidden = await s.addProject({ code: 'HID', visibility: 'members' })
const unknown = '01900000-0000-7000-8000-00000000dead'

// Straight into the table: 120 tasks with many ties, a third without a due date, a few deleted, in three projects.
const insert = (project: string, from: number, to: number, tag = 'plain') => s.query(`
  insert into tasks (id, project_id, number, title, description, status, priority, department, tags, assignee_id, ball_in_court, ball_since, due_at, closed_at,
    last_activity_at, created_by, created_at, updated_at, deleted_at, deleted_by)
  select gen_random_uuid(), $1, n, case n % 5 when 0 then 'Pump replacement' else 'Duct work ' || n end, case n % 7 when 0 then 'the boiler''s pumps' else '' end, status,
    (array['low', 'normal', 'high', 'urgent'])[n % 4 + 1], (array['Operations', 'Service', null])[n % 3 + 1], case n % 4 when 0 then array['roof', $7] when 1 then array['roof, east'] else array[$7] end,
    (array[$2::uuid, $3, null])[n % 3 + 1], case when status not in ('done', 'closed') then (array[$3::uuid, null, $4])[n % 3 + 1] end, $5::timestamptz,
    case when n % 3 > 0 then $5::timestamptz + make_interval(days => n % 4 - 2) end, case when status in ('done', 'closed') then $5::timestamptz end,
    $5::timestamptz - make_interval(days => n % 13), case n % 2 when 0 then $3::uuid else $4 end, $5::timestamptz - make_interval(days => 30 + n % 5), $5::timestamptz - make_interval(days => 15 + n % 3) + interval '0.000001 s' * (n % 2),
    case when n % 17 = 0 then $5::timestamptz end, case when n % 17 = 0 then $4::uuid end
  from generate_series($6::int, $8::int) n, lateral (select (array['open', 'todo', 'in_progress', 'review', 'done', 'closed'])[n % 6 + 1] as status) x`,
[project, s.manager.id, s.member.id, s.admin.id, NOW, from, tag, to])
await insert(one.id, 1, 60)
await insert(two.id, 61, 100)
await insert(hidden.id, 101, 120)
const [{ id: parent }] = await s.query('select id from tasks where number = 1 and project_id = $1', [one.id])
await s.query('update tasks set parent_id = $2 where project_id = $1 and number in (5, 6, 7)', [one.id, parent])

const orders: Record<string, string> = { updated_at: 'updated_at, id', created_at: 'created_at, id', due_at: 'due_sort, id' }
const sorts = Object.keys(orders).flatMap((sort) => [sort, `-${sort}`])

/** All pages of a list, and what the first said of the number of all. */
async function walk (path: string, as: Person, limit = 7) {
  const first = `${path}${path.includes('?') ? '&' : '?'}limit=${limit}`
  const ids: string[] = []
  const { 'x-total-count': total } = (await s.ask('GET', `${first}&count=true`, { as })).headers
  for (let url: string | undefined = first; url !== undefined;) {
    const answer = await s.ask('GET', url, { as })
    if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.body}`)
    ids.push(...answer.json().map(({ id }: { id: string }) => id))
    url = nextPage(answer)
  }
  return { ids, total: Number(total) }
}

/** The same by one statement: admin sees all, everyone else what is not hidden. */
async function recount (where: string, sort: string, as: Person) {
  const direction = sort.startsWith('-') ? 'desc' : 'asc'
  const order = (orders[sort.replace('-', '')] as string).replace(/,/, ` ${direction},`)
  const seen = as.id === s.admin.id ? 'true' : `project_id <> '${hidden.id}'`
  return (await s.query(`select id from tasks where deleted_at is null and ${seen} and ${where} order by ${order} ${direction}`)).map(({ id }) => id)
}

// What a filter says, and what it means to the member, in SQL.
const filters: [query: string, where: string][] = [
  [`project=${one.id}`, `project_id = '${one.id}'`],
  [`project=${one.id},${two.id}`, `project_id in ('${one.id}', '${two.id}')`],
  ['status=open', 'status = \'open\''],
  ['status=todo,review,done', 'status in (\'todo\', \'review\', \'done\')'],
  ['priority=high', 'priority = \'high\''],
  ['priority=low,urgent', 'priority in (\'low\', \'urgent\')'],
  ['department=Service', 'department = \'Service\''],
  ['department=Service,Operations', 'department is not null'],
  ['assignee=me', `assignee_id = '${s.member.id}'`],
  ['assignee=none', 'assignee_id is null'],
  [`assignee=${s.manager.id},none`, `(assignee_id = '${s.manager.id}' or assignee_id is null)`],
  ['ball=me', `is_open and ball_in_court = '${s.member.id}'`],
  ['ball=none', 'is_open and ball_in_court is null'],
  [`ball=me,none,${s.admin.id.toUpperCase()}`, 'is_open'],
  ['tag=roof', '\'roof\' = any(tags)'],
  ['tag=roof,plain', 'tags && \'{roof,plain}\''],
  ['due_from=2026-06-15T12:00:00Z', 'due_at >= \'2026-06-15T12:00:00Z\''],
  ['due_to=2026-06-14T08:00:00-04:00', 'due_at <= \'2026-06-14T12:00:00Z\''],
  ['due_from=2026-06-14T00:00:00Z&due_to=2026-06-15T23:59:59Z', 'due_at between \'2026-06-14\' and \'2026-06-15T23:59:59Z\''],
  ['overdue=true', `is_open and due_at < '${NOW}'`],
  ['overdue=false', `not (is_open and due_sort < '${NOW}')`],
  ['stalled=true', `is_open and last_activity_at <= '${NOW}'::timestamptz - interval '7 days'`],
  ['stalled=10', `is_open and last_activity_at <= '${NOW}'::timestamptz - interval '10 days'`],
  ['stalled=false', `not (is_open and last_activity_at <= '${NOW}'::timestamptz - interval '7 days')`],
  [`parent=${parent}`, `parent_id = '${parent}'`],
  [`parent=${unknown},${parent}`, `parent_id = '${parent}'`],
  ['created_by=me', `created_by = '${s.member.id}'`],
  [`created_by=me,${s.admin.id}`, 'true'],
  ['q=pump', 'search @@ websearch_to_tsquery(\'english\', \'pump\')'],
  ['q=%22pump%20replacement%22%20-boiler', 'title like \'Pump replacement\' and description = \'\'']
]

await t.test('every filter, in every order, on every page: nothing skipped, nothing repeated', async (t) => {
  for (const [n, [query, where]] of filters.entries()) {
    for (const sort of n % 5 === 0 ? sorts : sorts.slice(n % 5, n % 5 + 2)) {
      const expected = await recount(where, sort, s.member)
      const { ids, total } = await walk(`/api/tasks?${query}&sort=${sort}`, s.member)
      t.same(ids, expected, `${query} sort=${sort}`)
      t.equal(total, expected.length, `${query} counted`)
    }
    t.ok((await recount(where, 'due_at', s.member)).length > 0, `${query} finds something`)
  }
})

await t.test('two filters at once both hold, for every pair', async (t) => {
  const names = ([query]: [string, string]) => [...new URLSearchParams(query).keys()]
  let found = 0
  for (const [n, a] of filters.entries()) {
    for (const [m, b] of filters.entries()) {
      if (m <= n || names(a).some((name) => names(b).includes(name))) continue
      const sort = sorts[(n + m) % sorts.length] as string
      const expected = await recount(`(${a[1]}) and (${b[1]})`, sort, s.member)
      found += expected.length
      const { ids } = await walk(`/api/tasks?${a[0]}&${b[0]}&sort=${sort}`, s.member, 50)
      if (ids.join() !== expected.join()) t.same(ids, expected, `${a[0]} and ${b[0]} sort=${sort}`)
    }
  }
  t.ok(found > 1000)
})

await t.test('the default order is the latest change first; who sees all gets all; a project\'s list is its own', async (t) => {
  t.same((await walk('/api/tasks', s.admin)).ids, await recount('true', '-updated_at', s.admin))
  t.same((await walk('/api/tasks', s.viewer)).ids, await recount('true', '-updated_at', s.viewer))
  for (const sort of sorts) t.same((await walk(`/api/projects/${two.id}/tasks?sort=${sort}&status=open,done&ball=none`, s.member)).ids, await recount(`project_id = '${two.id}' and status = 'open' and ball_in_court is null`, sort, s.member))
  t.equal((await s.ask('GET', `/api/projects/${hidden.id}/tasks`, { as: s.member })).statusCode, 404)
  t.equal((await s.ask('GET', `/api/projects/${unknown}/tasks`)).statusCode, 404)
  t.same(await s.get(`/api/projects/${(await s.addProject()).id}/tasks`), [], 'an empty project is there all the same')
  t.match((await s.ask('GET', `/api/projects/${one.id}/tasks?project=${two.id}`)).json(), { status: 400, errors: [{ path: 'project' }] })
})

await t.test('more matches of a tag or a word than are worth sorting are paged all the same', async (t) => {
  const { id } = await s.addProject({ code: 'MANY' })
  await insert(id, 1, 1300, 'many')
  for (const [query, where] of [['tag=many', '\'many\' = any(tags)'], ['q=duct', `search @@ 'duct' and project_id = '${id}'`], ['q=duct&tag=many', '\'many\' = any(tags) and search @@ \'duct\'']] as const) {
    for (const sort of ['due_at', '-updated_at']) t.same((await walk(`/api/tasks?project=${id}&${query}&sort=${sort}`, s.member, 200)).ids, await recount(where, sort, s.member), `${query} ${sort}`)
  }
  await s.query('delete from tasks where project_id = $1', [id])
})

await t.test('pages go on where they stood while others insert, change and delete', async (t) => {
  const { id } = await s.addProject({ code: 'BUSY' })
  await insert(id, 1, 60)
  const at = () => s.query('select id from tasks where project_id = $1 and deleted_at is null order by created_at, id', [id])
  const before = (await at()).map((row) => row.id)
  const seen: string[] = []
  let number = 1000
  for (let url: string | undefined = `/api/projects/${id}/tasks?sort=created_at&limit=7`; url !== undefined;) {
    const answer = await s.ask('GET', url)
    seen.push(...answer.json().map((row: { id: string }) => row.id))
    url = nextPage(answer)
    await insert(id, ++number, number) // among the others by its time of creation
    await s.patch(`/api/tasks/${seen.at(-1)}`, { title: 'Changed' })
  }
  t.equal(new Set(seen).size, seen.length, 'nothing twice')
  t.same(seen.filter((one) => before.includes(one)), before, 'nothing skipped')
})

await t.test('the link to the next page keeps all parameters, and there is none on the last page', async (t) => {
  const first = await s.ask('GET', `/api/tasks?status=todo,in_progress&assignee=me,none&tag=roof&q=${encodeURIComponent('duct -"a & b"')}&due_from=2000-01-01T00:00:00%2B02:00&sort=-due_at&limit=1&count=true`, { as: s.member })
  const link = new URL(String(nextPage(first)), 'http://localhost')
  t.equal(link.pathname, '/api/tasks')
  const { cursor, ...rest } = Object.fromEntries(link.searchParams)
  t.ok(cursor)
  t.same(rest, { status: 'todo,in_progress', assignee: 'me,none', tag: 'roof', q: 'duct -"a & b"', due_from: '2000-01-01T00:00:00+02:00', sort: '-due_at', limit: '1', count: 'true' })
  t.equal((await s.ask('GET', String(nextPage(first)), { as: s.member })).headers['x-total-count'], first.headers['x-total-count'])
  const exact = await s.ask('GET', `/api/tasks?parent=${parent}&limit=3`)
  t.equal(exact.json().length, 3)
  t.notOk(exact.headers.link, 'a page that is full and last has no next')
  t.notOk(exact.headers['x-total-count'], 'nothing is counted that was not asked for')
  t.match((await s.ask('GET', String(nextPage(first)).replace('sort=-due_at', 'sort=due_at'))).json(), { status: 400, errors: [{ path: 'cursor' }] }, 'a cursor is of one order')
})

await t.test('what a list may not be asked is refused by name', async (t) => {
  for (const [query, path] of [['limit=0', 'limit'], ['limit=201', 'limit'], ['limit=-1', 'limit'], ['limit=1.5', 'limit'], ['sort=title', 'sort'], ['cursor=x', 'cursor'], ['status=late', 'status.0'], ['status=open,late', 'status.1'], ['assignee=you', 'assignee.0'], ['ball=', 'ball.0'],
    ['due_from=tomorrow', 'due_from'], ['overdue=maybe', 'overdue'], ['stalled=0', 'stalled'], ['offset=10', 'offset'], ['Status=open', 'Status']] as const) {
    t.match((await s.ask('GET', `/api/tasks?${query}`)).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path }] }, query)
  }
})

await t.test('overdue, stalled and held are counted to the clock', async (t) => {
  const { id: project } = await s.addProject()
  const add = async (due: string | null, idle: string, status = 'open') => {
    const { id } = await s.addTask(project, { status, due_at: due })
    await s.query('update tasks set created_at = $2, updated_at = $2, last_activity_at = $2, ball_since = $2 where id = $1', [id, idle])
    const { is_overdue: overdue, stalled_days: days, ball_held_seconds: held } = await s.get(`/api/tasks/${id}`)
    return [overdue, days, held]
  }
  t.same(await add('2026-06-15T11:59:59.999999Z', '2026-06-14T12:00:00.5Z'), [true, 0, 86399.5])
  t.same(await add('2026-06-15T12:00:00Z', '2026-06-14T12:00:00Z'), [false, 1, 86400], 'due now is not yet overdue')
  t.same(await add(null, '2026-06-08T11:00:00Z'), [false, 7, 7 * 86400 + 3600])
  t.same(await add('2020-01-01T00:00:00Z', '2020-01-01T00:00:00Z', 'done'), [false, 0, (Date.parse(NOW) - Date.parse('2020-01-01T00:00:00Z')) / 1000], 'what is finished is neither')
  t.same(await add(null, '2026-06-16T12:00:00Z'), [false, 0, 0], 'a clock that is behind counts nothing backwards')
  t.equal((await s.get(`/api/projects/${project}/tasks?overdue=true`)).length, 1)
  t.equal((await s.get(`/api/projects/${project}/tasks?stalled=true`)).length, 1)
})

await t.test('updated_since tells what was created, changed, deleted and restored since then, in order', async (t) => {
  const { id: project } = await s.addProject()
  const [idle, changed, deleted, restored] = await Promise.all([1, 2, 3, 4].map((n) => s.addTask(project, { title: `${n}` })))
  const fence = await s.addTask(project, { title: 'Fence' })
  await s.patch(`/api/tasks/${changed.id}`, { title: 'Changed' })
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  await s.ask('DELETE', `/api/tasks/${restored.id}`)
  await s.post(`/api/tasks/${restored.id}/restore`)
  const born = await s.addTask(project, { title: 'Born' })
  const delta = await s.get(`/api/projects/${project}/tasks?sort=updated_at&updated_since=${fence.updated_at}`)
  t.match(delta, [{ id: fence.id }, { id: changed.id, title: 'Changed', deleted_at: null }, { id: deleted.id, version: 2, deleted_at: /Z$/ }, { id: restored.id, version: 3, deleted_at: null }, { id: born.id }])
  t.equal(delta.length, 5)
  t.notOk(delta.some(({ id }: { id: string }) => id === idle.id))
  await s.ask('DELETE', `/api/projects/${project}`)
  t.match(await s.get(`/api/tasks?project=${project}&sort=updated_at&updated_since=${fence.updated_at}&limit=2`), [{ id: fence.id }, { id: changed.id }], 'also when the project is deleted')
})
