import { MAX_URL_LENGTH } from '../../plugins/limits.js'
import type { Row } from './routes.js'
import type { Case, Ids } from './send.js'
import { UNKNOWN_ID, uuid, type Kind } from './values.js'

const VALIDATION = { status: 400, code: 'EDEN_VALIDATION' }
const MALFORMED = { status: 400, code: 'EDEN_MALFORMED_BODY' }
const UNSUPPORTED = { status: 415, code: 'EDEN_UNSUPPORTED_MEDIA_TYPE' }

/** What no query string may hold beside its parameters. */
const strangeQueries = ['surprise=1', 'surprise', '__proto__=1', 'constructor=1', 'hasOwnProperty=1', 'Limit=1', 'a%00b=1', '%F0%9F%9A%A7=1', 'surprise=%ZZ']

/** Bodies that are no JSON object, whatever the route. */
const malformed: Record<string, string> = {
  'a bracket': '{',
  'half a text': '{"a": "b',
  'a trailing comma': '{"a": 1,}',
  'single quotes': "{'a': 1}",
  NaN: '{"a": NaN}',
  undefined: 'undefined',
  'a control character in a text': '{"a": "\u0001"}',
  NUL: '\0',
  'two values': '{} {}',
  'an empty body': '',
  'white space': ' \n',
  XML: '<a/>',
  'a prototype': '{"__proto__": {"x": 1}}',
  'a prototype deep inside': '{"a": [{"__proto__": 1}]}',
  'constructor.prototype': '{"constructor": {"prototype": {"x": 1}}}'
}

const noObject: Record<string, unknown> = { 'a number': '1', 'a text': '"x"', true: 'true', 'a list': '[]', 'a list of one': '[{}]' }

/** More brackets than any body has, in each shape; the last one is no JSON either, which nobody gets to find out. */
const tooDeep: Record<string, string> = { lists: '['.repeat(100_000) + ']'.repeat(100_000), objects: '{"a":'.repeat(33) + '1' + '}'.repeat(33), 'only opened': '[{"a":'.repeat(20_000) }

const strangeTypes = ['text/plain', 'text/xml', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', 'json', 'text/json', '🚧']

const idempotencyKeys: Record<string, string> = { empty: '', 'a space': 'a b', 'a control character': 'a\u0001', NUL: 'a\0', 'a letter beyond ASCII': 'é', 'one too long': 'k'.repeat(256), '100,000 characters': 'k'.repeat(100_000) }
const ifMatches: Record<string, string> = { empty: '', 'no quotes': '1', 'one quote': '"1', 'a word': 'latest', 'two stars': '**', NUL: '"1"\0', 'a comma': '"1",', long: '"'.repeat(100_001) }

const good = (fields: Record<string, Kind>, names: string[]) => Object.fromEntries(names.map((name) => [name, fields[name]?.good]))
const path = (template: string, ids: Record<string, string>) => template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? name)
/** What a query must have beside the parameter that is tried. */
export const neededBy = ({ query = {}, needs = [] }: Row, but: string): string[] => needs.filter((name) => name !== but).map((name) => `${name}=${encodeURIComponent(String(query[name]?.good))}`)
/** Whether a URL can hold the value. */
const isWellFormedText = (value: unknown): value is string => typeof value === 'string' && !/\p{Cs}/u.test(value)

/** The bad requests that follow from what a route takes. */
export function attacksOn (route: string, row: Row, known: Ids): Case[] {
  const [method = '', template = ''] = route.split(' ')
  if (row.open === true) {
    return ['POST', 'PUT', 'PATCH', 'DELETE'].map((other) => ({ what: 'another method', method: other, url: template, body: {}, status: 404, code: 'EDEN_ROUTE_NOT_FOUND' }))
  }
  const ids = Object.fromEntries(Object.entries(row.ids ?? {}).map(([name, whose]) => [name, known[whose]]))
  const url = path(template, ids)
  const fields = row.body ?? {}
  const required = row.required ?? []
  const { prefix, wrap } = row.inside ?? { prefix: '', wrap: (plain: object) => plain }
  const isWrite = method !== 'GET'
  const body = row.body === undefined ? undefined : wrap(good(fields, required.length > 0 ? required : row.least ?? Object.keys(fields)), known)
  const cases: Case[] = []
  const add = (what: string, expected: Pick<Case, 'status' | 'code' | 'path'>, change: Partial<Case> = {}) => cases.push({ what, method, url, body, ...expected, ...change })
  const addEach = (values: Record<string, unknown>, about: string, one: (value: any) => Partial<Case>, expected: Pick<Case, 'status' | 'code' | 'path'>) => {
    for (const [what, value] of Object.entries(values)) add(`${about}: ${what}`, expected, one(value))
  }

  if (row.public !== true) add('nobody signed in', { status: 401, code: 'EDEN_UNAUTHENTICATED' }, { headers: { 'x-dev-email': '' } })
  if (row.public !== true) add('a token that is none', { status: 401, code: 'EDEN_UNAUTHENTICATED' }, { headers: { authorization: 'Bearer a.b.c' } })

  for (const name of Object.keys(ids)) {
    const at = (id: string) => ({ url: path(template, { ...ids, [name]: id }) })
    for (const [what, id] of Object.entries(uuid.bad)) {
      if (what === 'no UUID' && row.orSlug?.includes(name) === true) continue // but a slug
      if (isWellFormedText(id) && id !== '' && id.length <= 1000) add(`${name} ${what}`, row.opaque?.includes(name) === true ? { status: 404, code: 'EDEN_NOT_FOUND' } : { ...VALIDATION, path: name }, at(encodeURIComponent(id)))
    }
    add(`${name} too long`, { status: 414, code: 'EDEN_URL_TOO_LONG' }, at('x'.repeat(1001)))
    add(`${name} that cannot be decoded`, { status: 400, code: 'EDEN_MALFORMED_URL' }, at('%ZZ'))
    add(`${name} that is no UTF-8`, { status: 400, code: 'EDEN_MALFORMED_URL' }, at('%FF'))
    const [status, code] = row.unknown?.[name] ?? [404, 'EDEN_NOT_FOUND']
    add(`${name} unknown`, { status, code }, at(UNKNOWN_ID))
    add(`${name} nil`, { status, code }, at('00000000-0000-0000-0000-000000000000'))
  }

  const asked = (query: string, name = '') => ({ url: `${url}?${[...neededBy(row, name), query].join('&')}` })
  for (const query of strangeQueries) add(`?${query}`, { ...VALIDATION, path: decodeURIComponent(query.split('=', 1)[0] as string) }, asked(query))
  for (const name of row.needs ?? []) add(`no ?${name}`, { ...VALIDATION, path: name })
  for (const [name, kind] of Object.entries(row.query ?? {})) {
    for (const [what, value] of Object.entries(kind.bad)) {
      if (!isWellFormedText(value)) continue
      const question = asked(`${name}=${encodeURIComponent(value)}`, name)
      add(`?${name} ${what}`, question.url.length > MAX_URL_LENGTH ? { status: 414, code: 'EDEN_URL_TOO_LONG' } : { ...VALIDATION, path: name }, question)
    }
    const once = `${name}=${encodeURIComponent(String(kind.good))}`
    if (kind.list === undefined) add(`?${name} twice`, { ...VALIDATION, path: name }, asked(`${once}&${once}`, name))
  }

  if (row.ifMatch === true) addEach(ifMatches, 'If-Match', (value) => ({ headers: { 'if-match': value } }), { ...VALIDATION, path: 'if-match' })
  if (method === 'POST' && row.public !== true && row.unkeyed !== true) addEach(idempotencyKeys, 'Idempotency-Key', (value) => ({ headers: { 'idempotency-key': value } }), { ...VALIDATION, path: 'idempotency-key' })
  if (!isWrite) return cases
  if (row.file === true) {
    addEach({ ...malformed, ...noObject }, 'a body', (text) => ({ body: text }), UNSUPPORTED)
    for (const type of strangeTypes.filter((one) => !one.startsWith('multipart/form-data'))) add(`a body of type ${type}`, UNSUPPORTED, { body: 'x', headers: { 'content-type': type } })
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=x']) add(`a body that is no ${type}`, MALFORMED, { body: '{}', headers: { 'content-type': type } })
    add('no body', { ...VALIDATION, path: 'file' })
    return cases
  }

  addEach(malformed, 'a body', (text) => ({ body: text }), MALFORMED)
  addEach(tooDeep, 'a body too deep', (text) => ({ body: text }), { status: 400, code: 'EDEN_JSON_TOO_DEEP' })
  addEach(noObject, 'a body', (text) => ({ body: text }), { ...VALIDATION, path: 'body' })
  if (row.body !== undefined && row.mayBeEmpty !== true) add('a body: null', { ...VALIDATION, path: 'body' }, { body: 'null' })
  add('a body of 2 MB', { status: 413, code: 'EDEN_TOO_LARGE' }, { body: JSON.stringify({ title: 'x'.repeat(2 ** 21) }) })
  for (const type of strangeTypes) add(`a body of type ${type}`, UNSUPPORTED, { body: JSON.stringify(body ?? {}), headers: { 'content-type': type } })
  for (const name of ['surprise', 'constructor', 'toString', 'id', '🚧', 'a/b~c', '']) {
    const extra = { [name]: 1 }
    add(`an unknown field "${name}"`, { ...VALIDATION, path: name === '' ? 'body' : name }, { body: { ...body, ...extra } })
    if (prefix !== '') add(`an unknown field "${name}" inside`, { ...VALIDATION, path: name === '' ? 'changes.0.set' : prefix + name }, { body: wrap(extra, known) })
  }
  if (row.body === undefined) return cases

  if (row.mayBeEmpty !== true) add('no body', { ...VALIDATION, path: 'body' }, { body: undefined })
  if (row.mayBeEmpty !== true) add('no fields', { ...VALIDATION, path: required[0] ?? (prefix === '' ? 'body' : 'changes.0.set') }, { body: wrap({}, known) })
  for (const name of required) add(`no ${name}`, { ...VALIDATION, path: name }, { body: good(fields, required.filter((one) => one !== name)) })
  for (const [name, kind] of Object.entries(fields)) {
    addEach(kind.bad, name, (value) => ({ body: wrap({ ...good(fields, required), [name]: value }, known) }), { ...VALIDATION, path: prefix + name })
  }
  return cases
}
