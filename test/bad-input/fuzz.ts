import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import type { LightMyRequestResponse } from 'fastify'
import type { TestApp } from '../helper.js'
import { routes, type Resource, type Row } from './routes.js'
import { faultOf, send, type Case, type Ids } from './send.js'
import { UNKNOWN_ID, type Kind } from './values.js'

type Asked = Pick<Case, 'method' | 'url' | 'headers' | 'body'> & { route: string }

const junk = fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom('', '__proto__', 'null', '-1', -1, 0, 1.5, 2 ** 53, 1e308, [], {}, 'x'.repeat(30_000)))
const asText = (value: unknown) => encodeURIComponent(Buffer.from(typeof value === 'string' ? value : String(JSON.stringify(value))).toString())

/** Fields that name somebody or something; others that hold an id may name anything. */
const names: Record<string, Resource> = { project_id: 'project', project: 'project', assignee_id: 'user', ball_in_court: 'user', to_user_id: 'user', to_company_id: 'company', to_contact_id: 'contact', actor: 'user' }

/** Mostly what is right, sometimes what the table says is wrong, or anything. */
function valueOf (name: string, { good, bad }: Kind, ids: Ids): fc.Arbitrary<unknown> {
  const whose = names[name]
  const known = whose === undefined ? [null, ...Object.values(ids)] : [ids[whose]]
  const right = good === UNKNOWN_ID ? fc.constantFrom<unknown>(...known) : fc.constant(good)
  return fc.oneof({ weight: 40, arbitrary: right }, { weight: 2, arbitrary: fc.constantFrom(...Object.values(bad)) }, { weight: 1, arbitrary: junk })
}

function requestTo (route: string, row: Row, ids: Ids): fc.Arbitrary<Asked> {
  const [method = '', template = ''] = route.split(' ')
  const each = (kinds: Record<string, Kind> = {}) => Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [name, valueOf(name, kind, ids)]))
  const params = fc.record(Object.fromEntries(Object.entries(row.ids ?? {}).map(([name, whose]) =>
    [name, fc.oneof({ weight: 9, arbitrary: fc.constant(ids[whose]) }, { weight: 1, arbitrary: junk.map(asText).filter((text) => !/^\.*$/.test(text)) })])))
  const extra = fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.dictionary(fc.string({ maxLength: 12 }), junk, { maxKeys: 2 }) })
  const query = fc.tuple(fc.record(each(row.query), { requiredKeys: row.needs ?? [] }), extra)
  const fields = fc.tuple(fc.record(each(row.body), { requiredKeys: row.required ?? [] }), extra).map(([known, more]) => ({ ...known, ...more }))
  const body = row.body === undefined
    ? fc.constantFrom(undefined, undefined, undefined, {}, { x: 1 })
    : fc.oneof({ weight: 9, arbitrary: fields.map((one) => row.inside?.wrap(one, ids) ?? one) }, { weight: 1, arbitrary: junk })
  const headers = fc.record({
    'if-match': fc.constantFrom('*', '"1"', '"2", "3"', 'W/"1"', 'x'),
    'if-none-match': fc.constantFrom('*', '"1"', 'x', ''),
    'idempotency-key': fc.oneof(fc.constantFrom('k', 'a b'), fc.string({ minLength: 1, maxLength: 20 })),
    'x-request-id': fc.string({ maxLength: 120 }),
    'accept-encoding': fc.constantFrom('identity', 'gzip;q=0', '*;q=0', 'x')
  }, { requiredKeys: [] })
  return fc.record({ params, query, body, headers }).map(({ params, query: [known, more], body, headers }) => {
    const search = Object.entries({ ...known, ...more }).map(([name, value]) => `${asText(name)}=${asText(value)}`).join('&')
    const url = template.replaceAll(/\{(\w+)\}/g, (_all, name: string) => String(params[name]))
    return { route, method, url: search === '' ? url : `${url}?${search}`, headers, body: method === 'GET' ? undefined : JSON.stringify(body) }
  })
}

/** Holds an answer to what the OpenAPI document says of it. @returns what is wrong, or undefined */
function documented ({ app }: TestApp): (route: string, answer: LightMyRequestResponse) => string | undefined {
  const document = app.swagger() as any
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  const validators = new Map<string, ReturnType<typeof ajv.compile>>()
  return (route, answer) => {
    const [method = '', path = ''] = route.split(' ')
    const { responses } = document.paths[path][method.toLowerCase()]
    const key = responses[answer.statusCode] === undefined ? `${String(answer.statusCode)[0]}XX` : String(answer.statusCode)
    const content = Object.values<any>(responses[key]?.content ?? {})[0]
    if (content === undefined) return `${answer.statusCode} is not documented`
    const validate = validators.get(route + key) ?? ajv.compile({ ...content.schema, components: document.components })
    validators.set(route + key, validate)
    return validate(answer.json()) ? undefined : `${answer.statusCode} is documented otherwise: ${ajv.errorsText(validate.errors)}`
  }
}

/**
 * Requests that nobody thought of, to all routes: each answer is a success or a refusal of the client's, with the body
 * that is documented.
 * @param runs how many requests
 * @param seed repeats the run that failed with it
 * @throws with the seed and the smallest request that fails
 */
export async function fuzz (s: TestApp, ids: Ids, { runs, seed }: { runs: number, seed?: number }): Promise<void> {
  const faultInDocument = documented(s)
  const asked = fc.constantFrom(...Object.entries(routes).filter(([, row]) => row.open !== true && row.endless !== true)).chain(([route, row]) => requestTo(route, row, ids))
  await fc.assert(fc.asyncProperty(asked, async (one) => {
    const answer = await send(s, one)
    // What is deleted comes back, or most of what follows would be about nothing.
    if (one.method === 'DELETE' && answer.statusCode === 200) await send(s, { method: 'POST', url: `${one.url.split('?', 1)[0]}/restore` })
    if (answer.statusCode >= 500) throw new Error(`${answer.statusCode} ${answer.body}`)
    if (answer.statusCode === 304 || answer.headers['content-disposition'] !== undefined) return // files are no JSON
    const fault = (answer.statusCode >= 400 ? faultOf(answer, String(answer.raw.req.url), decodeURIComponent(one.url) + one.body) : undefined) ??
      // Refused before a route was found: no route documents that.
      (/_URL$|_TOO_LONG$|ROUTE_NOT_FOUND$/.test(answer.json().code) ? undefined : faultInDocument(one.route, answer))
    if (fault !== undefined) throw new Error(fault)
  }), { numRuns: runs, seed })
}
