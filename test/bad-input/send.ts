import { withoutTokens } from '../../plugins/error-log.js'
import type { LightMyRequestResponse } from 'fastify'
import type { TestApp } from '../helper.js'
import type { Resource } from './routes.js'

export type Ids = Record<Resource, string>

/** One bad request, and the answer that is right. */
export interface Case {
  what: string
  method: string
  url: string
  headers?: Record<string, string>
  /** JSON, unless it is text or bytes already. */
  body?: unknown
  status: number
  code?: string
  /** The field that the answer must name: it, or what is in it. */
  path?: string
}

const AT_ONCE = 16

/** What would tell a stranger how the service is made. */
const internals = /\b(select .+ from|insert into|delete from|relation|column|constraint|violates|syntax error|postgres\w*|pg|kysely|fastify|ajv|node_modules|undefined|stack)\b|FST_|_(fkey|pkey|key)\b|\.(ts|js)\b|\bat \S+:\d+/i

/** Sends text and bytes as they are, anything else as JSON (which inject would write differently for some values). */
export function send ({ app, admin }: TestApp, { method, url, headers = {}, body }: Pick<Case, 'method' | 'url' | 'headers' | 'body'>): Promise<LightMyRequestResponse> {
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body)
  return app.inject({
    method: method as 'GET',
    url,
    headers: { 'x-dev-email': admin.email, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { payload: isRaw ? body : JSON.stringify(body) })
  })
}

/**
 * What is wrong with a problem (RFC 9457) as such; undefined when it is as the contract says.
 * @param said what the request said itself, which is no secret when it comes back
 */
export function faultOf (answer: LightMyRequestResponse, url: string, said = ''): string | undefined {
  const type = String(answer.headers['content-type'])
  if (!/^application\/problem\+json(;|$)/.test(type)) return `content-type ${type}: ${answer.body.slice(0, 200)}`
  const problem = answer.json()
  const { type: urn, title, status, detail, instance, code, request_id: requestId, errors } = problem
  if (urn !== `urn:eden-erp:problem:${code}` || !/^EDEN_[A-Z_]+$/.test(code)) return `code ${code}, type ${urn}`
  if (status !== answer.statusCode || typeof title !== 'string' || title === '' || typeof detail !== 'string' || detail === '') return `members ${JSON.stringify({ status, title, detail })}`
  if (instance !== withoutTokens(url.split('?', 1)[0] as string)) return `instance ${String(instance).slice(0, 200)}`
  if (requestId !== answer.headers['x-request-id'] || !/^[\w.:-]{1,100}$/.test(requestId)) return `request_id ${requestId}, x-request-id ${answer.headers['x-request-id']}`
  if (code === 'EDEN_VALIDATION' && !(errors?.length > 0 && errors.every(({ path, message }: any) => path !== '' && message !== ''))) return `names no field: ${detail.slice(0, 200)}`
  const own = JSON.stringify({ ...problem, type: 0, instance: 0, request_id: 0, detail: code === 'EDEN_ROUTE_NOT_FOUND' ? '' : detail })
  const leak = internals.exec(own)
  if (leak !== null && !said.includes(leak[0])) return `tells internals: ${leak[0]} in ${detail.slice(0, 200)}`
}

/** What is wrong with the answer to a bad request; undefined when it is right. */
function judge (answer: LightMyRequestResponse, { url, status, code, path }: Case): string | undefined {
  if (answer.statusCode !== status) return `${answer.statusCode} ${answer.body.slice(0, 300)}`
  const fault = faultOf(answer, url)
  if (fault !== undefined) return fault
  const problem = answer.json()
  if (code !== undefined && problem.code !== code) return `code ${problem.code}: ${problem.detail.slice(0, 200)}`
  const paths: string[] = problem.errors?.map((error: { path: string }) => error.path) ?? []
  if (path !== undefined && !paths.some((one) => one === path || one.startsWith(`${path}.`))) return `names ${paths.join(', ').slice(0, 200) || 'no field'}: ${problem.detail.slice(0, 200)}`
}

/** Sends them all, some at a time. @returns a line for each answer that is not right */
export async function sendAll (s: TestApp, cases: Case[]): Promise<string[]> {
  const wrong: string[] = []
  for (let i = 0; i < cases.length; i += AT_ONCE) {
    await Promise.all(cases.slice(i, i + AT_ONCE).map(async (one) => {
      const fault = judge(await send(s, one), one)
      if (fault !== undefined) wrong.push(`${one.method} ${one.url.slice(0, 150)} with ${one.what}: wanted ${[one.status, one.code, one.path].filter(Boolean).join(' ')}, got ${fault}`)
    }))
  }
  return wrong
}

/** Every table, its number of rows and what is in them, when all events are handled; but for who was refused, which is on record. */
export async function fingerprint (s: TestApp): Promise<Record<string, string>> {
  await s.app.events.settled()
  const tables = await s.query<{ name: string }>("select oid::regclass::text as name from pg_class where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace and relname <> 'audit_events' order by 1")
  const prints = await Promise.all(tables.map(async ({ name }) => {
    const [row] = await s.query(`select count(*) || ' ' || coalesce(md5(string_agg(x::text, ',' order by x::text)), '') as print from ${name} x`)
    return [name, row.print] as const
  }))
  return Object.fromEntries(prints)
}
