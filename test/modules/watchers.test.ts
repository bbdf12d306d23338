import t from 'tap'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const watched = async (as = s.admin) => (await s.get('/api/tasks?watched=true', { as })).map(({ id }: { id: string }) => id)

await t.test('each person watches what they want; watching and leaving off twice change nothing', async (t) => {
  const [a, b] = [await s.addTask(project.id), await s.addTask(project.id)]
  for (let i = 0; i < 2; i++) t.match((await s.ask('PUT', `/api/tasks/${a.id}/watch`, { as: s.viewer })).json(), { watching: true, task_id: a.id })
  await s.ask('PUT', `/api/tasks/${b.id}/watch`, { as: s.member })
  t.same(await watched(s.viewer), [a.id])
  t.same(await watched(s.member), [b.id])
  t.same(await watched(), [])
  t.same((await s.get(`/api/tasks?watched=false&project=${project.id}`, { as: s.viewer })).map(({ id }: { id: string }) => id), [b.id])
  for (let i = 0; i < 2; i++) t.match((await s.ask('DELETE', `/api/tasks/${a.id}/watch`, { as: s.viewer })).json(), { deleted: true, id: a.id })
  t.same(await watched(s.viewer), [])
})

await t.test('a task that is gone, or that one does not see, cannot be watched, and is not shown', async (t) => {
  const secret = await s.addProject({ visibility: 'members' })
  const hidden = await s.addTask(secret.id)
  t.equal((await s.ask('PUT', `/api/tasks/${hidden.id}/watch`, { as: s.member })).statusCode, 404)
  const task = await s.addTask(project.id)
  await s.ask('PUT', `/api/tasks/${task.id}/watch`)
  await s.ask('DELETE', `/api/tasks/${task.id}`)
  t.same(await watched(), [])
  t.equal((await s.ask('PUT', `/api/tasks/${task.id}/watch`)).statusCode, 404)
})
