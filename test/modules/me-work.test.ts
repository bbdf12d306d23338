import t from 'tap'
import { startApp, type Person } from '../helper.js'

let now = new Date('2026-06-15T12:00:00Z')
const s = await startApp(t, { clock: () => now })
const project = await s.addProject()
const due = (hours: number) => new Date(now.getTime() + hours * 3_600_000).toISOString()
const keys = (section: { tasks: { key: string }[] }) => section.tasks.map(({ key }) => key)
const work = (as: Person, query = '') => s.get(`/api/me/work${query}`, { as })

await t.test('my court, what is assigned to me, what I watch and what is due soon, each by due time', async (t) => {
  const me = await s.addPerson('member')
  const add = (fields: object) => s.addTask(project.id, fields)
  const held = await add({ ball_in_court: me.id })
  const both = await add({ ball_in_court: me.id, assignee_id: me.id, due_at: due(5) })
  const assigned = await add({ assignee_id: me.id, due_at: due(2) })
  const late = await add({ assignee_id: me.id, due_at: due(-50) })
  const watched = await add({ due_at: due(1) })
  await s.ask('PUT', `/api/tasks/${watched.id}/watch`, { as: me })
  const done = await add({ assignee_id: me.id, status: 'in_progress' })
  await s.patch(`/api/tasks/${done.id}`, { status: 'done' })
  const deleted = await add({ ball_in_court: me.id })
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  await add({ ball_in_court: s.manager.id, due_at: due(1) })

  const mine = await work(me)
  t.same(keys(mine.court), [both.key, held.key])
  t.same(keys(mine.assigned), [late.key, assigned.key, both.key])
  t.same(keys(mine.watched), [watched.key])
  t.same(keys(mine.due_soon), [assigned.key, both.key], 'each once, and not what is overdue already')
  t.same(Object.entries(mine).map(([name, { total }]: any) => [name, total]), [['court', 2], ['assigned', 3], ['watched', 1], ['due_soon', 2]])
  t.same(mine.court.tasks[0], await s.get(`/api/tasks/${both.id}`, { as: me }), 'whole tasks')

  const first = await work(me, '?limit=1')
  t.same(keys(first.assigned), [late.key])
  t.equal(first.assigned.total, 3, 'counted beyond the limit')
})

await t.test('only what I may see, and nothing is an empty list', async (t) => {
  const me = await s.addPerson('member')
  const secret = await s.addProject({ visibility: 'members' })
  const task = await s.addTask(secret.id, { ball_in_court: me.id, assignee_id: me.id, due_at: due(1) })
  for (const section of Object.values(await work(me))) t.same(section, { total: 0, tasks: [] })
  await s.ask('PUT', `/api/projects/${secret.id}/members/${me.id}`, { body: { role: 'viewer' } })
  t.same(keys((await work(me)).court), [task.key])
})

await t.test('soon ends with the seventh day after today where I am, also when the clocks change in between', async (t) => {
  for (const [zone, at, end] of [
    ['America/Toronto', '2026-06-15T12:00:00Z', '2026-06-23T04:00:00Z'], ['America/Toronto', '2026-03-05T12:00:00Z', '2026-03-13T04:00:00Z'],
    ['America/Toronto', '2026-10-28T12:00:00Z', '2026-11-05T05:00:00Z'], ['Asia/Kolkata', '2026-06-15T20:00:00Z', '2026-06-23T18:30:00Z'],
    // In Havana the clocks go back from 01:00 to 00:00: the day after next begins once, at the second of the two midnights' day.
    ['America/Havana', '2026-10-25T12:00:00Z', '2026-11-02T05:00:00Z']
  ] as const) {
    now = new Date(at)
    const me = await s.addPerson('member', { timezone: zone })
    const before = await s.addTask(project.id, { assignee_id: me.id, due_at: new Date(Date.parse(end) - 1).toISOString() })
    await s.addTask(project.id, { assignee_id: me.id, due_at: end })
    t.same(keys((await work(me)).due_soon), [before.key], `${zone} ${at}`)
  }
})
