/** Requests to the operations of an OpenAPI document: right, almost right, and hostile. */
import { formWith } from '../../helper.js'
import type { Random } from './random.js'
import { asText, hostileValue, nearMiss, poisoned, rightValue, toJson, type Schema } from './values.js'
import { shares, type Who, type World } from './world.js'

export interface Operation { route: string, method: string, path: string, parameters: { name: string, in: string, required: boolean, schema: Schema }[], body?: Schema, takesFile: boolean, responses: Record<string, any>, isPublic: boolean }
export type Mode = 'right' | 'almost' | 'hostile'
export interface Asked { mode: Mode, who: Who, operation: Operation, method: string, url: string, headers: Record<string, string>, body?: string | Buffer }

/** Every operation of a document. */
export function operationsOf (document: any): Operation[] {
  return Object.entries<any>(document.paths).flatMap(([path, methods]) => Object.entries<any>(methods).map(([method, operation]) => ({
    route: `${method.toUpperCase()} ${path}`,
    method: method.toUpperCase(),
    path,
    parameters: operation.parameters ?? [],
    body: operation.requestBody?.content['application/json']?.schema,
    takesFile: operation.requestBody?.content['multipart/form-data'] !== undefined,
    responses: operation.responses,
    isPublic: operation.security?.length === 0
  })))
}

const UTF8_BROKEN = Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])
const brokenBodies: (string | Buffer)[] = ['', ' ', '{', '[', '"', '{"a":', '{"a":1,}', '{a:1}', 'NaN', 'undefined', '\ufeff{}', '{} {}', '\0', '<a/>', UTF8_BROKEN, '['.repeat(50_000), '{"a":'.repeat(100) + '1' + '}'.repeat(100), '{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}', JSON.stringify({ title: 'x'.repeat(1_200_000) }), '1e400', '-0', 'null', 'true', '"x"', '[]', '[{}]']
const types = ['application/json', 'application/json; charset=utf-8', 'application/json; charset=utf-16', 'APPLICATION/JSON', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/problem+json', 'application/json, text/html', '', 'x'.repeat(500)]
const files: [name: string, bytes: Buffer | string][] = [
  ['notes.txt', 'Some text'], ['', 'Some text'], ['empty.txt', ''], ['../../etc/passwd', 'root'], ['x.svg', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'], ['x.html', '<!doctype html><script>alert(1)</script>'], ['x.png', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')], ['x.pdf', '%PDF-1.7\n'], ['x.exe', 'MZ\0\0'], ['x.zip', Buffer.from('504b0304', 'hex')],
  ['🚧 plan.txt', 'x'], ['a\0b.txt', 'x'], ['a\\".txt', 'x'], [`${'n'.repeat(300)}.txt`, 'x'], ['con', 'x'], ['.', 'x'], ['..', 'x'], ['=cmd.csv', 'a,b'], ['x', Buffer.alloc(70_000, 0)], ['\u202etxt.exe', 'MZ']
]
const odd: Record<string, readonly string[]> = {
  'x-request-id': ['my-1', '', 'é', 'a b', '<x>', 'x'.repeat(101), `$${'{jndi:ldap://x}'}`],
  'accept-encoding': ['identity', 'gzip', 'br', 'deflate, gzip;q=0.5', '*;q=0', 'x', ''],
  accept: ['application/json', 'text/csv', '*/*', 'text/html', 'application/json;q=0, text/csv;q=0.1', 'x', '', ';;;q=,'],
  origin: ['http://localhost:5173', 'null', 'https://evil.example', 'x'],
  'idempotency-key': ['k1', 'k2', 'k3', '', 'a b', 'x'.repeat(256), 'é', "';--"],
  'x-forwarded-for': ['127.0.0.1', '1.2.3.4, 5.6.7.8', 'x', '::1'],
  'x-http-method-override': ['DELETE'],
  'if-modified-since': ['Thu, 01 Jan 1970 00:00:00 GMT', 'x'],
  range: ['bytes=0-1', 'bytes=5-', 'bytes=-3', 'bytes=9-1', 'bytes=0-0,2-3', 'bytes=99999999999999999999-', 'x=1', 'bytes=', 'bytes=-0'],
  'content-length': ['5', '-1', 'x'],
  'user-agent': ['', 'x'.repeat(2000), '<script>', '%n%n']
}
const strangeQueries = ['surprise=1', '__proto__=1', '__proto__[x]=1', 'constructor=1', 'limit[]=1', 'limit[a]=1', 'a%00b=1', '%ZZ', '%', '&&&', '=', '=x', '%F0%9F%9A%A7=1', `x=${'y'.repeat(9000)}`, 'limit=1;sort=x', 'Limit=1', '?', '#x']

/** Whatever a header of HTTP can carry. */
const forHeader = (value: unknown) => asText(value).replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?').slice(0, 3000)
/** What no UTF-8 can say becomes what a decoder would make of it. */
const forUrl = (value: unknown) => encodeURIComponent(Buffer.from(asText(value)).toString())

function whoAsks (random: Random): Who {
  let at = random.below(Object.values(shares).reduce((sum, share) => sum + share, 0))
  for (const [who, share] of Object.entries(shares)) if ((at -= share) < 0) return who as Who
  return 'admin'
}

/** How many of a hundred requests are made of one that would succeed, after what that needs was done. */
const PREPARED = 20

/** One request to an operation. @param sure that it is right, and by one who may */
export async function requestTo (operation: Operation, random: Random, world: World, sure = false): Promise<Asked> {
  const { route, method, path, parameters, body: schema, takesFile } = operation
  const mode: Mode = sure ? 'right' : random.pick(['right', 'right', 'right', 'almost', 'almost', 'hostile'])
  const who = sure ? 'admin' : whoAsks(random)
  const prepared = sure || random.chance(PREPARED / 100) ? await world.prepare(route, who) : undefined
  const known = (name: string) => world.known(name === 'cursor' ? `cursor ${route}` : name)
  // Where it is wrong: one of the parameters, or the body.
  const spots = [...parameters.map(({ name, in: where }) => `${where} ${name}`), ...(schema === undefined ? [] : ['body', 'body', 'body']), ...(takesFile ? ['file'] : []), ...(mode === 'hostile' ? ['raw query', 'header', 'raw body'] : [])]
  const wrong = mode === 'right' || spots.length === 0 ? undefined : random.pick(spots)
  const valueOf = (one: Operation['parameters'][number]) => {
    if (`${one.in} ${one.name}` === wrong) return mode === 'almost' ? nearMiss(one.schema, random, known, one.name) : hostileValue(random)
    if (one.in === 'path') return random.chance(0.96) ? random.pick(world.idsFor(route, one.name)) : rightValue(one.schema, random)
    return rightValue(one.schema, random, known, one.name)
  }

  let url = prepared === undefined || wrong?.startsWith('path') === true ? path : prepared.path
  const query: string[] = []
  const headers: Record<string, string> = {}
  const share = random.pick([0, 0.1, 0.25, 0.5])
  for (const one of parameters) {
    const isWrong = `${one.in} ${one.name}` === wrong
    if (one.in !== 'path' && !one.required && !isWrong && (sure || !random.chance(one.in === 'header' ? 0.15 : share))) continue
    const value = valueOf(one)
    if (!isWrong && Array.isArray(value) && value.length === 0) continue // has no text: nothing between commas is one empty text
    if (one.in === 'header') headers[one.name] = forHeader(value)
    if (one.in === 'path') {
      const text = forUrl(value)
      // Dots would be another path before it is asked for, and nothing would be a list.
      url = url.replace(`{${one.name}}`, /^\.*$/.test(text) ? 'x' : text)
    }
    if (one.in === 'query') {
      const texts = Array.isArray(value) && random.chance(0.3) ? value.map(forUrl) : [forUrl(value)]
      if (isWrong && random.chance(0.2)) texts.push(...texts)
      query.push(...texts.map((text) => `${one.name}=${text}`))
    }
  }
  if (wrong === 'raw query') query.push(random.pick(strangeQueries))
  if (query.length > 0) url += `?${query.join('&')}`

  let body: string | Buffer | undefined
  if (takesFile) {
    const [name, bytes] = wrong === undefined ? files[0] as [string, string] : random.pick(files)
    const form = formWith(bytes, name, wrong === 'file' && random.chance(0.2) ? random.pick(['other', '', '__proto__']) : 'file')
    body = wrong === 'file' && random.chance(0.3) ? form.body.subarray(0, random.below(form.body.length)) : form.body
    Object.assign(headers, form.headers)
  } else if (schema !== undefined) {
    body = toJson(wrong !== 'body' ? prepared?.body ?? rightValue(schema, random, known) : mode === 'almost' ? nearMiss(schema, random, known) : poisoned(schema, random, known))
    headers['content-type'] = 'application/json'
  }
  if (wrong === 'raw body' && method !== 'GET') {
    if (random.chance(0.7)) body = random.pick(brokenBodies)
    else body ??= '{}'
    headers['content-type'] = random.chance(0.7) ? 'application/json' : random.pick(types)
  }
  const oddOnes = wrong === 'header' ? 2 : !sure && random.chance(0.15) ? 1 : 0
  for (let i = 0; i < oddOnes; i++) {
    const name = random.pick(Object.keys(odd))
    if (name !== 'content-length' || wrong === 'header') headers[name] = random.pick(odd[name] as string[])
  }
  return { mode, who, operation, method, url, headers: { ...headers, ...world.headersOf(who) }, body }
}
