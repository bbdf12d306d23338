import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import AjvCompiler from '@fastify/ajv-compiler'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { Ajv } from 'ajv'
import fp from 'fastify-plugin'
import type { FastifyRequest, FastifyServerOptions } from 'fastify'
import type { Config } from './config.js'
import { InvalidValue, NotUtf8, TooDeep, withMembers } from './errors.js'
import { isTooDeep } from './limits.js'

const options = { allErrors: false, removeAdditional: false as const, useDefaults: true, strict: false }

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whether a text is a UUID as PostgreSQL writes it, in either case. */
export const isUuid = (text: string): boolean => uuid.test(text)
const rfc3339 = /^(\d{4}-\d\d-\d\d)(T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d{1,9})?(Z|[+-](?:0\d|1[0-5]):[0-5]\d)$/i
const FIRST = Date.parse('0001-01-01T00:00:00Z')
const END = Date.UTC(10000, 0, 1)

/** Date.parse alone takes February 30 for March 2. */
function dayExists (date: string): boolean {
  const midnight = Date.parse(`${date}T00:00Z`)
  return !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(date)
}

/**
 * Whether a text is an RFC 3339 time that PostgreSQL keeps and that we can write again: on a day that exists, in the
 * years 1 to 9999 of UTC also when rounded to microseconds, within the offsets that PostgreSQL takes, no leap second.
 */
export function isTimestamp (text: string): boolean {
  const [, date, time, fraction = '', offset] = rfc3339.exec(text.toUpperCase()) ?? []
  if (date === undefined || !dayExists(date)) return false
  const at = Date.parse(`${date}${time}${offset}`) + (Math.round(Number(`0${fraction}`) * 1e6) === 1e6 ? 1000 : 0)
  return at >= FIRST && at < END
}

/** Whether a text names a zone of the IANA database; PostgreSQL would also take POSIX rules such as `abc3`. */
function isTimeZone (name: string): boolean {
  try {
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat
  } catch {
    return false
  }
}

/** Whether a text is a well-formed language tag (BCP 47) that begins with a language of two or three letters. */
function isLocale (tag: string): boolean {
  try {
    return /^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/.test(tag) && Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}

/** The formats of JSON Schema as PostgreSQL understands them: `urn:uuid:` and February 30 end here, with the field's name. */
function setFormats (ajv: Ajv): void {
  ajv.addFormat('uuid', uuid)
  ajv.addFormat('date-time', isTimestamp)
  ajv.addFormat('time-zone', isTimeZone)
  ajv.addFormat('locale', isLocale)
  ajv.addFormat('ip', (text: string) => isIP(text) > 0 && !text.includes('%'))
}

type Compile = (route: { schema?: unknown, httpPart?: string }) => unknown
type Compiled = ((value: unknown) => unknown) & { errors?: unknown }
type Build = (externalSchemas: unknown, options: unknown) => Compile

/**
 * Compiles each schema once, however many routes have it: the problems of all routes are one, and a second app in the process
 * compiles nothing. What is compiled holds no state.
 */
function once (build: Build): Build {
  const compilers = new Map<string, Compile>()
  return (externalSchemas, options) => {
    const key = JSON.stringify(externalSchemas)
    const compile = compilers.get(key) ?? remembering(build(externalSchemas, options))
    compilers.set(key, compile)
    return compile
  }
}

function remembering (compile: Compile): Compile {
  const compiled = new Map<string, unknown>()
  return (route) => {
    const key = `${route.httpPart === 'body'} ${createHash('sha256').update(JSON.stringify(route.schema)).digest('base64')}`
    const known = compiled.get(key) ?? compile(route)
    compiled.set(key, known)
    return known
  }
}

/**
 * Bodies are taken as they are: `5` is no `"5"`, and an unknown field is an error. Only what arrives as text (query,
 * path, headers) is coerced to what the schema says.
 */
const buildValidator = once((externalSchemas) => {
  let checking: Ajv | undefined
  const keep = (ajv: Ajv) => {
    checking = ajv
    setFormats(ajv)
  }
  const strict = AjvCompiler()(externalSchemas as never, { customOptions: { ...options, coerceTypes: false }, onCreate: keep } as never)
  // One of the two checks the schemas themselves: what it needs for that takes longer to compile than most routes together.
  const coercing = AjvCompiler()(externalSchemas as never, { customOptions: { ...options, coerceTypes: true, validateSchema: false }, onCreate: setFormats } as never)
  return (route) => {
    if (route.httpPart === 'body') return strict(route as never)
    checking?.validateSchema(route.schema as never, true)
    return coercing(route as never)
  }
})
const buildSerializer = once(SerializerSelector() as never)

/** Compiles a schema when something is first to be looked at by it. */
function lazily (build: Build): Build {
  return (externalSchemas, options) => {
    let compile: Compile | undefined
    return (route) => {
      let compiled: Compiled | undefined
      const look: Compiled = (value) => {
        compile ??= build(externalSchemas, options)
        compiled ??= compile(route) as Compiled
        const answer = compiled(value)
        look.errors = compiled.errors
        return answer
      }
      return look
    }
  }
}

/** In production every schema is compiled, and so known to be one, before anything is served; where one works and tests, the start is quick. */
export function schemaController ({ NODE_ENV }: Pick<Config, 'NODE_ENV'>): NonNullable<FastifyServerOptions['schemaController']> {
  const when = NODE_ENV === 'production' ? (build: Build) => build : lazily
  return { compilersFactory: { buildValidator: when(buildValidator), buildSerializer: when(buildSerializer) } } as never
}

/** `status=open,todo` and `status=open&status=todo` are the same list. */
function splitLists (names: string[]) {
  return async (request: FastifyRequest) => {
    const query = request.query as Record<string, unknown>
    for (const name of names) {
      const value = query[name]
      if (typeof value === 'string') query[name] = value.split(',')
      else if (Array.isArray(value)) query[name] = value.flatMap((part: string) => part.split(','))
    }
  }
}

/** A route that takes no body refuses the fields of one, or they would be lost without a word. */
async function refuseFields ({ body }: FastifyRequest) {
  if (body === undefined || body === null) return
  const [field] = typeof body === 'object' && !Array.isArray(body) ? Object.keys(body) : ['body']
  if (field !== undefined) throw withMembers(new InvalidValue(`${field} is not known here`), { errors: [{ path: field || 'body', message: 'is not known here' }] })
}

/** Bodies are JSON, and refused where none is taken; query parameters that a route declares as arrays take comma lists. */
export default fp(async function validation (app) {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers() // text/plain is served by default
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // Decoding would put a question mark in the place of what is no UTF-8, and that would be stored.
    if (!isUtf8(body)) done(new NotUtf8())
    else if (isTooDeep(body)) done(new TooDeep())
    else parse(request, body.toString(), done)
  })
  app.addHook('onRoute', (route) => {
    // A route that `consumes` something else than JSON looks at it itself.
    if (route.schema?.body === undefined && route.schema?.consumes === undefined) route.preValidation = [refuseFields, ...[route.preValidation ?? []].flat()]
    const properties = (route.schema?.querystring as { properties?: Record<string, { type?: string }> } | undefined)?.properties ?? {}
    const lists = Object.keys(properties).filter((name) => properties[name]?.type === 'array')
    if (lists.length > 0) route.preValidation = [splitLists(lists), ...[route.preValidation ?? []].flat()]
  })
}, { name: 'validation', dependencies: ['errors'] })
