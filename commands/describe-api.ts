import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buildApp } from '../app.js'
import { parseConfig } from '../plugins/config.js'

/** The part of an OpenAPI document that the summary is made of. */
interface Schema { $ref?: string, type?: string, items?: Schema, properties?: Record<string, unknown> }
interface Operation {
  summary: string
  tags: string[]
  security?: unknown[]
  parameters?: { in: 'path' | 'query' | 'header', name: string, required?: boolean }[]
  requestBody?: { content: Record<string, unknown> }
  responses: Record<string, { content?: Record<string, { schema?: Schema }> }>
  'x-permission'?: string
}
export interface ApiDocument {
  tags: { name: string, description?: string }[]
  paths: Record<string, Record<string, Operation>>
}

const file = path.join(import.meta.dirname, '..', 'docs', 'api-summary.md')

/** A schema in a word: its name, the names of its fields, or its type; `[]` after what is a list. */
function describeSchema ({ $ref, type, items, properties }: Schema): string {
  if ($ref !== undefined) return `\`${$ref.split('/').at(-1)}\``
  if (items !== undefined) return `${describeSchema(items)}[]`
  if (properties !== undefined) return `\`{${Object.keys(properties).join(', ')}}\``
  return type ?? 'any'
}

/** The first answer that says success: its status, and what is in it; JSON speaks for itself, other media types are named. */
function describeSuccess (responses: Operation['responses']): string {
  const [status, answer] = Object.entries(responses).find(([status]) => status.startsWith('2')) ?? []
  if (status === undefined) return ''
  const contents = Object.entries(answer?.content ?? {}).map(([mediaType, { schema }]) => mediaType === 'application/json' ? describeSchema(schema ?? {}) : mediaType)
  return [status, contents.join(' or ')].filter((part) => part !== '').join(' ')
}

function describeParameters ({ parameters = [], requestBody }: Operation): string {
  const named = parameters.filter(({ in: where }) => where !== 'path').map(({ in: where, name, required }) => `\`${name}\`${where === 'header' ? ' (header)' : ''}${required === true ? ' (required)' : ''}`)
  const body = Object.keys(requestBody?.content ?? {}).map((mediaType) => mediaType === 'application/json' ? 'JSON body' : `${mediaType} body`)
  return [...body, ...named].join(', ')
}

function row (method: string, url: string, operation: Operation): string {
  const permission = operation['x-permission'] ?? (operation.security?.length === 0 ? 'public' : '')
  return ['', method.toUpperCase(), `\`${url}\``, permission, operation.summary, describeParameters(operation), describeSuccess(operation.responses), ''].join(' | ').trim().replaceAll(/ +/g, ' ')
}

/** `docs/api-summary.md`: per tag a table of its operations, in the order of the document. */
export function apiSummary ({ tags, paths }: ApiDocument): string {
  const operations = Object.entries(paths).flatMap(([url, methods]) => Object.entries(methods).map(([method, operation]) => ({ method, url, operation })))
  const sections = tags.flatMap(({ name, description }) => [
    `## ${name}`,
    '',
    ...description === undefined ? [] : [`${description[0]?.toUpperCase()}${description.slice(1)}.`, ''],
    '| method | path | permission | what it does | takes | answers |',
    '| --- | --- | --- | --- | --- | --- |',
    ...operations.filter(({ operation }) => operation.tags.includes(name)).map(({ method, url, operation }) => row(method, url, operation)),
    ''
  ])
  return [
    '# The API in tables',
    '',
    'Written by `npm run docs:api` from the OpenAPI document, which a running service has at `/openapi.json`, and at `/docs` to try',
    'it. Permission `self` is any signed-in person, who reaches what is their own; `public` wants nobody. The fields of what is',
    'named here are in the document. Errors are problems (RFC 9457): [errors.md](errors.md).',
    '',
    ...sections
  ].join('\n')
}

/** The OpenAPI document of this release. No database is asked. */
export async function apiDocument (): Promise<ApiDocument> {
  const app = await buildApp(parseConfig({ NODE_ENV: 'test', LOG_LEVEL: 'silent', JOBS_ENABLED: 'false', DATABASE_URL: 'postgres://127.0.0.1:1/none' }))
  try {
    await app.ready()
    return app.swagger() as unknown as ApiDocument
  } finally {
    await app.close()
  }
}

/** `npm run docs:api`: writes the page after routes have changed. */
export async function writeApiSummary (): Promise<void> {
  await writeFile(file, apiSummary(await apiDocument()))
  console.log('wrote docs/api-summary.md')
}
