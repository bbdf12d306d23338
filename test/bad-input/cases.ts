import { gzipSync } from 'node:zlib'
import type { TestApp } from '../helper.js'
import type { Case } from './send.js'
import { UNKNOWN_ID } from './values.js'

type Expected = [status: number, code: string, path?: string]
type More = Pick<Case, 'headers' | 'body'>

/**
 * The bad requests that need a story: what is taken, gone, stale, somebody else's, or nowhere. What they are told about
 * is made here first.
 */
export async function casesOf (s: TestApp): Promise<Case[]> {
  const { admin, member, viewer } = s
  const project = await s.addProject({ code: 'HOSP-1' })
  const other = await s.addProject({ code: 'TOWER-1' })
  const gone = await s.addProject({ code: 'Gone-1' })
  await s.ask('DELETE', `/api/projects/${gone.id}`)
  await s.addProject({ code: 'GONE-1' })
  const secret = await s.addProject({ visibility: 'members' })
  const hidden = await s.addTask(secret.id)
  const left = await s.addPerson('member', { is_active: false })

  const task = await s.addTask(project.id, { ball_in_court: member.id, status: 'in_progress' })
  const child = await s.addTask(project.id, { parent_id: task.id })
  const elsewhere = await s.addTask(other.id)
  const finished = await s.addTask(project.id, { status: 'done' })
  const deleted = await s.addTask(project.id)
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  const moved = await s.addTask(project.id, { title: 'As it was' })
  await s.patch(`/api/tasks/${moved.id}`, { title: 'As it is', tags: ['new'] })
  const comment = await s.post(`/api/tasks/${task.id}/comments`, { body: 'Mine' }, { as: member })
  const key = 'a key that was used'.replaceAll(' ', '-')
  await s.post(`/api/tasks/${task.id}/comments`, { body: 'Once' }, { headers: { 'idempotency-key': key } })

  const cases: Case[] = []
  const no = (what: string, ask: string, expected: Expected, more: More = {}) => {
    const [method = '', url = ''] = ask.split(/ (.*)/)
    const [status, code, path] = expected
    cases.push({ what, method, url, status, code, path, ...more })
  }
  const as = (person: { email: string }) => ({ 'x-dev-email': person.email })
  const bulk = (changes: unknown[], more: More = {}) => ({ body: { changes }, ...more })
  const set = { title: 'Never' }

  // Codes: one project each, whatever the case.
  no('a code that is taken', 'POST /api/projects', [409, 'EDEN_CODE_TAKEN', 'code'], { body: { code: 'HOSP-1', name: 'x' } })
  no('the code of another case', 'POST /api/projects', [409, 'EDEN_CODE_TAKEN', 'code'], { body: { code: 'hosp-1', name: 'x' } })
  no('a code that is taken', `PATCH /api/projects/${other.id}`, [409, 'EDEN_CODE_TAKEN', 'code'], { body: { code: 'hOsP-1', name: 'x' } })
  no('a code that somebody took meanwhile', `POST /api/projects/${gone.id}/restore`, [409, 'EDEN_CODE_TAKEN', 'code'])

  // What is named and is not there.
  for (const [what, fields, expected] of [
    ['an unknown assignee', { assignee_id: UNKNOWN_ID }, [422, 'EDEN_UNKNOWN_ASSIGNEE', 'assignee_id']],
    ['an unknown holder', { ball_in_court: UNKNOWN_ID }, [422, 'EDEN_UNKNOWN_BALL_IN_COURT', 'ball_in_court']],
    ['an unknown parent', { parent_id: UNKNOWN_ID }, [422, 'EDEN_UNKNOWN_PARENT', 'parent_id']],
    ['a parent in another project', { parent_id: elsewhere.id }, [422, 'EDEN_UNKNOWN_PARENT', 'parent_id']],
    ['an assignee who has left', { assignee_id: left.id }, [422, 'EDEN_INACTIVE_PERSON', 'assignee_id']],
    ['a holder who has left', { ball_in_court: left.id }, [422, 'EDEN_INACTIVE_PERSON', 'ball_in_court']]
  ] as [string, object, Expected][]) {
    no(what, 'POST /api/tasks', expected, { body: { project_id: project.id, title: 'x', ...fields } })
    no(what, `POST /api/projects/${project.id}/tasks`, expected, { body: { title: 'x', ...fields } })
    no(what, `PATCH /api/tasks/${task.id}`, expected, { body: { title: 'x', ...fields } })
    no(what, 'POST /api/tasks/bulk', [expected[0], expected[1]], bulk([{ id: child.id, set }, { id: task.id, set: fields }]))
  }
  for (const [what, id] of [['unknown', UNKNOWN_ID], ['deleted', gone.id]]) {
    no(`a project that is ${what}`, 'POST /api/tasks', [422, 'EDEN_UNKNOWN_PROJECT', 'project_id'], { body: { project_id: id, title: 'x' } })
    no(`a project that is ${what}`, `POST /api/projects/${id}/tasks`, [404, 'EDEN_NOT_FOUND'], { body: { title: 'x' } })
  }
  no('a project that one does not see', 'POST /api/tasks', [422, 'EDEN_UNKNOWN_PROJECT', 'project_id'], { body: { project_id: secret.id, title: 'x' }, headers: as(member) })
  no('a task that one does not see', `PATCH /api/tasks/${hidden.id}`, [404, 'EDEN_NOT_FOUND'], { body: set, headers: as(member) })
  no('a task that one does not see', `POST /api/tasks/${hidden.id}/comments`, [404, 'EDEN_NOT_FOUND'], { body: { body: 'x' }, headers: as(member) })
  no('itself as parent', `PATCH /api/tasks/${task.id}`, [422, 'EDEN_PARENT_CYCLE', 'parent_id'], { body: { parent_id: task.id } })
  no('its child as parent', `PATCH /api/tasks/${task.id}`, [422, 'EDEN_PARENT_CYCLE', 'parent_id'], { body: { parent_id: child.id } })
  no('a receiver who has left', `POST /api/tasks/${task.id}/ball`, [422, 'EDEN_INACTIVE_PERSON'], { body: { to_user_id: left.id } })
  no('an unknown receiver', `POST /api/tasks/${task.id}/ball`, [422, 'EDEN_UNKNOWN_BALL_IN_COURT'], { body: { to_user_id: UNKNOWN_ID } })
  no('who is not on the project', `DELETE /api/projects/${other.id}/members/${viewer.id}`, [404, 'EDEN_NOT_FOUND'])
  for (const zone of ['Mars/Olympus', '/etc/passwd', '+99999999', '-', 'constructor']) {
    no(`the time zone ${zone}`, 'PATCH /api/me', [400, 'EDEN_VALIDATION', 'timezone'], { body: { timezone: zone, name: 'Never' } })
  }

  // What was deleted, and what was not.
  for (const [method, path] of [['GET', ''], ['PATCH', ''], ['DELETE', ''], ['POST', '/comments'], ['POST', '/ball'], ['POST', '/ball/ack'], ['GET', '/ball'], ['GET', '/comments']]) {
    const body = ({ PATCH: set, POST: path === '/ball' ? { to_user_id: null } : path === '/comments' ? { body: 'x' } : undefined } as Record<string, object | undefined>)[method as string]
    no('a deleted task', `${method} /api/tasks/${deleted.id}${path}`, [404, 'EDEN_NOT_FOUND'], { body })
  }
  no('a deleted project', `PATCH /api/projects/${gone.id}`, [404, 'EDEN_NOT_FOUND'], { body: { name: 'Never' } })
  for (const path of [`projects/${project.id}`, `tasks/${task.id}`, `comments/${comment.id}`]) no('what was not deleted', `POST /api/${path}/restore`, [404, 'EDEN_NOT_FOUND'])

  // Whose it is, and who may.
  no('somebody else\'s comment', `PATCH /api/comments/${comment.id}`, [403, 'EDEN_COMMENT_NOT_YOURS'], { body: { body: 'Never' } })
  no('the ball in another court', `POST /api/tasks/${task.id}/ball/ack`, [403, 'EDEN_BALL_NOT_YOURS'])
  no('a viewer who writes', 'POST /api/tasks', [403, 'EDEN_FORBIDDEN'], { body: { project_id: project.id, title: 'x' }, headers: as(viewer) })
  for (const [what, headers] of Object.entries<Record<string, string>>({
    'an unknown address': { 'x-dev-email': 'nobody@example.com' },
    'the address of someone who has left': as(left),
    'a long address': { 'x-dev-email': 'x'.repeat(100_000) },
    SQL: { 'x-dev-email': "' or 1=1 --" },
    'no token': { authorization: 'Bearer' },
    'no scheme': { authorization: 'x' },
    'another scheme': { authorization: 'Basic eDp5' },
    'an unsigned token': { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' },
    'a long token': { authorization: `Bearer ${'x'.repeat(100_000)}` },
    'an id that is none': { 'x-dev-email': '', 'x-dev-user-id': 'me' },
    'an id with NUL': { 'x-dev-email': '', 'x-dev-user-id': `${admin.id}\0` }
  })) no(what, 'GET /api/me', [401, 'EDEN_UNAUTHENTICATED'], { headers })

  // Versions, and the flow.
  for (const tag of ['"1"', '"99999999999999999999"', 'W/"2"', '"0"', '"-1"', '"x", W/"2"', '""']) {
    no(`If-Match ${tag}`, `PATCH /api/tasks/${moved.id}`, [412, 'EDEN_STALE'], { body: set, headers: { 'if-match': tag } })
    no(`If-Match ${tag}`, `DELETE /api/tasks/${moved.id}`, [412, 'EDEN_STALE'], { headers: { 'if-match': tag } })
    no(`If-Match ${tag}`, `POST /api/tasks/${moved.id}/ball`, [412, 'EDEN_STALE'], { body: { to_user_id: admin.id }, headers: { 'if-match': tag } })
  }
  no('a base that is yet to come', `PATCH /api/tasks/${moved.id}`, [412, 'EDEN_STALE'], { body: { base_version: 2147483647, ...set } })
  no('a field that changed since', `PATCH /api/tasks/${moved.id}`, [409, 'EDEN_MERGE_CONFLICT', 'title'], { body: { base_version: 1, ...set, priority: 'low' } })
  no('a base beyond a double', `PATCH /api/tasks/${moved.id}`, [400, 'EDEN_VALIDATION', 'base_version'], { body: '{"base_version": 1e400, "title": "Never"}' })
  no('a move that the flow forbids', `PATCH /api/tasks/${finished.id}`, [422, 'EDEN_STATUS_NOT_ALLOWED', 'status'], { body: { status: 'review', ...set } })
  no('a ball for a finished task', `PATCH /api/tasks/${finished.id}`, [422, 'EDEN_TASK_FINISHED', 'ball_in_court'], { body: { ball_in_court: member.id, ...set } })
  no('a ball for a finished task', `POST /api/tasks/${finished.id}/ball`, [422, 'EDEN_TASK_FINISHED'], { body: { to_user_id: member.id } })
  no('a ball that is there', `POST /api/tasks/${task.id}/ball`, [409, 'EDEN_BALL_ALREADY_THERE'], { body: { to_user_id: member.id } })
  no('a key of another request', `POST /api/tasks/${task.id}/comments`, [422, 'EDEN_IDEMPOTENCY_MISMATCH'], { body: { body: 'Twice' }, headers: { 'idempotency-key': key } })
  no('a key, for what fails', 'POST /api/tasks', [422, 'EDEN_UNKNOWN_PROJECT'], { body: { project_id: UNKNOWN_ID, title: 'x' }, headers: { 'idempotency-key': 'k1' } })

  // Many at once: all or none.
  const invalid = (path: string): Expected => [400, 'EDEN_VALIDATION', path]
  no('no changes', 'POST /api/tasks/bulk', invalid('changes'), bulk([]))
  no('501 changes', 'POST /api/tasks/bulk', invalid('changes'), bulk(Array(501).fill({ id: task.id, set })))
  no('a task twice', 'POST /api/tasks/bulk', invalid('changes'), bulk([{ id: task.id, set }, { id: child.id, set }, { id: task.id, set }]))
  no('a task twice, in another case', 'POST /api/tasks/bulk', invalid('changes'), bulk([{ id: task.id, set }, { id: task.id.toUpperCase(), set }]))
  no('a task twice, as a URN', 'POST /api/tasks/bulk', invalid('changes.1.id'), bulk([{ id: task.id, set }, { id: `urn:uuid:${task.id}`, set }]))
  no('changes that are none', 'POST /api/tasks/bulk', invalid('changes'), { body: { changes: { 0: { id: task.id, set } } } })
  no('an entry that is none', 'POST /api/tasks/bulk', invalid('changes.1'), bulk([{ id: task.id, set }, null]))
  no('an entry without an id', 'POST /api/tasks/bulk', invalid('changes.1.id'), bulk([{ id: task.id, set }, { set }]))
  no('an entry that sets nothing', 'POST /api/tasks/bulk', invalid('changes.1.set'), bulk([{ id: task.id, set }, { id: child.id }]))
  no('an unknown field of an entry', 'POST /api/tasks/bulk', invalid('changes.0.title'), bulk([{ id: task.id, set, title: 'x' }]))
  for (const version of [0, -1, 1.5, '1', null, 2147483648]) no(`version ${version}`, 'POST /api/tasks/bulk', invalid('changes.0.version'), bulk([{ id: task.id, set, version }]))
  no('a stale entry', 'POST /api/tasks/bulk', [412, 'EDEN_STALE', 'changes.1'], bulk([{ id: task.id, set }, { id: moved.id, set, version: 1 }]))
  no('an unknown task', 'POST /api/tasks/bulk', [404, 'EDEN_NOT_FOUND', 'changes.1'], bulk([{ id: task.id, set }, { id: UNKNOWN_ID, set }]))
  no('a move that the flow forbids', 'POST /api/tasks/bulk', [422, 'EDEN_STATUS_NOT_ALLOWED', 'changes.1'], bulk([{ id: task.id, set }, { id: finished.id, set: { status: 'open' } }]))

  // Nowhere, and not so.
  for (const url of ['/', '/api', '/api/', '/api/nothing', '/api/tasks/x/y/z', '/api/Tasks', '//api/tasks', '/.env', '/docs/static/nothing.js', '/docs/static/..%2f..%2fpackage.json', '/constructor', '/__proto__', '/%00', '/%F0%9F%9A%A7', `/${'x'.repeat(7_000)}`]) {
    no('nothing there', `GET ${url}`, [404, 'EDEN_ROUTE_NOT_FOUND'])
    no('nothing there', `POST ${url}`, [404, 'EDEN_ROUTE_NOT_FOUND'], { body: {} })
  }
  for (const [method, url] of [['PUT', '/api/tasks'], ['DELETE', '/api/me'], ['POST', '/api/me'], ['PATCH', '/api/tasks'], ['PUT', `/api/tasks/${task.id}`]]) no('another method', `${method} ${url}`, [404, 'EDEN_ROUTE_NOT_FOUND'], { body: set })
  for (const url of ['/%', '/%ZZ', '/api/%E0%A4', '/api/tasks/%C0%80', '/docs/%FF']) no('what cannot be decoded', `GET ${url}`, [400, 'EDEN_MALFORMED_URL'])

  // Bodies in wrappings.
  const zipped = (body: Buffer | string, encoding = 'gzip'): More => ({ body, headers: { 'content-encoding': encoding } })
  no('a small body that unpacks to 20 MB', 'POST /api/projects', [413, 'EDEN_TOO_LARGE'], zipped(gzipSync(' '.repeat(20_000_000))))
  no('what is not gzip', 'POST /api/projects', [400, 'EDEN_MALFORMED_BODY'], zipped('{"code": "X", "name": "x"}'))
  no('half of it', 'POST /api/projects', [400, 'EDEN_MALFORMED_BODY'], zipped(gzipSync('{"code": "X", "name": "x"}').subarray(0, 20)))
  no('an unknown encoding', 'POST /api/projects', [415, 'EDEN_UNSUPPORTED_MEDIA_TYPE'], zipped('{}', 'rot13'))
  no('text that is no UTF-8', 'POST /api/projects', [400, 'EDEN_MALFORMED_BODY'], { body: Buffer.from('{"code": "X1", "name": "caf\xe9"}', 'latin1') })
  return cases
}
