/**
 * Every id in every path, body and query of the OpenAPI document, tried with what is in another project: by somebody who
 * may do everything but see that project. What is named in a path or a body is not there for them, and nothing changes; a
 * filter finds nothing. An id that this file does not know fails it.
 */
import t from 'tap'
import { routes } from '../bad-input/routes.js'
import { fingerprint } from '../bad-input/send.js'
import { startApp } from '../helper.js'
import { requestOf, things, type Things } from '../route-fixtures.js'

const s = await startApp(t)
const all = (await s.query('select code from permissions')).map(({ code }) => code as string)
const role = await s.post('/api/roles', { slug: 'nearly-all', name: 'Nearly all', permissions: all.filter((code) => code !== 'projects:read_all') })
const stranger = await s.addPerson(null, { name: 'A Stranger' })
await s.ask('PUT', `/api/users/${stranger.id}/roles/${role.slug}`)
const [hidden, own] = [await things(s, { members: [[s.manager, 'manager']] }), await things(s, { members: [[stranger, 'manager']] })]
await s.query("update projects set name = 'Zqxglobulin', description = 'Zqxglobulin' where id = $1", [hidden.project])
await s.query("update tasks set title = 'Zqxglobulin', description = 'Zqxglobulin' where project_id = $1", [hidden.project])
await s.query("update comments set body = 'Zqxglobulin' where id = $1", [hidden.comment])

/** What belongs to a project, by what a path calls it. Of the others the company has one each, for all of its people. */
const ofProjects: (keyof Things)[] = ['project', 'task', 'comment', 'item', 'attachment', 'notification', 'guest_link']
/** Ids in bodies and queries: what is put there, or nothing where it is no part of a project. */
const fields: Record<string, keyof Things | null> = {
  project_id: 'project',
  default_project_id: 'project',
  project: 'project',
  parent_id: 'task',
  task_id: 'task',
  task: 'task',
  parent: 'task',
  blocks_id: 'task',
  ids: 'item',
  entity_id: 'task',
  id: 'task',
  // People and outside parties are the company's, and seen by all who may see any.
  assignee_id: null,
  ball_in_court: null,
  to_user_id: null,
  to_company_id: null,
  to_contact_id: null,
  actor: null,
  assignee: null,
  ball: null,
  created_by: null,
  person: null,
  user_id: null,
  target: null
}

/** Steps that a checklist does not have are passed over: the answer is the list as it was. */
const passedOver = new Set(['POST /api/tasks/{id}/checklist/reorder ids'])

interface Schema { format?: string, items?: Schema, anyOf?: Schema[], properties?: Record<string, Schema>, $ref?: string }
const holdsId = ({ format, items, anyOf }: Schema): boolean => format === 'uuid' || (items !== undefined && holdsId(items)) || (anyOf ?? []).some(holdsId)
/** Every property of a body that is an id, at any depth. */
const idsIn = ({ properties = {}, items, anyOf = [] }: Schema): string[] =>
  [...Object.entries(properties).flatMap(([name, schema]) => holdsId(schema) ? [name] : idsIn(schema)), ...items === undefined ? [] : idsIn(items), ...anyOf.flatMap(idsIn)]

const document = s.app.swagger().paths as Record<string, Record<string, any>>
const operations = Object.entries(document).flatMap(([url, methods]) => Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${url}`, operation })))
  .filter(({ route }) => routes[route]?.open !== true && routes[route]?.endless !== true)

/** Asks a route as the stranger. */
const ask = ({ method, url, body, headers }: Awaited<ReturnType<typeof requestOf>>) => s.ask(method as 'GET', url, { as: stranger, body, headers })
let tried = 0

await t.test('an id in a path names nothing, and nothing changes', async (t) => {
  const before = await fingerprint(s)
  for (const { route, operation } of operations) {
    for (const { name } of (operation.parameters ?? []).filter((one: any) => one.in === 'path')) {
      const what = routes[route]?.ids?.[name]
      t.ok(what !== undefined, `${route}: whose id is {${name}}?`)
      if (what === undefined || !ofProjects.includes(what)) continue
      // The other ids of the path are one's own.
      const mine = { ...own, [what]: hidden[what] }
      const request = await requestOf(s, route, name === 'id' ? mine : own, stranger, { prepare: false })
      const url = name === 'id' ? request.url : request.url.replace(/[^/]+$/, hidden[what])
      t.ok(url.includes(hidden[what]), url)
      const answer = await ask({ ...request, url })
      t.match([answer.statusCode, answer.json().code], [404, 'EDEN_NOT_FOUND'], `${route} ${name}`)
      t.notMatch(answer.body, /Zqxglobulin/, route)
      tried++
    }
  }
  t.same(await fingerprint(s), before)
})

await t.test('an id in a body names nothing, and nothing changes', async (t) => {
  const before = await fingerprint(s)
  for (const { route, operation } of operations) {
    const schema: Schema = operation.requestBody?.content['application/json']?.schema ?? {}
    for (const name of new Set(idsIn(schema))) {
      t.ok(name in fields, `${route}: what is ${name} in the body?`)
      const what = fields[name]
      if (what == null) continue
      const id = hidden[what]
      const { url, method, headers, body: good } = await requestOf(s, route, own, stranger, { prepare: false })
      const bodies: Record<string, object> = {
        'POST /api/tasks/bulk id': { changes: [{ id: own.task, set: { priority: 'high' } }, { id, set: { priority: 'high' } }] },
        'POST /api/tasks/bulk parent_id': { changes: [{ id: own.task, set: { parent_id: id } }] },
        'POST /api/tasks/{id}/checklist/reorder ids': { ids: [id] },
        'POST /api/tasks/{id}/move parent_id': { project_id: own.project, parent_id: id },
        'POST /api/guest-links task_id': { name: 'x', task_id: id, expires_at: (good as { expires_at?: string }).expires_at },
        'POST /api/tasks parent_id': { project_id: own.project, title: 'x', parent_id: id }
      }
      const answer = await ask({ url, method, headers, body: bodies[`${route} ${name}`] ?? { ...good as object, [name]: id } })
      t.notMatch(answer.body, /Zqxglobulin/, route)
      tried++
      if (passedOver.has(`${route} ${name}`)) {
        t.equal(answer.statusCode, 200)
        t.notMatch(answer.body, new RegExp(id), route)
        continue
      }
      t.ok([404, 409, 422].includes(answer.statusCode), `${route} ${name}: ${answer.statusCode} ${answer.body}`)
      t.match(answer.json().code, /^EDEN_(NOT_FOUND|UNKNOWN_\w+|ALREADY_IN_PROJECT|REFUSED|VALIDATION)$/, `${route} ${name}`)
    }
  }
  t.same(await fingerprint(s), before)
})

await t.test('an id in a query finds nothing of it', async (t) => {
  const before = await fingerprint(s)
  for (const { route, operation } of operations) {
    for (const { name, schema } of (operation.parameters ?? []).filter((one: any) => one.in === 'query')) {
      if (!holdsId(schema) && !['assignee', 'ball', 'created_by', 'person'].includes(name)) continue
      t.ok(name in fields, `${route}: what is ?${name}`)
      const what = fields[name]
      if (what == null) continue
      for (const kind of name === 'entity_id' ? ofProjects : [what]) {
        const request = await requestOf(s, route, own, stranger, { prepare: false })
        const answer = await ask({ ...request, url: `${request.url}${request.url.includes('?') ? '&' : '?'}${name}=${hidden[kind]}` })
        t.ok(answer.statusCode === 200 || answer.statusCode === 404, `${route} ?${name}: ${answer.statusCode}`)
        t.notMatch(answer.body, /Zqxglobulin/, `${route} ?${name}`)
        t.notMatch(answer.body.replaceAll(`"instance":"${request.url}`, ''), new RegExp(hidden.task), `${route} ?${name}`)
        tried++
      }
    }
  }
  t.same(await fingerprint(s), before)
  t.ok(tried > 80, `${tried} requests`)
})
