/**
 * Who gets what from each route: every operation of the OpenAPI document, asked by every identity of `test/route-table.ts`,
 * answers with the status that stands there. A route without a line fails, and so does a line without a route.
 */
import { createHmac } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { routes } from '../bad-input/routes.js'
import { fingerprint } from '../bad-input/send.js'
import { JWT_SECRET, startApp, type Person } from '../helper.js'
import { requestOf, things, type Asked } from '../route-fixtures.js'
import { identities, parseTable, permissionsPage, roles, type Identity } from '../route-table.js'

const s = await startApp(t)
/** A manager of the company and of another project: whatever their role allows, this project's things are not there for them. */
const outsider = await s.addPerson('manager', { name: 'Out Sider' })
await s.addProject({ visibility: 'members' }, outsider)
/** With no role in the company: all that they may do is in the project. */
const [projectManager, projectViewer] = [await s.addPerson(null, { name: 'Pro Ject' }), await s.addPerson(null, { name: 'Look On' })]
const gone = await s.addPerson('admin', { is_active: false })
const people: Record<string, Person> = { admin: s.admin, manager: s.manager, member: s.member, viewer: s.viewer, outsider, project_manager: projectManager, project_viewer: projectViewer }

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
function token (sub: string, { expiresIn = 600, secret = JWT_SECRET } = {}): string {
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub, iss: 'eden-erp', exp: Math.floor(Date.now() / 1000) + expiresIn })}`
  return `Bearer ${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
const authorization: Record<Identity, () => string | undefined> = {
  ...Object.fromEntries(Object.entries(people).map(([name, { id }]) => [name, () => token(id)])) as Record<string, () => string>,
  deactivated: () => token(gone.id),
  expired: () => token(s.admin.id, { expiresIn: -60 }),
  forged: () => token(s.admin.id, { secret: 'a secret that somebody made up, long enough' }),
  none: () => undefined
} as Record<Identity, () => string | undefined>

const paths = s.app.swagger().paths as Record<string, Record<string, { 'x-permission'?: string }>>
const operations = Object.entries(paths).flatMap(([url, methods]) => Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${url}`, permission: operation['x-permission'] ?? 'public' })))
const table = parseTable()
const members: [Person, string][] = [[s.manager, 'manager'], [s.member, 'member'], [s.viewer, 'viewer'], [projectManager, 'manager'], [projectViewer, 'viewer']]
const shared = await things(s, { members })
const origin = await s.app.listen({ host: '127.0.0.1', port: 0 })

async function statusOf ({ method, url, body, headers }: Asked, identity: Identity, endless = false): Promise<number> {
  const sent = { ...headers, ...Object.fromEntries([['authorization', authorization[identity]()] as const].filter(([, value]) => value !== undefined)) as Record<string, string> }
  if (!endless) {
    const answer = await s.app.inject({ method: method as 'GET', url, headers: sent, ...(body === undefined ? {} : { payload: body as object }) })
    if (answer.statusCode >= 500) t.comment(`${method} ${url} as ${identity}: ${answer.body}`) // a status alone does not say why
    return answer.statusCode
  }
  const over = new AbortController()
  const { status } = await fetch(`${origin}${url}`, { headers: sent, signal: over.signal })
  over.abort()
  return status
}

await t.test('the table has every operation, with the permission that it declares, and no other', async (t) => {
  t.same([...table.keys()].sort(), operations.map(({ route }) => route).sort())
  for (const { route, permission } of operations) t.equal(table.get(route)?.permission, permission, route)
})

const actual = new Map<string, Partial<Record<Identity, number>>>()
const note = (route: string, identity: Identity, status: number) => actual.set(route, { ...actual.get(route), [identity]: status })

const AT_ONCE = 4
/** Does something for each cell of the table that is wanted, some at a time. */
async function eachCell (wanted: (expected: number, isPublic: boolean) => boolean, work: (route: string, identity: Identity, expected: number) => Promise<void>): Promise<void> {
  const cells = operations.flatMap(({ route, permission }) => identities.map((identity) => ({ route, identity, isPublic: permission === 'public', expected: table.get(route)?.statuses[identity] ?? 0 }))).filter(({ expected, isPublic }) => wanted(expected, isPublic))
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let cell = cells.shift(); cell !== undefined; cell = cells.shift()) await work(cell.route, cell.identity, cell.expected)
  }))
}

await t.test('whoever is to be refused is refused, and not a row changes', async (t) => {
  const before = await fingerprint(s)
  await eachCell((expected, isPublic) => expected >= 400 && !isPublic, async (route, identity, expected) => {
    const status = await statusOf(await requestOf(s, route, shared, people[identity] ?? s.admin, { prepare: false }), identity, routes[route]?.endless)
    note(route, identity, status)
    t.equal(status, expected, `${route} as ${identity}`)
  })
  t.same(await fingerprint(s), before)
})

await t.test('whoever may gets what they ask for, and what is public answers everyone alike', async (t) => {
  await eachCell((expected, isPublic) => expected < 400 || isPublic, async (route, identity, expected) => {
    const actor = people[identity] ?? s.admin
    // Each change has things of its own, so that none depends on another.
    const changes = !route.startsWith('GET ') && route.includes('{')
    const author = ['outsider', 'viewer', 'project_viewer'].includes(identity) ? s.admin : actor
    const ids = changes ? await things(s, { members, author, wanted: Object.values(routes[route]?.ids ?? {}) }) : shared
    const status = await statusOf(await requestOf(s, route, ids, actor), identity, routes[route]?.endless)
    note(route, identity, status)
    t.equal(status, expected, `${route} as ${identity}`)
  })
})

await t.test('docs/permissions.md is the table', async (t) => {
  const file = path.join(import.meta.dirname, '..', '..', 'docs', 'permissions.md')
  const page = permissionsPage(await s.query('select r.slug, p.code, p.description, p.in_projects from permissions p left join role_permissions rp on rp.permission_code = p.code left join roles r on r.id = rp.role_id and r.is_system order by p.code'))
  if (process.env.EDEN_WRITE_DOCS === 'true') await writeFile(file, page)
  t.equal(await readFile(file, 'utf8'), page, 'run `npm run docs:permissions`')
  t.equal(roles.length, 4)
})

if (process.env.EDEN_ROUTE_TABLE !== undefined) {
  const lines = operations.map(({ route, permission }) => [route.padEnd(52), permission.padEnd(18), ...identities.map((identity) => String(actual.get(route)?.[identity] ?? '-').padEnd(4))].join(' ').trimEnd())
  await writeFile(process.env.EDEN_ROUTE_TABLE, lines.join('\n'))
}
