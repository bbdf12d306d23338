import t from 'tap'
import { recordNotices } from '../../modules/tasks/index.js'
import { startApp, type Person } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const hour = 3_600_000
const ago = (hours: number) => new Date(Date.now() - hours * hour).toISOString()
const record = (now = new Date()) => recordNotices(s.app.db, { now, requestId: 'a-job-1' })
const told = async (as: Person, type: string) => {
  s.app.events.poke() // as the job does
  return (await s.get(`/api/notifications?type=${type}`, { as })).map(({ task_id: id, message }: any) => ({ id, message }))
}
const idle = (id: string, hours: number) => s.query('update tasks set last_activity_at = $2, updated_at = $2, created_at = $2 where id = $1', [id, ago(hours)])
const eventsOf = (id: string) => s.get(`/api/tasks/${id}/activity?action=task_overdue,task_idle&sort=at`)

await t.test('a task that becomes overdue is told of, once, to its assignee and to who holds the ball; moved out and overdue again, again', async (t) => {
  const task = await s.addTask(project.id, { title: 'Pump', assignee_id: s.member.id, ball_in_court: s.manager.id, due_at: ago(-1) })
  t.same(await record(), { overdue: 0, idle: 0 }, 'not before')
  const later = new Date(Date.now() + 2 * hour)
  t.same(await record(later), { overdue: 1, idle: 0 })
  t.same(await record(later), { overdue: 0, idle: 0 })
  for (const one of [s.member, s.manager]) t.same(await told(one, 'task_overdue'), [{ id: task.id, message: `Overdue: ${task.key} Pump` }])
  t.same(await told(s.admin, 'task_overdue'), [])
  t.match(await eventsOf(task.id), [{ action: 'task_overdue', sentence: 'The task became overdue', version: 1, changes: {}, data: { since: task.due_at.replace('Z', '+00:00') }, request_id: 'a-job-1' }])
  t.equal((await s.get(`/api/tasks/${task.id}`)).version, 1)
  await s.patch(`/api/tasks/${task.id}`, { due_at: ago(-3) })
  t.same(await record(later), { overdue: 0, idle: 0 })
  t.same(await record(new Date(Date.now() + 4 * hour)), { overdue: 1, idle: 0 })
  t.equal((await eventsOf(task.id)).length, 2)
  await s.patch(`/api/tasks/${task.id}`, { due_at: null })
})

await t.test('a task on which nothing happens for a week is told of once, to who made it where nobody has it; again after a week more of nothing', async (t) => {
  const [task, fresh] = [await s.addTask(project.id, {}, s.manager), await s.addTask(project.id)]
  await idle(task.id, 7 * 24 + 1)
  await idle(fresh.id, 7 * 24 - 1)
  t.same(await record(), { overdue: 0, idle: 1 })
  t.same(await record(), { overdue: 0, idle: 0 })
  t.match(await told(s.manager, 'task_idle'), [{ id: task.id, message: /^Nothing has happened for a week: / }], 'in whose name it is does not matter')
  t.match(await s.get(`/api/tasks/${task.id}`), { stalled_days: 7 }, 'a notice is no activity')
  await s.patch(`/api/tasks/${task.id}`, { title: 'Other' })
  t.same(await record(), { overdue: 0, idle: 0 })
  t.match(await record(new Date(Date.now() + 7 * 24 * hour + hour)), { idle: 2 })
})

await t.test('nobody is told of what is finished, deleted, paused, on hold, or old', async (t) => {
  const held = await s.addProject({ status: 'on_hold' })
  const make = async (fields: object = {}, id = project.id) => {
    const task = await s.addTask(id, { due_at: ago(1), ball_in_court: s.member.id, ...fields })
    await idle(task.id, 8 * 24)
    return task
  }
  const [done, deleted, paused] = [await make(), await make(), await make({ due_at: null })]
  await make({}, held.id)
  const old = await make({ due_at: ago(8 * 24) })
  await idle(old.id, 15 * 24)
  await s.query('update tasks set status = \'closed\', closed_at = now(), ball_in_court = null where id = $1', [done.id])
  await s.query('update tasks set deleted_at = now(), deleted_by = created_by where id = $1', [deleted.id])
  await s.post(`/api/tasks/${paused.id}/ball/pause`, { reason: 'Permit' })
  await idle(paused.id, 8 * 24)
  t.same(await record(), { overdue: 0, idle: 0 })
})

await t.test('many jobs at once, while people change the tasks, record each once, and in the end all', async (t) => {
  const tasks = await Promise.all(Array.from({ length: 60 }, () => s.addTask(project.id, { assignee_id: s.member.id, due_at: ago(1) })))
  await Promise.all([
    ...Array.from({ length: 6 }, () => record()),
    ...tasks.slice(0, 20).map(({ id }) => s.patch(`/api/tasks/${id}`, { title: 'Changed' }))
  ])
  while ((await record()).overdue > 0);
  t.match(await s.query("select count(*)::int, count(distinct entity_id)::int as tasks from activity_log where action = 'task_overdue' and entity_id = any($1)", [tasks.map(({ id }) => id)]), [{ count: 60, tasks: 60 }])
  t.match(await s.app.jobs.runNow('notice_overdue_and_idle_tasks'), { overdue: 0 })
})
