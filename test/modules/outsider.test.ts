import t from 'tap'
import { formWith, startApp } from '../helper.js'

/**
 * Every GET of the OpenAPI document, as somebody who is no member of a project that is for members only: whatever it is asked for,
 * no answer holds a word of the project. That its ids are not there for them is in foreign-objects.test.ts. A new route is in
 * it by being in the document.
 */
const SECRET = 'Zqxglobulin'
const s = await startApp(t)
const project = await s.addProject({ visibility: 'members', code: 'ZQX-1', name: `${SECRET} plant`, description: SECRET })
const outsider = await s.addPerson('member', { name: 'Out Sider' })
const company = await s.post('/api/companies', { name: 'Somebody', kind: 'sub' })
const contact = await s.post(`/api/companies/${company.id}/contacts`, { name: 'Someone' })
const parent = await s.addTask(project.id, { title: `${SECRET} above` })
const task = await s.addTask(project.id, { title: `${SECRET} pump`, description: SECRET, tags: [SECRET], parent_id: parent.id, due_at: '2020-01-01T00:00:00Z', assignee_id: s.member.id, ball_in_court: s.member.id })
const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: `${SECRET} @mem.ber` })
const item = await s.post(`/api/tasks/${task.id}/checklist`, { label: SECRET })
await s.post(`/api/tasks/${task.id}/dependencies`, { blocks_id: parent.id })
const attachment = (await s.ask('POST', `/api/tasks/${task.id}/attachments`, formWith(SECRET, `${SECRET}.txt`))).json()
await s.post(`/api/tasks/${task.id}/ball`, { to_company_id: company.id, note: SECRET })
await s.post(`/api/tasks/${parent.id}/ball`, { to_user_id: outsider.id, note: SECRET })
await s.patch(`/api/tasks/${task.id}`, { title: `${SECRET} pumps` })
await s.app.events.settled()
const [run] = await s.app.jobs.runNow('expire_job_runs').then(() => s.get('/api/admin/jobs/runs'))
const [role] = await s.get('/api/roles')

/** Whose ids stand in paths: of the project, or of nobody's. */
const hidden: [RegExp, string][] = [[/projects\/\{id\}/, project.id], [/tasks\/\{id\}/, task.id], [/comments\/\{id\}/, comment.id], [/attachments\/\{id\}/, attachment.id], [/checklist\/\{id\}/, item.id]]
const open: [RegExp, string][] = [[/users\/\{id\}/, s.member.id], [/companies\/\{id\}/, company.id], [/contacts\/\{id\}/, contact.id], [/jobs\/runs\/\{id\}/, run.id], [/roles\/\{id\}/, role.id], [/guest\/\{token\}/, 'nothing']]
const operations = Object.entries<any>(s.app.swagger().paths ?? {}).filter(([path, methods]) => methods.get !== undefined && path.startsWith('/api/') && !path.endsWith('/stream'))
  .map(([path, { get }]): [string, string[]] => [path, (get.parameters ?? []).filter((one: any) => one.in === 'query').map(({ name }: any) => name)])

await t.test('whatever they are asked for, no answer holds a word of the project', async (t) => {
  const values: Record<string, string[]> = {
    project: [project.id],
    task: [task.id],
    q: [SECRET, 'ZQX-1', 'ZQX-1-2', 'pump'],
    tag: [SECRET],
    parent: [parent.id],
    assignee: [s.member.id, 'me'],
    ball: ['me', s.member.id, `company:${company.id}`],
    created_by: [s.admin.id],
    entity_id: [task.id, project.id, comment.id],
    actor: [s.admin.id],
    entity_type: ['task', 'comment', 'attachment'],
    person: [s.member.id, 'me'],
    format: ['csv'],
    after: ['0'],
    overdue: ['true'],
    limit: ['100'],
    watched: ['true']
  }
  let asked = 0
  for (const [path, parameters] of operations) {
    const filled = [...hidden, ...open].reduce((url, [pattern, id]) => pattern.test(url) ? url.replace(/\{(id|token)\}/, id) : url, path)
    const needed = parameters.includes('q') && path === '/api/search' ? `q=${SECRET}` : ''
    for (const query of ['', ...parameters.flatMap((name) => (values[name] ?? []).map((value) => `${name}=${encodeURIComponent(value)}`))]) {
      const answer = await s.ask('GET', `${filled}?${[query.startsWith('q=') ? '' : needed, query].filter(Boolean).join('&')}`, { as: outsider })
      t.ok(answer.statusCode < 500, `${path} ${query}: ${answer.statusCode}`)
      t.notMatch(answer.body, new RegExp(SECRET), `${path} ${query}`)
      asked++
    }
  }
  t.ok(asked > 150, `${asked} requests`)
})
