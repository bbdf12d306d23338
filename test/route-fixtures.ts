/**
 * What each route of the OpenAPI document is asked with, so that it works for whoever may: ids of things that are there and
 * a valid body. What follows from `bad-input/routes.ts` needs no line here; what needs a story has one below.
 */
import { randomBytes } from 'node:crypto'
import { routes, type Resource, type Row } from './bad-input/routes.js'
import { formWith, type Person, type TestApp } from './helper.js'

/** One request. */
export interface Asked { method: string, url: string, body?: unknown, headers?: Record<string, string> }
/** The things in paths, by what they are; `parent` is another task of the project. */
export type Things = Record<Resource | 'parent', string>

const unique = () => randomBytes(5).toString('hex')
const SECRET = 'Some text'

const NOTHING = '01900000-0000-7000-8000-00000000dead'

/** Things that all of the company's people may see: no part of a project. */
const ofCompany: Record<'user' | 'company' | 'contact' | 'role' | 'run' | 'day', (s: TestApp) => Promise<string> | string> = {
  user: async (s) => (await s.addPerson('viewer')).id,
  company: async (s) => (await s.post('/api/companies', { name: `C ${unique()}`, kind: 'sub' })).id,
  contact: async (s) => (await s.post(`/api/companies/${await ofCompany.company(s)}/contacts`, { name: 'Someone' })).id,
  role: async (s) => (await s.post('/api/roles', { slug: `r-${unique()}`, name: 'A role', permissions: ['tasks:read'] })).id,
  run: async (s) => {
    await s.app.jobs.runNow('expire_job_runs')
    return (await s.query('select id from job_runs order by created_at desc limit 1'))[0].id
  },
  day: () => '2026-08-03'
}
const soon = () => new Date(Date.now() + 3_600_000).toISOString()
const shareProject = async (s: TestApp, project: string): Promise<Pick<Things, 'guest_link' | 'guest_token'>> => {
  const { id, token } = await s.post('/api/guest-links', { name: 'A guest', project_id: project, expires_at: soon() })
  return { guest_link: id, guest_token: token }
}
const ofTasks: (keyof Things)[] = ['task', 'parent', 'comment', 'item', 'attachment', 'notification']

/**
 * A project for members only with things in it. Who is asked with its ids are its members, or are not.
 * @param wanted what is needed: everything when left out
 */
export async function things (s: TestApp, { members = [], author = s.admin, wanted }: { members?: [Person, string][], author?: Person, wanted?: string[] } = {}): Promise<Things> {
  const wants = (...some: string[]) => wanted === undefined || some.some((one) => wanted.includes(one))
  const made: Partial<Things> = {}
  for (const [name, make] of Object.entries(ofCompany)) if (wants(name)) made[name as 'user'] = await make(s)
  const project = await s.addProject({ visibility: 'members' })
  for (const [person, role] of members) await s.ask('PUT', `/api/projects/${project.id}/members/${person.id}`, { body: { role } })
  made.project = project.id
  if (wants('guest_link', 'guest_token')) Object.assign(made, await shareProject(s, project.id))
  if (wants(...ofTasks)) {
    // Nobody is told of what they do themselves.
    const by = author.id === s.admin.id ? members[0]?.[0] ?? s.admin : s.admin
    const task = await s.addTask(project.id, { assignee_id: author.id, ball_in_court: author.id }, by)
    made.task = task.id
    made.parent = (await s.addTask(project.id)).id
    await s.post(`/api/tasks/${task.id}/dependencies`, { blocks_id: made.parent })
    if (wants('comment')) made.comment = (await s.post(`/api/tasks/${task.id}/comments`, { body: SECRET }, { as: author })).id
    if (wants('item')) made.item = (await s.post(`/api/tasks/${task.id}/checklist`, { label: SECRET })).id
    if (wants('attachment')) made.attachment = (await s.ask('POST', `/api/tasks/${task.id}/attachments`, formWith(SECRET, 'notes.txt'))).json().id
    if (wants('notification')) {
      await s.app.events.settled()
      made.notification = (await s.query('select id from notifications where task_id = $1 and user_id = $2 limit 1', [task.id, author.id]))[0]?.id
    }
  }
  const all = ['user', 'company', 'contact', 'role', 'run', 'day', 'project', 'session', 'token', 'guest_link', 'guest_token', ...ofTasks]
  return { ...Object.fromEntries(all.map((name) => [name, NOTHING])), ...made } as Things
}

/** A story: what is done before a route is asked, and what it is asked with then. `actor` is who will ask. */
type Story = (s: TestApp, ids: Things, actor: Person) => Promise<{ ids?: Partial<Things>, body?: unknown, headers?: Record<string, string>, path?: Record<string, string> }> | { ids?: Partial<Things>, body?: unknown, headers?: Record<string, string>, path?: Record<string, string> }

const deleted = (url: (ids: Things) => string): Story => async (s, ids) => {
  await s.ask('DELETE', url(ids))
  return {}
}
const tokenOf = async (s: TestApp, person: Person): Promise<string> =>
  (await s.post('/api/tokens', { name: 'A token', scopes: ['projects:read'], expires_at: soon() }, { as: person })).id
const stories: Record<string, Story> = {
  'POST /api/auth/login': () => ({ body: { email: `x.${unique()}@example.com`, password: 'correct horse battery staple' } }), // many wrong ones of one address have to wait
  'DELETE /api/me/sessions/{id}': async (s, _ids, actor) => {
    const [session] = await s.query("insert into sessions (id, user_id, ip, expires_at, must_end_at) select gen_random_uuid(), $1, '127.0.0.1', t, t from (select now() + interval '1 day' as t) x returning id", [actor.id])
    return { ids: { session: session.id } }
  },
  'DELETE /api/tokens/{id}': async (s, _ids, actor) => ({ ids: { token: await tokenOf(s, actor) } }),
  'DELETE /api/admin/tokens/{id}': async (s) => ({ ids: { token: await tokenOf(s, s.member) } }),
  'POST /api/guest-links': (_s, ids) => ({ body: { name: 'A guest', project_id: ids.project, expires_at: soon() } }),
  'POST /api/users': () => ({ body: { email: `x.${unique()}@example.com`, name: 'New' } }),
  'PATCH /api/users/{id}': () => ({ body: { job_title: 'Foreman' } }),
  'PATCH /api/me': () => ({ body: { job_title: 'Foreman' } }),
  'PUT /api/me/preferences': (_s, ids) => ({ body: { default_project_id: ids.project } }),
  'DELETE /api/users/{id}/roles/{role}': async (s, ids) => { await s.ask('PUT', `/api/users/${ids.user}/roles/${ids.role}`); return {} },
  'POST /api/roles': () => ({ body: { slug: `r-${unique()}`, name: 'New' } }),
  'PUT /api/notifications/preferences': () => ({ body: { email: 'off' } }),
  'POST /api/projects/': () => ({ body: { code: `N-${unique()}`, name: 'New' } }),
  'PATCH /api/projects/{id}': () => ({ body: { name: 'Other' } }),
  'POST /api/projects/{id}/restore': deleted(({ project }) => `/api/projects/${project}`),
  'DELETE /api/projects/{id}/members/{user_id}': async (s, ids) => { await s.ask('PUT', `/api/projects/${ids.project}/members/${ids.user}`, { body: { role: 'viewer' } }); return {} },
  'PUT /api/calendar': () => ({ body: { timezone: 'America/Toronto', weekly_hours: [{ weekday: 1, opens: '08:00', closes: '17:00' }] } }),
  'DELETE /api/calendar/holidays/{date}': async (s, ids) => { await s.ask('PUT', `/api/calendar/holidays/${ids.day}`, { body: { name: 'Civic Holiday' } }); return {} },
  'POST /api/companies': () => ({ body: { name: `N ${unique()}`, kind: 'gc' } }),
  'PATCH /api/companies/{id}': () => ({ body: { phone: '1' } }),
  'POST /api/companies/{id}/restore': deleted(({ company }) => `/api/companies/${company}`),
  'POST /api/companies/{id}/contacts': () => ({ body: { name: 'New' } }),
  'PATCH /api/contacts/{id}': () => ({ body: { title: 'Foreman' } }),
  'POST /api/contacts/{id}/restore': deleted(({ contact }) => `/api/contacts/${contact}`),
  'POST /api/tasks': (_s, ids) => ({ body: { project_id: ids.project, title: 'New' } }),
  'POST /api/projects/{id}/tasks': () => ({ body: { title: 'New' } }),
  'PATCH /api/tasks/{id}': () => ({ body: { title: 'Other' } }),
  'POST /api/tasks/{id}/restore': deleted(({ task }) => `/api/tasks/${task}`),
  'POST /api/tasks/bulk': (_s, ids) => ({ body: { changes: [{ id: ids.task, set: { title: 'Other' } }] } }),
  'POST /api/tasks/{id}/move': async (s, ids, actor) => {
    const target = await s.addProject()
    await s.ask('PUT', `/api/projects/${target.id}/members/${actor.id}`, { body: { role: 'manager' } })
    return { ids: { task: (await s.addTask(ids.project)).id }, body: { project_id: target.id } }
  },
  'POST /api/tasks/{id}/ball': (s, _ids, actor) => ({ body: { to_user_id: actor.id === s.admin.id ? s.manager.id : s.admin.id } }),
  'POST /api/tasks/{id}/ball/nudge': async (s, ids) => ({ ids: { task: (await s.addTask(ids.project, { ball_in_court: (await s.addPerson('admin')).id })).id }, body: {} }),
  'POST /api/tasks/{id}/ball/resume': async (s, ids) => { await s.post(`/api/tasks/${ids.task}/ball/pause`, { reason: 'Permit' }); return {} },
  'PUT /api/ball-policy': () => ({ body: Object.fromEntries(['low', 'normal', 'high', 'urgent'].map((priority) => [priority, { acknowledge_within_seconds: 7200, act_within_seconds: null }])) }),
  'POST /api/tasks/{id}/checklist/reorder': async (s, ids) => ({ body: { ids: [(await s.post(`/api/tasks/${ids.task}/checklist`, { label: SECRET })).id] } }),
  'PATCH /api/checklist/{id}': () => ({ body: { is_done: true } }),
  'POST /api/tasks/{id}/attachments': () => formWith(SECRET, 'notes.txt'),
  'POST /api/tasks/{id}/dependencies': async (s, ids) => ({ body: { blocks_id: (await s.addTask(ids.project)).id } }),
  'DELETE /api/tasks/{id}/dependencies/{blocks_id}': (_s, ids) => ({ path: { blocks_id: ids.parent } }),
  'POST /api/comments/{id}/restore': async (s, ids, actor) => { await s.ask('DELETE', `/api/comments/${ids.comment}`, { as: actor }); return {} },
  'POST /api/admin/jobs/runs': () => ({ body: { job: 'make_activity_partitions' } })
}

const good = (fields: Row['body'] = {}, names: string[]) => Object.fromEntries(names.map((name) => [name, fields[name]?.good]))

/** The request of a route, for who will send it. What it needs is done first, unless it is only to be refused. */
export async function requestOf (s: TestApp, route: string, known: Things, actor: Person, { prepare = true } = {}): Promise<Asked> {
  const row = routes[route] ?? {}
  const [method = '', template = ''] = route.split(' ')
  const told = stories[route]
  const { ids, path = {}, body = row.body === undefined ? undefined : good(row.body, row.required ?? row.least ?? Object.keys(row.body)), headers } = told === undefined || (!prepare && told.constructor.name === 'AsyncFunction') ? {} : await told(s, known, actor)
  const at = { ...known, ...ids }
  const url = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => path[name] ?? at[row.ids?.[name] ?? 'task'])
  const query = (row.needs ?? []).map((name) => `${name}=${encodeURIComponent(String(row.query?.[name]?.good))}`).join('&')
  return { method, url: query === '' ? url : `${url}?${query}`, body, headers }
}
