import t from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { up as fill } from '../../migrations/20261129170100_fill_positions_by_project.js'
import { JWT_SECRET, QUIET, startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()

/** All changes after a position, page by page, as a client that syncs reads them. */
async function sync (after: number, limit = 200, as = s.admin): Promise<any[]> {
  const all: any[] = []
  for (;;) {
    const page = await s.get(`/api/changes?after=${after}&limit=${limit}`, { as })
    if (page.length === 0) return all
    all.push(...page)
    after = page.at(-1).position
  }
}
const last = async () => (await sync(0)).at(-1)?.position ?? 0

await t.test('a change is there right after its answer, with its position and all that the event says', async (t) => {
  const before = await last()
  const task = await s.addTask(project.id, { title: 'T' })
  await s.ask('PATCH', `/api/tasks/${task.id}`, { body: { title: 'U' }, headers: { 'x-request-id': 'sync-1' } })
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  const changes = await s.get(`/api/changes?after=${before}`)
  t.match(changes, [
    { position: before + 1, type: 'task.created', entity_type: 'task', entity_id: task.id, project_id: project.id, at: task.created_at, data: { action: 'created', actor_id: s.admin.id, task_id: task.id, version: 1, changes: { title: [null, 'T'] } } },
    { position: before + 2, type: 'task.updated', data: { version: 2, changes: { title: ['T', 'U'] }, request_id: 'sync-1', detail: {} } },
    { position: before + 3, type: 'task.deleted', data: { version: 3 } }
  ])
  t.equal(changes.length, 3)
  t.same(await s.get(`/api/changes?after=${before + 3}`), [])
  t.same(await s.get('/api/changes?after=9007199254740991'), [])
})

await t.test('changes are read in pages that follow each other, by position or by link', async (t) => {
  for (let n = 0; n < 5; n++) await s.addTask(project.id)
  const all = await sync(0)
  t.same(await sync(0, 2), all)
  const first = await s.ask('GET', '/api/changes?limit=2')
  t.equal(first.headers.link, '</api/changes?after=2&limit=2>; rel="next"')
  t.same(first.json(), all.slice(0, 2))
  t.notOk((await s.ask('GET', `/api/changes?after=${all.length - 2}&limit=2`)).headers.link)
  for (const [query, path] of [['after=-1', 'after'], ['after=x', 'after'], ['limit=0', 'limit'], ['limit=201', 'limit'], ['cursor=x', 'cursor']] as const) t.match((await s.ask('GET', `/api/changes?${query}`)).json(), { status: 400, errors: [{ path }] })
})

await t.test('positions have no gaps and follow the order of each entity\'s versions', async (t) => {
  const tasks = await Promise.all(Array.from({ length: 6 }, () => s.addTask(project.id)))
  await Promise.all(Array.from({ length: 90 }, (_, n) => s.ask('PATCH', `/api/tasks/${tasks[n % 6].id}`, { body: { title: `${n}` } })))
  const all = await sync(0)
  t.same(all.map(({ position }) => position), all.map((_, n) => n + 1))
  for (const { id } of tasks) t.same(all.filter(({ entity_id: entity }) => entity === id).map(({ data }) => data.version), Array.from({ length: 16 }, (_, n) => n + 1))
})

await t.test('who does not see a project skips its positions and misses nothing else', async (t) => {
  const before = await last()
  const hidden = await s.addProject({ visibility: 'members' })
  for (let n = 0; n < 4; n++) await s.addTask(hidden.id)
  const seen = await s.addTask(project.id)
  t.match((await sync(before, 1, s.viewer)).map(({ entity_id: id, position }) => [id, position]), [[seen.id, before + 6]])
})

await t.test('whoever has a role in few projects reads what changed there, page by page, and nothing else', async (t) => {
  const person = await s.addPerson(null, { name: 'Few Changes' })
  const projects = [await s.addProject({ visibility: 'members' }), await s.addProject()]
  for (const { id } of projects) await s.ask('PUT', `/api/projects/${id}/members/${person.id}`, { body: { role: 'viewer' } })
  for (let n = 0; n < 9; n++) await s.addTask([projects[0].id, project.id, projects[1].id][n % 3])
  await s.ask('DELETE', `/api/projects/${projects[1].id}`)
  const theirs = (await sync(0)).filter(({ project_id: of }) => projects.some(({ id }) => id === of))
  t.ok(theirs.length >= 9, `${theirs.length} changes`)
  t.same(await sync(0, 200, person), theirs)
  t.same(await sync(0, 2, person), theirs)
  const middle = theirs[4].position
  t.same(await sync(middle, 3, person), theirs.slice(5))
  t.equal((await s.ask('GET', '/api/changes?limit=2', { as: person })).headers.link, `</api/changes?after=${theirs[1].position}&limit=2>; rel="next"`)
})

await t.test('events that were numbered by a release which knows nothing of their projects are found by these, too', async (t) => {
  const wrong = async () => (await s.query('select count(*)::int as n from event_positions e join activity_log a on a.id = e.event_id where e.project_id is distinct from a.project_id'))[0].n
  t.equal(await wrong(), 0, 'as the sequencer writes them, which names no project')
  await s.query('update event_positions set project_id = null where position % 3 > 0')
  t.ok(await wrong() > 10)
  await fill(s.app.db as never)
  t.equal(await wrong(), 0)
})

await t.test('replaying the changes gives the tasks as they are', async (t) => {
  const state = new Map<string, any>()
  for (const { entity_type: type, entity_id: id, data, project_id: of } of await sync(0)) {
    if (type !== 'task') continue
    const task = state.get(id) ?? { id, project_id: of, assignee_id: null, deleted: false }
    for (const [field, [, to]] of Object.entries(data.changes) as [string, [unknown, unknown]][]) task[field] = to
    state.set(id, { ...task, version: data.version, deleted: data.action === 'deleted' || (task.deleted && data.action !== 'restored') })
  }
  const rows = await s.query('select id, project_id, title, status, version, deleted_at is not null as deleted from tasks order by id')
  t.same([...state.values()].map(({ id, project_id: of, title, status, version, deleted }) => ({ id, project_id: of, title, status, version, deleted })).sort((a, b) => a.id < b.id ? -1 : 1), rows)
})

await t.test('two instances that write at once number every event exactly once, 1 to n, and a reader misses none', async (t) => {
  const twin = await buildApp(parseConfig({ ...QUIET, DB_POOL_MAX: '5', DATABASE_URL: s.url, JWT_SECRET }))
  await twin.ready()
  t.teardown(() => twin.close())
  const tasks = await Promise.all(Array.from({ length: 8 }, () => s.addTask(project.id)))
  const start = await last()
  let writing = true
  // A client that reads all the while, and remembers nothing but the last position.
  const reader = (async () => {
    const got: any[] = []
    for (let done = false; ;) {
      const page = await s.get(`/api/changes?after=${got.at(-1)?.position ?? start}&limit=200`)
      got.push(...page)
      if (done && page.length === 0) return got
      done = !writing
    }
  })()
  await Promise.all(Array.from({ length: 240 }, (_, n) => (n % 2 ? twin : s.app).inject({
    method: 'POST', url: '/api/tasks/bulk', headers: { 'x-dev-email': s.admin.email }, payload: { changes: [0, 1, 2].map((k) => ({ id: tasks[(n + k) % 8].id, set: { title: `${n}` } })) }
  })))
  await Promise.all([s.app.events.settled(), twin.events.settled()])
  writing = false
  const read = await reader
  const positions = await s.query('select position::int, event_id from event_positions order by position')
  t.same(positions.map(({ position }) => position), positions.map((_, n) => n + 1))
  t.equal(new Set(positions.map(({ event_id: id }) => id)).size, positions.length)
  t.same(await s.query('select a.id from activity_log a left join event_positions e on e.event_id = a.id and e.event_at = a.created_at where e.position is null'), [])
  t.same(await s.query('select 1 from event_outbox'), [])
  t.same(read.map(({ position }) => position), positions.slice(start).map(({ position }) => position), 'the reader saw each, once, in order')
  const versions = await s.query(`select e.position::int, a.entity_id, a.version, lag(a.version) over (partition by a.entity_id order by e.position) as before
    from event_positions e join activity_log a on a.id = e.event_id where a.entity_type = 'task'`)
  t.same(versions.filter(({ version, before }) => version !== (before ?? 0) + 1), [], 'the versions of a task come in order')
})
