import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { apiDocument, apiSummary } from '../../commands/describe-api.js'
import { publicRoutes } from '../../plugins/public-routes.js'
import { startApp } from '../helper.js'

const s = await startApp(t)
const document = (await s.app.inject('/openapi.json')).json()
type Operation = { operationId?: string, summary?: string, tags?: string[], parameters?: { name: string }[], responses: Record<string, any>, security?: unknown[], 'x-permission'?: string }
const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, ...operation })))

await t.test('it is an OpenAPI 3.1 document whose references lead somewhere and have names', async (t) => {
  t.match(document.openapi, /^3\.1\./)
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference as string)
  t.ok(references.length > 50)
  for (const reference of new Set(references)) {
    t.match(reference, /^#\/components\/schemas\/[A-Z][A-Za-z]+$/)
    t.ok(document.components.schemas[reference.split('/').at(-1) as string], reference)
  }
})

await t.test('every operation has an id of its own, a summary and a known tag', async (t) => {
  const tags = new Set(document.tags.map(({ name }: { name: string }) => name))
  for (const { name, operationId, summary, tags: own } of operations) {
    t.match(operationId, /^[a-z][A-Za-z]+$/, `${name} has an id`)
    t.ok(summary, `${name} has a summary`)
    t.ok(own?.length === 1 && tags.has(own[0]), `${name} has a tag`)
  }
  t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
})

await t.test('every operation of the API answers errors as problems', async (t) => {
  for (const { name, responses } of operations.filter(({ name }) => name.includes(' /api/') && !name.includes('/health'))) {
    for (const range of ['4XX', '5XX']) t.equal(responses[range]?.content?.['application/problem+json']?.schema?.$ref, '#/components/schemas/Problem', `${name} ${range}`)
  }
})

await t.test('every operation has the type of what it answers, and 304 where it takes the ETag that a caller has', async (t) => {
  for (const { name, responses, parameters = [] } of operations) {
    for (const [status, { content }] of Object.entries(responses)) t.equal(content === undefined, status === '304', `${name} ${status}`)
    const takesEtag = parameters.some((one) => one.name === 'if-none-match')
    t.equal(responses['304'] !== undefined, takesEtag, `${name} 304`)
  }
})

await t.test('every operation says which permission it wants, or is public', async (t) => {
  const permissions = await s.query<{ code: string }>('select code from permissions')
  const known = new Set(['self', ...permissions.map(({ code }) => code)])
  for (const { name, security, 'x-permission': permission } of operations) {
    const isPublic = publicRoutes.has(name.replaceAll(/\{(\w+)\}/g, ':$1'))
    t.same(security, isPublic ? [] : undefined, name)
    t.ok(isPublic ? permission === undefined : known.has(permission ?? ''), `${name} wants ${permission}`)
  }
})

await t.test('docs/api-summary.md has every operation, as the document has it', async (t) => {
  const page = await readFile(path.join(import.meta.dirname, '..', '..', 'docs', 'api-summary.md'), 'utf8')
  t.equal(page, apiSummary(await apiDocument()), 'run `npm run docs:api`')
  t.same([...page.matchAll(/^\| ([A-Z]+) \| `([^`]+)`/gm)].map(([, method, url]) => `${method} ${url}`).sort(), operations.map(({ name }) => name).sort())
})

await t.test('the page to read it brings everything it needs along, and its policy lets it', async (t) => {
  const page = await s.app.inject('/docs/')
  t.equal(page.statusCode, 200)
  const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url as string)
  t.ok(assets.length >= 4)
  t.same(assets.filter((url) => /^(https?:)?\/\//.test(url)), [])
  for (const url of assets) t.equal((await s.app.inject(new URL(url, 'http://localhost/docs/').pathname)).statusCode, 200, url)
  t.match(page.headers['content-security-policy'], /script-src 'self'/)
  t.notMatch(page.body, /<script>/, 'no inline script')
})

await t.test('a list of values says that they are texts', async (t) => {
  const untyped: string[] = []
  const walk = (value: any, where: string): void => {
    if (value === null || typeof value !== 'object') return
    if (Array.isArray(value.enum) && value.type === undefined) untyped.push(where)
    for (const [key, inner] of Object.entries(value)) walk(inner, `${where}/${key}`)
  }
  walk(document.paths, 'paths')
  walk(document.components, 'components')
  t.same(untyped, [])
})
