import { code, commaListOf, count, cursor, email, flag, line, listOf, nullable, oneOf, prose, text, time, uuid, version, type Kind } from './values.js'

/** Whose ids the tests know. */
export type Resource = 'user' | 'project' | 'task' | 'comment' | 'notification' | 'item' | 'run' | 'company' | 'contact' | 'day' | 'attachment' | 'role' | 'session' | 'token' | 'guest_link' | 'guest_token'

/** What a route takes. `test/bad-input.test.ts` holds this table to the OpenAPI document, both ways. */
export interface Row {
  /** Whose id each parameter of the path is. */
  ids?: Record<string, Resource>
  query?: Record<string, Kind>
  body?: Record<string, Kind>
  required?: string[]
  /** The fields that a good body has, where none is required and not all may be there at once. */
  least?: string[]
  /** The parameters of the query that must be there. */
  needs?: string[]
  /** The body may be empty, or left out. */
  mayBeEmpty?: true
  /** Where in the body its fields are, when not at its top. */
  inside?: { prefix: string, wrap: (fields: object, ids: Record<Resource, string>) => object }
  ifMatch?: true
  /** The parameters of the path that may also be a slug. */
  orSlug?: string[]
  /** The parameters of the path that are secrets: whatever is not a good one is not there. */
  opaque?: string[]
  /** Takes a form with a file, and no JSON. */
  file?: true
  /** The answer when the id of a parameter is well-formed but unknown, where that is not 404. */
  unknown?: Record<string, [status: number, code: string]>
  /** The answer to a good request does not end. */
  endless?: true
  /** Answers without an identity, whatever the query string: monitors add their own. */
  open?: true
  /** Answers without an identity, to what is in the body; it takes no Idempotency-Key. */
  public?: true
  /** Answers with a secret, or doing it twice is doing it once: it takes no Idempotency-Key. */
  unkeyed?: true
  /** The answer to a request that is well-formed, where that needs something secret to be good. */
  wellFormed?: number
}

const page = (sort: string, keys: 'time' | 'text' | 'number' = 'time') => ({ limit: count(1, 200), cursor: cursor(sort, keys), count: flag, sort: oneOf(sort) })
const department = oneOf('Operations')
const whom = commaListOf({ ...uuid, good: 'me' }, 50)
const word = commaListOf(text('task', { 'other case': 'Task', 'two words': 'a b', 'too long': 'x'.repeat(41), SQL: "task';--" }), 20)

const slug = (good: string) => ({ good, bad: { ...code.bad, 'an upper case': 'Estimator', 'one too long': 'x'.repeat(64), 'a dot': 'a.b' } })
const projectFields = { code, name: line(200), description: prose(20000), status: oneOf('active'), visibility: oneOf('company') }
const taskFields = {
  title: line(500),
  description: prose(20000),
  status: oneOf('open'),
  priority: oneOf('high'),
  department: nullable(department),
  tags: listOf(line(50), 20),
  assignee_id: nullable(uuid),
  ball_in_court: nullable(uuid),
  due_at: nullable(time),
  parent_id: nullable(uuid)
}
const taskFilters = {
  ...page('-updated_at'),
  status: commaListOf(oneOf('open')),
  priority: commaListOf(oneOf('high')),
  department: commaListOf(department),
  assignee: whom,
  ball: commaListOf(text('company:01900000-0000-7000-8000-00000000dead', { 'no id': 'company:', 'another party': 'contact:01900000-0000-7000-8000-00000000dead', 'two ids': 'company:company:01900000-0000-7000-8000-00000000dead', 'a word': 'architect' }), 50),
  tag: commaListOf(line(50), 20),
  due_from: time,
  due_to: time,
  overdue: flag,
  stalled: text('true', { zero: '0', negative: '-1', fraction: '1.5', 'too many': '10000', 'a word': 'yes' }),
  parent: commaListOf(uuid, 50),
  watched: flag,
  created_by: whom,
  q: text('pump', { 'too long': 'x'.repeat(201) }),
  updated_since: time
}
const activityFilters = { ...page('-at'), entity_type: word, entity_id: uuid, actor: uuid, action: word, from: time, to: time }
const reportFilters = { project: commaListOf(uuid, 50), department: commaListOf(department), from: time, to: time, format: oneOf('csv') }
const person = commaListOf({ ...uuid, good: 'me' }, 50)
const zone: Kind = { good: 'America/Toronto', bad: { ...code.bad, 'one too long': 'x'.repeat(65), 'a slash': 'America/St.', 'a leading dash': '$America', 'a way out': '../etc/passwd' } }
const profile = {
  name: line(200),
  job_title: nullable(line(200)),
  timezone: zone,
  phone: nullable({ good: '+1 (416) 555-0142 x7', bad: { ...code.bad, letters: '555-CALL-NOW', 'too short': '911', 'one too long': '1'.repeat(41), 'only signs': '+()' } }),
  locale: { good: 'fr-CA', bad: { ...code.bad, 'a word': 'english', 'an underscore': 'en_CA', 'a part too long': 'en-abcdefghi', 'a variant twice': 'de-1901-1901', 'one too long': 'en-x-aaaaaaaa-aaaaaaaa-aaaaaaaa-aaaaaaaa' } }
}
const yesOrNo: Kind = { good: true, bad: { null: null, 'a word': 'true', 'a number': 1, 'a list': [true] } }
const roleFields = { name: line(100), description: prose(1000), permissions: { good: ['tasks:read'], bad: { null: null, 'a text': 'tasks:read', 'a number in it': [5], 'no code': ['tasks'], 'one twice': ['tasks:read', 'tasks:read'], 'an upper case': ['Tasks:read'], 'too many': Array.from({ length: 201 }, (_, i) => `a:${'b'.repeat(1 + i % 50)}_${'c'.repeat(1 + Math.floor(i / 50))}`) } } }
const monday = { weekday: 1, opens: '08:00', closes: '17:00' }
const hours: Kind = {
  good: [monday],
  bad: {
    null: null,
    'no list': monday,
    'an hour that does not exist': [{ ...monday, opens: '24:00' }],
    'an hour without minutes': [{ ...monday, closes: '17' }],
    'closing before opening': [{ ...monday, closes: '07:00' }],
    'no time between': [{ ...monday, closes: '08:00' }],
    'a day twice': [monday, { ...monday, opens: '09:00' }],
    'an eighth day': [{ ...monday, weekday: 8 }],
    'no weekday': [{ opens: '08:00', closes: '17:00' }],
    'a weekday by name': [{ ...monday, weekday: 'Monday' }],
    'something else': [{ ...monday, lunch: '12:00' }],
    'eight days': Array(8).fill(monday)
  }
}
const expected = { acknowledge_within_seconds: 7200, act_within_seconds: null }
const rule: Kind = {
  good: expected,
  bad: {
    null: null,
    'a number': 7200,
    'a list': [expected],
    nothing: {},
    'half of it': { act_within_seconds: 7200 },
    'something else': { ...expected, escalate_to: 'me' },
    'no time': { ...expected, act_within_seconds: 0 },
    'a fraction': { ...expected, act_within_seconds: 3600.5 },
    'more than years': { ...expected, act_within_seconds: 10_000_001 },
    'beyond int4': { ...expected, act_within_seconds: 1e12 },
    text: { ...expected, act_within_seconds: '7200' }
  }
}
const companyFields = { name: line(200), kind: oneOf('gc'), phone: nullable(line(50)) }
const contactFields = { name: line(200), email: nullable(email), phone: nullable(line(50)), title: nullable(line(200)) }
const comment = { body: { body: { ...prose(10000, { saysSomething: true }), bad: { ...prose(10000, { saysSomething: true }).bad, 'white space': ' \n\t\u3000', 'much white space': ' '.repeat(10000) } } }, required: ['body'] }
const timeOfDay: Kind = text('07:30', { 'too late': '24:00', 'no zero': '7:30', seconds: '07:30:00', minutes: '07:60', 'a zone': '07:30Z' })
const project = { ids: { id: 'project' } } as const
const task = { ids: { id: 'task' } } as const
const password = text('correct horse battery staple', { empty: '', 'one too long': 'x'.repeat(201), '1 MB': 'x'.repeat(1_000_000), 'a control character': 'a\0b', 'half a letter': '\ud800' })
const token = text('A'.repeat(43), { empty: '', 'one too long': 'A'.repeat(44), 'too short': 'A'.repeat(42), 'other letters': '+'.repeat(43) })
const address = { ...email, good: 'nobody@example.com' }
const open: Row = { open: true }

/** Every route of the OpenAPI document. */
export const routes: Record<string, Row> = {
  'GET /health': open,
  'GET /api/health': open,
  'GET /api/health/live': open,
  'GET /api/health/ready': open,
  'GET /api/health/quick': open,
  'GET /api/health/detailed': open,
  'GET /api/health/metrics': open,
  'GET /api/health/status': open,
  'GET /db/ping': open,
  'GET /api/debug/dbinfo': open,
  'GET /version': open,
  'GET /metrics': open,
  'GET /openapi.json': open,

  'GET /api/users': { query: { ...page('name', 'text'), department: commaListOf(department), active: flag } },
  'GET /api/users/{id}': { ids: { id: 'user' } },
  'POST /api/users': { body: { email, ...profile, department: nullable(department) }, required: ['email', 'name'] },
  'PATCH /api/users/{id}': { ids: { id: 'user' }, body: { email, ...profile, department: nullable(department), is_active: yesOrNo }, ifMatch: true },
  'DELETE /api/users/{id}': { ids: { id: 'user' }, ifMatch: true },
  'PUT /api/users/{id}/roles/{role}': { ids: { id: 'user', role: 'role' }, orSlug: ['role'] },
  'DELETE /api/users/{id}/roles/{role}': { ids: { id: 'user', role: 'role' }, orSlug: ['role'] },
  'GET /api/permissions': {},
  'GET /api/roles': { query: page('name', 'text') },
  'POST /api/roles': { body: { slug: slug('estimator'), ...roleFields }, required: ['slug', 'name'] },
  'GET /api/roles/{id}': { ids: { id: 'role' } },
  'PATCH /api/roles/{id}': { ids: { id: 'role' }, body: roleFields, ifMatch: true },
  'DELETE /api/roles/{id}': { ids: { id: 'role' }, ifMatch: true },
  'GET /api/me': {},
  'PATCH /api/me': { body: profile, ifMatch: true },
  'GET /api/me/preferences': {},
  'PUT /api/me/preferences': {
    body: {
      week_starts_on: oneOf('monday'),
      date_format: oneOf('YYYY-MM-DD'),
      time_format: oneOf('24h'),
      theme: oneOf('dark'),
      items_per_page: { good: 25, bad: { ...version.bad, 'too few': 9, 'too many': 201 } },
      default_project_id: nullable(uuid)
    },
    ifMatch: true
  },
  'GET /api/me/permissions': { query: { project: uuid } },
  'GET /api/me/sessions': {},
  'DELETE /api/me/sessions/{id}': { ids: { id: 'session' } },

  'POST /api/auth/login': { body: { email: address, password }, required: ['email', 'password'], public: true, wellFormed: 401 },
  'POST /api/auth/refresh': { body: { refresh_token: token }, required: ['refresh_token'], public: true, wellFormed: 401 },
  'POST /api/auth/logout': { body: { refresh_token: token }, mayBeEmpty: true, public: true },
  'POST /api/auth/logout-all': { unkeyed: true },
  'POST /api/auth/password': { body: { current_password: password, new_password: password }, required: ['current_password', 'new_password'], unkeyed: true },
  'POST /api/auth/password/forgot': { body: { email: address }, required: ['email'], public: true },
  'POST /api/auth/password/reset': { body: { token, new_password: password }, required: ['token', 'new_password'], public: true },
  'POST /api/auth/invitations': { body: { user_id: uuid, email: address }, least: ['email'] },
  'POST /api/auth/invitations/accept': { body: { token, password, name: line(200) }, required: ['token', 'password'], public: true },

  'GET /api/me/work': { query: { limit: count(1, 100) } },

  'GET /api/projects/': { query: { ...page('-updated_at'), status: commaListOf(oneOf('active')), visibility: oneOf('company'), updated_since: time } },
  'POST /api/projects/': { body: projectFields, required: ['code', 'name'] },
  'GET /api/projects/{id}': project,
  'PATCH /api/projects/{id}': { ...project, body: projectFields, ifMatch: true },
  'DELETE /api/projects/{id}': { ...project, ifMatch: true },
  'POST /api/projects/{id}/restore': project,
  'GET /api/projects/{id}/members': { ...project, query: page('name', 'text') },
  'PUT /api/projects/{id}/members/{user_id}': { ids: { id: 'project', user_id: 'user' }, body: { role: slug('member') }, required: ['role'], unknown: { user_id: [422, 'EDEN_UNKNOWN_USER'] } },
  'DELETE /api/projects/{id}/members/{user_id}': { ids: { id: 'project', user_id: 'user' } },
  'GET /api/projects/{id}/activity': { ...project, query: activityFilters },

  'GET /api/calendar': { query: { year: count(1900, 2999) } },
  'PUT /api/calendar': { body: { timezone: zone, weekly_hours: hours }, required: ['timezone', 'weekly_hours'], ifMatch: true },
  'PUT /api/calendar/holidays/{date}': { ids: { date: 'day' }, body: { name: line(200) }, required: ['name'], unknown: { date: [400, 'EDEN_VALIDATION'] } },
  'DELETE /api/calendar/holidays/{date}': { ids: { date: 'day' }, unknown: { date: [400, 'EDEN_VALIDATION'] } },

  'GET /api/companies': { query: { ...page('name', 'text'), kind: commaListOf(oneOf('gc')), q: text('Acme', { 'too long': 'x'.repeat(201) }) } },
  'POST /api/companies': { body: companyFields, required: ['name', 'kind'] },
  'GET /api/companies/{id}': { ids: { id: 'company' } },
  'PATCH /api/companies/{id}': { ids: { id: 'company' }, body: companyFields, ifMatch: true },
  'DELETE /api/companies/{id}': { ids: { id: 'company' }, ifMatch: true },
  'POST /api/companies/{id}/restore': { ids: { id: 'company' } },
  'GET /api/companies/{id}/contacts': { ids: { id: 'company' }, query: page('name', 'text') },
  'POST /api/companies/{id}/contacts': { ids: { id: 'company' }, body: contactFields, required: ['name'] },
  'GET /api/contacts/{id}': { ids: { id: 'contact' } },
  'PATCH /api/contacts/{id}': { ids: { id: 'contact' }, body: contactFields, ifMatch: true },
  'DELETE /api/contacts/{id}': { ids: { id: 'contact' }, ifMatch: true },
  'POST /api/contacts/{id}/restore': { ids: { id: 'contact' } },

  'GET /api/tasks': { query: { ...taskFilters, project: commaListOf(uuid, 50) } },
  'GET /api/projects/{id}/tasks': { ...project, query: taskFilters },
  'POST /api/tasks': { body: { project_id: uuid, ...taskFields }, required: ['project_id', 'title'] },
  'POST /api/projects/{id}/tasks': { ...project, body: taskFields, required: ['title'] },
  'GET /api/tasks/{id}': { ...task, query: { as_of: time } },
  'PATCH /api/tasks/{id}': { ...task, body: { ...taskFields, base_version: version }, ifMatch: true },
  'DELETE /api/tasks/{id}': { ...task, ifMatch: true },
  'POST /api/tasks/{id}/restore': task,
  'POST /api/tasks/bulk': { body: taskFields, inside: { prefix: 'changes.0.set.', wrap: (fields, ids) => ({ changes: [{ id: ids.task, set: fields }] }) } },
  'POST /api/tasks/{id}/move': { ...task, body: { project_id: uuid, parent_id: nullable(uuid) }, required: ['project_id'], ifMatch: true },
  'GET /api/tasks/{id}/activity': { ...task, query: activityFilters },

  'GET /api/tasks/{id}/ball': { ...task, query: page('no', 'number') },
  'POST /api/tasks/{id}/ball': { ...task, body: { to_user_id: nullable(uuid), to_company_id: uuid, to_contact_id: uuid, note: prose(2000, { saysSomething: true }), expected_by: time }, least: ['to_user_id', 'note', 'expected_by'], ifMatch: true },
  'POST /api/tasks/{id}/ball/ack': task,
  'POST /api/tasks/{id}/ball/nudge': { ...task, body: { note: prose(2000, { saysSomething: true }) }, mayBeEmpty: true },
  'POST /api/tasks/{id}/ball/pause': { ...task, body: { reason: prose(2000, { saysSomething: true }) }, required: ['reason'] },
  'POST /api/tasks/{id}/ball/resume': task,

  'GET /api/ball-policy': {},
  'PUT /api/ball-policy': { body: { low: rule, normal: rule, high: rule, urgent: rule }, required: ['low', 'normal', 'high', 'urgent'], ifMatch: true },

  'GET /api/tasks/{id}/checklist': { ...task, query: page('position', 'number') },
  'POST /api/tasks/{id}/checklist': { ...task, body: { label: line(500) }, required: ['label'] },
  'POST /api/tasks/{id}/checklist/reorder': { ...task, body: { ids: listOf(uuid, 200) }, required: ['ids'] },
  'PATCH /api/checklist/{id}': { ids: { id: 'item' }, body: { label: line(500), is_done: yesOrNo }, ifMatch: true },
  'DELETE /api/checklist/{id}': { ids: { id: 'item' }, ifMatch: true },
  'GET /api/tasks/{id}/attachments': { ...task, query: page('created_at') },
  'POST /api/tasks/{id}/attachments': { ...task, file: true },
  'GET /api/attachments/{id}': { ids: { id: 'attachment' } },
  'GET /api/attachments/{id}/content': { ids: { id: 'attachment' } },
  'DELETE /api/attachments/{id}': { ids: { id: 'attachment' }, ifMatch: true },
  'PUT /api/tasks/{id}/watch': task,
  'DELETE /api/tasks/{id}/watch': task,
  'GET /api/tasks/{id}/dependencies': { ...task, query: page('created_at') },
  'POST /api/tasks/{id}/dependencies': { ...task, body: { blocks_id: uuid }, required: ['blocks_id'] },
  'DELETE /api/tasks/{id}/dependencies/{blocks_id}': { ids: { id: 'task', blocks_id: 'task' } },
  'GET /api/tasks/{id}/comments': { ...task, query: page('created_at') },
  'POST /api/tasks/{id}/comments': { ...task, ...comment },
  'GET /api/comments/{id}': { ids: { id: 'comment' } },
  'GET /api/comments/{id}/history': { ids: { id: 'comment' }, query: page('at') },
  'PATCH /api/comments/{id}': { ids: { id: 'comment' }, ...comment, ifMatch: true },
  'DELETE /api/comments/{id}': { ids: { id: 'comment' }, ifMatch: true },
  'POST /api/comments/{id}/restore': { ids: { id: 'comment' } },

  'GET /api/activity': { query: { ...activityFilters, project: uuid } },
  'GET /api/changes': { query: { after: count(0, Number.MAX_SAFE_INTEGER), limit: count(1, 200) } },

  'GET /api/notifications/': { query: { ...page('-created_at'), unread: flag, type: commaListOf(oneOf('mentioned')), project: uuid } },
  'GET /api/notifications/recent': {},
  'GET /api/notifications/unread-count': {},
  'PATCH /api/notifications/{id}/read': { ids: { id: 'notification' } },
  'PATCH /api/notifications/mark-all-read': {},
  'GET /api/notifications/preferences': {},
  'PUT /api/notifications/preferences': {
    body: {
      types: { good: { mentioned: { in_app: false } }, bad: { null: null, 'a boolean': true, 'a text': 'on', 'a list': [] } },
      email: oneOf('daily'),
      daily_at: timeOfDay,
      quiet_hours: nullable({ good: { from: '20:00', to: '07:00' }, bad: { 'a text': '20:00', 'a list': ['20:00', '07:00'], 'nothing in it': {} } })
    }
  },
  'GET /api/notifications/stream': { query: { last_event_id: count(0, Number.MAX_SAFE_INTEGER) }, endless: true },

  'GET /api/admin/audit/': { query: { ...page('-at'), event: commaListOf(oneOf('sign_in_refused'), 50), actor: uuid, target: text('someone', { 'too long': 'x'.repeat(201) }), ip: text('127.0.0.1', { 'a name': 'localhost', 'a network': '10.0.0.0/8', 'no number': '1.2.3.256', 'a zone': 'fe80::1%eth0' }), from: time, to: time } },
  'GET /api/tokens': { query: { ...page('-created_at'), state: commaListOf(oneOf('live')) } },
  'POST /api/tokens': {
    body: { name: line(100), scopes: listOf({ good: 'projects:read', bad: { null: null, 'a number': 1, empty: '', 'no colon': 'projects', 'a wildcard': 'projects:*', 'other case': 'Projects:read', SQL: "x';--" } }, 100), expires_at: { ...time, good: new Date(Date.now() + 3_600_000).toISOString() } },
    required: ['name', 'scopes', 'expires_at'],
    unkeyed: true
  },
  'DELETE /api/tokens/{id}': { ids: { id: 'token' } },
  'GET /api/guest-links': { query: { ...page('-created_at'), project: commaListOf(uuid, 50), task: commaListOf(uuid, 50), state: commaListOf(oneOf('live')) } },
  'POST /api/guest-links': {
    body: { name: line(100), project_id: uuid, task_id: uuid, expires_at: { ...time, good: new Date(Date.now() + 3_600_000).toISOString() } },
    required: ['name', 'expires_at'],
    least: ['name', 'project_id', 'expires_at'],
    unkeyed: true
  },
  'DELETE /api/guest-links/{id}': { ids: { id: 'guest_link' } },
  'GET /api/guest/{token}': { ids: { token: 'guest_token' }, query: { ...page('-updated_at'), status: commaListOf(oneOf('open')) }, opaque: ['token'], public: true },
  'GET /api/admin/tokens': { query: { ...page('-created_at'), state: commaListOf(oneOf('live')), user_id: uuid } },
  'DELETE /api/admin/tokens/{id}': { ids: { id: 'token' } },

  'GET /api/admin/jobs/': {},
  'GET /api/admin/jobs/runs': { query: { ...page('-created_at'), job: commaListOf(text('expire_job_runs', { 'other case': 'Runs', 'two words': 'a b', 'too long': 'x'.repeat(61) }), 50), state: commaListOf(oneOf('failed')) } },
  'GET /api/admin/jobs/runs/{id}': { ids: { id: 'run' } },
  'POST /api/admin/jobs/runs': { body: { job: text('make_activity_partitions', { 'other case': 'Runs', 'two words': 'a b', 'too long': 'x'.repeat(61), null: null as never }) }, required: ['job'] },

  'GET /api/search': { query: { q: text('pump', { 'too long': 'x'.repeat(201), blank: ' ' }), type: commaListOf(oneOf('task')), project: commaListOf(uuid, 50), limit: count(1, 50) }, needs: ['q'] },

  'GET /api/reports/tasks/status': { query: reportFilters },
  'GET /api/reports/tasks/ball': { query: reportFilters },
  'GET /api/reports/tasks/priority': { query: reportFilters },
  'GET /api/reports/tasks/overdue': { query: { ...page('due_at'), ...reportFilters } },
  'GET /api/reports/activity/recent': { query: { ...reportFilters, days: count(1, 90) } },
  'GET /api/reports/ball/flow': { query: { ...reportFilters, person, by: commaListOf(oneOf('person')) } },
  'GET /api/reports/workload': { query: { ...reportFilters, person } },
  'GET /api/reports/throughput': { query: { ...reportFilters, person, per: oneOf('day') } },
  'GET /api/reports/projects/health': { query: { ...reportFilters, person } },
  'GET /api/reports/tasks/ageing': { query: { ...reportFilters, person } }
}
