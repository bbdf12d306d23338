/** Holds an answer to what the OpenAPI document and docs/errors.md say of it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { isIP } from 'node:net'
import { faultOf } from '../../bad-input/send.js'
import type { Asked } from './requests.js'

export interface Answer { status: number, headers: Record<string, unknown>, bytes: Buffer }

/** Busy by design, and said so with `Retry-After`: nothing else above 499 is an answer. */
export const allowedUnavailable: ReadonlySet<string> = new Set(['EDEN_BUSY', 'EDEN_SIGN_IN_BUSY'])
/** Refused before a route was found, or by more than a URL may have: no operation documents that. */
const beforeRouting: ReadonlySet<string> = new Set(['EDEN_ROUTE_NOT_FOUND', 'EDEN_MALFORMED_URL', 'EDEN_URL_TOO_LONG', 'EDEN_HEADERS_TOO_LARGE', 'EDEN_MALFORMED_REQUEST'])

/** Answered before anything could be read, so that the answer cannot say what was asked. */
const unreadable: ReadonlySet<string> = new Set(['EDEN_HEADERS_TOO_LARGE', 'EDEN_MALFORMED_REQUEST'])

/** The statuses of each code, as docs/errors.md has them. */
function documentedCodes (): Map<string, number> {
  const page = readFileSync(path.join(import.meta.dirname, '..', '..', '..', 'docs', 'errors.md'), 'utf8')
  return new Map([...page.matchAll(/^\| `(EDEN_\w+)` \| (\d+)/gm)].map(([, code = '', status]) => [code, Number(status)]))
}

/** A schema that takes no field it does not name: what the document does not tell of is not to be answered. */
function closed (schema: any): any {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, key === 'enum' || key === 'const' || key === 'default' ? value : closed(value)]))
  return schema.type === 'object' && typeof schema.properties === 'object' && schema.additionalProperties === undefined ? { ...inner, additionalProperties: false } : inner
}

function plain ({ headers, bytes }: Answer): Buffer {
  switch (headers['content-encoding']) {
    case 'gzip': return gunzipSync(bytes)
    case 'br': return brotliDecompressSync(bytes)
    case 'deflate': return inflateSync(bytes)
    default: return bytes
  }
}

/** @returns what tells what is wrong with an answer; undefined when it is as documented */
export function judgeOf (document: any): (asked: Asked, answer: Answer) => string | undefined {
  const ajv = new Ajv2020({ strict: false, validateFormats: true })
  addFormats.default(ajv)
  for (const name of ['time-zone', 'locale']) ajv.addFormat(name, /./)
  ajv.addFormat('ip', (text: string) => isIP(text) > 0)
  const components = closed(document.components)
  const validators = new Map<string, ValidateFunction>()
  const codes = documentedCodes()

  return ({ operation, url, body, who, headers: sent }, answer) => {
    const { status, headers } = answer
    const bytes = plain(answer)
    const text = bytes.toString()
    const type = String(headers['content-type'] ?? '').split(';', 1)[0] as string
    const isProblem = type === 'application/problem+json'
    const problem = isProblem ? JSON.parse(text) : undefined
    if (status >= 500 && !(status === 503 && allowedUnavailable.has(problem?.code) && headers['retry-after'] !== undefined)) return `${status} ${text.slice(0, 300)}`
    if (status === 429 && headers['retry-after'] === undefined && problem?.code !== 'EDEN_TOO_MANY_STREAMS') return `429 ${problem?.code} without Retry-After`
    if (status < 400 && who === 'nobody' && !operation.isPublic) return `${status} to nobody`
    if (status >= 400 && isProblem) {
      const said = `${safeDecode(url)} ${String(body)} ${JSON.stringify(sent)}`
      const fault = faultOf({ ...answer, statusCode: status, body: text, headers, json: () => problem } as never, unreadable.has(problem.code) ? '' : pathOf(url), said)
      if (fault !== undefined) return fault
      if (codes.get(problem.code) !== status) return `${status} ${problem.code} is not in docs/errors.md`
    }
    if (problem !== undefined && beforeRouting.has(problem.code)) return undefined

    const key = operation.responses[status] === undefined ? `${String(status)[0]}XX` : String(status)
    const response = operation.responses[key]
    if (response === undefined) return `${status} is not documented: ${text.slice(0, 200)}`
    if (status === 204 || status === 304) return bytes.length === 0 ? undefined : `${status} with a body`
    if (response.content === undefined) return `${status} has no documented body, and one of type ${type}`
    const content = response.content[type] ?? response.content['*/*']
    if (content === undefined) return `${status} of type "${type}" is not documented`
    if (content.schema?.format === 'binary' || !/json$/.test(type)) return undefined // bytes, CSV and streams have no schema that says more
    const id = `${operation.route} ${key} ${type}`
    const validate = validators.get(id) ?? ajv.compile({ ...closed(content.schema), components })
    validators.set(id, validate)
    return validate(JSON.parse(text)) ? undefined : `${status} is documented otherwise: ${ajv.errorsText(validate.errors)} in ${text.slice(0, 300)}`
  }
}

function safeDecode (url: string): string {
  try {
    return decodeURIComponent(url)
  } catch {
    return url
  }
}

/** The path as it goes over the wire. */
const pathOf = (url: string) => new URL(url, 'http://localhost').pathname
