import t from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { formWith, JWT_SECRET, QUIET, startApp } from '../helper.js'

// Counted is every statement that the app sends to PostgreSQL for a request, less auth's look-up of who asks. The app
// numbers events in the background once a second, so each count is the least of a few tries.
const s = await startApp(t)
const project = await s.addProject()
for (let n = 0; n < 5; n++) await s.addProject()
const tasks = []
for (let n = 0; n < 12; n++) tasks.push(await s.addTask(project.id, { title: `Pump ${n}`, tags: ['a'], assignee_id: s.member.id, ball_in_court: n % 2 ? s.member.id : s.manager.id, due_at: '2020-01-01T00:00:00Z' }))
const [task] = tasks
for (let n = 0; n < 12; n++) {
  await s.post(`/api/tasks/${task.id}/comments`, { body: `${n} @mem.ber` })
  await s.post(`/api/tasks/${task.id}/ball`, { to_user_id: n % 2 ? s.manager.id : s.member.id })
  await s.ask('PUT', `/api/projects/${project.id}/members/${(await s.addPerson('member')).id}`, { body: { role: 'member' } })
}
for (let n = 0; n < 12; n++) await s.post(`/api/tasks/${task.id}/checklist`, { label: `Step ${n}` })
for (let n = 0; n < 12; n++) await s.ask('POST', `/api/tasks/${task.id}/attachments`, formWith(`File ${n}`, `${n}.txt`))
const attachment = (await s.get(`/api/tasks/${task.id}/attachments?limit=1`))[0]
for (const { id } of tasks) await s.ask('PUT', `/api/tasks/${id}/watch`, { as: s.member })
for (const other of tasks.slice(1)) await s.post(`/api/tasks/${task.id}/dependencies`, { blocks_id: other.id })
const company = await s.post('/api/companies', { name: 'Acme', kind: 'gc' })
for (let n = 0; n < 5; n++) await Promise.all([s.post('/api/companies', { name: `Company ${n}`, kind: 'vendor' }), s.post(`/api/companies/${company.id}/contacts`, { name: `Contact ${n}` })])
const comment = (await s.get(`/api/tasks/${task.id}/comments?limit=1`))[0]

let sent = 0
s.app.onQuery(() => { sent++ })
const AUTH = 1

async function statements (path: string): Promise<number> {
  const counts: number[] = []
  for (let n = 0; n < 4; n++) {
    await s.app.events.settled()
    sent = 0
    const answer = await s.ask('GET', path, { as: s.member })
    counts.push(sent - AUTH)
    if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}`)
  }
  return Math.min(...counts)
}

const lists = ['/api/users', '/api/companies', `/api/companies/${company.id}/contacts`, '/api/projects', `/api/projects/${project.id}/members`, '/api/tasks', `/api/projects/${project.id}/tasks`, `/api/tasks/${task.id}/comments`, `/api/tasks/${task.id}/ball`, `/api/tasks/${task.id}/dependencies`, `/api/tasks/${task.id}/checklist`, `/api/tasks/${task.id}/attachments`,
  '/api/activity', `/api/projects/${project.id}/activity`, `/api/tasks/${task.id}/activity`, '/api/notifications', '/api/reports/tasks/overdue']

const others = ['/api/changes', '/api/changes?after=5&limit=2', '/api/notifications/recent', '/api/notifications/unread-count', '/api/reports/tasks/status', '/api/reports/tasks/ball', '/api/reports/tasks/priority', '/api/reports/activity/recent',
  '/api/reports/ball/flow', '/api/reports/workload', '/api/reports/throughput', '/api/reports/projects/health', '/api/reports/tasks/ageing', '/api/me/work',
  '/api/me', '/api/me/permissions', `/api/users/${s.admin.id}`, `/api/projects/${project.id}`, `/api/tasks/${task.id}`, `/api/comments/${comment.id}`, `/api/attachments/${attachment.id}`, `/api/companies/${company.id}`, '/api/calendar', '/api/ball-policy', '/api/permissions', '/api/roles', '/api/me/sessions', '/api/tokens']

await t.test('a list is one statement, however many rows it has and whatever it is filtered by', async (t) => {
  for (const path of lists) {
    t.ok((await s.get(path, { as: s.member })).length > 4, `${path} has rows`)
    for (const query of ['', '?limit=1', '?limit=200']) t.equal(await statements(`${path}${query}`), 1, `${path}${query}`)
  }
  const filters = ['q=pump', 'tag=a', 'q=pump&tag=a', 'assignee=me', 'ball=me,none', 'overdue=true', 'stalled=true', 'updated_since=2020-01-01T00:00:00Z', `project=${project.id}`, 'q=nothing', 'watched=true', `parent=${task.id}`]
  for (const query of filters) t.equal(await statements(`/api/tasks?${query}`), 1, query)
})

await t.test('every list of the OpenAPI document is in this test', (t) => {
  const walked = [...lists, ...others, '/api/tasks/{id}/watch'].map((path) => path.split('?', 1)[0]?.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '{id}'))
  // What only the administrator reads, or is one line for each thing that the code knows: tested where they are.
  const elsewhere = ['/api/admin/jobs/', '/api/admin/jobs/runs', '/api/admin/audit/', '/api/admin/tokens', '/api/guest-links', '/api/comments/{id}/history', '/api/search']
  for (const [path, { get }] of Object.entries<any>(s.app.swagger().paths ?? {})) {
    if (get?.responses?.['200']?.content?.['application/json']?.schema?.type !== 'array') continue
    t.ok([...walked, ...elsewhere].includes(path) || walked.includes(path.replace(/\/$/, '')), path)
  }
  t.end()
})

await t.test('counting all of a list is one statement more', async (t) => {
  for (const path of lists) t.equal(await statements(`${path}?count=true`), 2, path)
})

await t.test('a page further on costs what the first does', async (t) => {
  for (const path of lists) {
    const link = /<([^>]+)>/.exec(String((await s.ask('GET', `${path}?limit=2`, { as: s.member })).headers.link))?.[1]
    t.equal(await statements(String(link)), 1, path)
  }
})

await t.test('so does the stream of changes, what is shortest of lists, each report, and one of anything', async (t) => {
  for (const path of others) t.equal(await statements(path), 1, path)
})

await t.test('a read writes nothing: all of them are answered from a database that refuses writes', async (t) => {
  await s.query(`alter database ${new URL(s.url).pathname.slice(1)} set default_transaction_read_only = on`)
  const reader = await buildApp(parseConfig({ ...QUIET, DATABASE_URL: s.url, JWT_SECRET }))
  await reader.ready()
  t.teardown(() => reader.close())
  const ask = (method: 'GET' | 'POST', url: string) => reader.inject({ method, url, headers: { 'x-dev-email': s.admin.email }, ...(method === 'POST' ? { payload: { title: 'x' } } : {}) })
  for (const path of [...lists, ...others]) t.equal((await ask('GET', path)).statusCode, 200, path)
  t.ok((await ask('POST', `/api/projects/${project.id}/tasks`)).statusCode >= 400, 'a write is refused')
})
