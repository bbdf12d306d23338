import { STATUS_CODES } from 'node:http'
import createError from '@fastify/error'
import fp from 'fastify-plugin'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { v7 as uuidv7 } from 'uuid'
import { causeOf, isAway, type Cause } from './database/causes.js'
import { refusalOf } from './database/refusals.js'
import { withoutTokens } from './error-log.js'
import { Problem } from './problem.js'

/** Members that a problem carries beside the standard ones, such as the version that a stale write should have had. */
export type ProblemMembers = Pick<Problem, 'errors' | 'current_version' | 'allowed' | 'conflicts'>

export const Unauthenticated = createError('EDEN_UNAUTHENTICATED', 'sign in: a bearer token is missing or no longer good', 401)
export const Forbidden = createError<[string]>('EDEN_FORBIDDEN', 'this needs the permission %s', 403)
export const NotFound = createError<[string]>('EDEN_NOT_FOUND', 'there is no such %s', 404)
export const RouteNotFound = createError<[string]>('EDEN_ROUTE_NOT_FOUND', 'nothing is served at %s', 404)
export const Stale = createError<[number]>('EDEN_STALE', 'someone changed this: it is at version %d now', 412)
export const InvalidValue = createError<[string]>('EDEN_VALIDATION', '%s', 400)
export const NotUtf8 = createError('EDEN_MALFORMED_BODY', 'the body is not UTF-8', 400)
export const TooDeep = createError('EDEN_JSON_TOO_DEEP', 'the body nests too deep', 400)
export const Overloaded = createError('EDEN_OVERLOADED', 'the service is busy: try again shortly', 503)

/** An error with problem members. */
export function withMembers<E extends Error> (error: E, members: ProblemMembers): E & { members: ProblemMembers } {
  return Object.assign(error, { members })
}

/** Throws, as an expression: `await find(id) ?? raise(new NotFound('task'))`. */
export function raise (error: Error): never {
  throw error
}

/** Codes of the framework and its plugins, in our words: a client sees one vocabulary. */
const frameworkCodes: Record<string, string> = {
  FST_ERR_VALIDATION: 'EDEN_VALIDATION',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'EDEN_MALFORMED_BODY',
  FST_ERR_CTP_INVALID_JSON_BODY: 'EDEN_MALFORMED_BODY',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'EDEN_MALFORMED_BODY',
  FST_ERR_CTP_BODY_TOO_LARGE: 'EDEN_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'EDEN_UNSUPPORTED_MEDIA_TYPE',
  FST_CP_ERR_INVALID_CONTENT: 'EDEN_MALFORMED_BODY',
  FST_CP_ERR_INVALID_CONTENT_ENCODING: 'EDEN_UNSUPPORTED_MEDIA_TYPE',
  ECONNRESET: 'EDEN_MALFORMED_BODY',
  FST_ERR_BAD_URL: 'EDEN_MALFORMED_URL',
  FST_ERR_MAX_PARAM_LENGTH: 'EDEN_URL_TOO_LONG'
}

/** Where the framework's own words repeat the URL, query string and all, or are none for a client. */
const frameworkDetails: Record<string, string> = {
  ECONNRESET: 'the body broke off',
  FST_ERR_BAD_URL: 'the URL cannot be decoded',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the path is too long'
}

type Answer = ProblemMembers & Pick<Problem, 'status' | 'code' | 'detail'>

const isOurs = ({ code }: FastifyError) => code?.startsWith('EDEN_') === true

/** The public answer to a database that is away, full, slow or not of this release; undefined when the error is none of its. */
function failureOf (error: FastifyError): Answer | undefined {
  if (isOurs(error) || error.statusCode === 400) return undefined // a client that goes in the middle of a body is a lost connection too
  const cause = causeOf(error)
  if (cause.code === 'pool_exhausted') return { status: 503, code: 'EDEN_POOL_EXHAUSTED', detail: 'all connections to the database are in use: try again shortly' }
  if (cause.code === 'statement_timeout') return { status: 503, code: 'EDEN_TOO_SLOW', detail: 'this took too long and was stopped' }
  if (isAway(cause)) return { status: 503, code: 'EDEN_DATABASE_UNAVAILABLE', detail: 'the database cannot be reached: try again shortly' }
  if (schemaCauses.has(cause.code)) return { status: 500, code: 'EDEN_SCHEMA_MISMATCH', detail: 'the database is not of this release: an operator has to bring it up to date' }
  return undefined
}

const schemaCauses = new Set(['table_missing', 'column_missing', 'function_missing', 'type_mismatch'])

/** What the log says of a failure beside the error: why, and which section of the runbook fixes it. */
function reasonOf (error: FastifyError): { cause: string, runbook: string } {
  const own: Record<string, Pick<Cause, 'code' | 'runbook'>> = {
    EDEN_OVERLOADED: { code: 'overloaded', runbook: 'docs/runbook.md#issue-high-response-times' },
    EDEN_STORAGE_UNAVAILABLE: { code: 'storage_unavailable', runbook: 'docs/runbook.md#issue-service-is-down' }
  }
  const { code, runbook } = own[error.code] ?? causeOf(isOurs(error) ? undefined : error)
  return { cause: code, runbook }
}

function problemOf (error: FastifyError & { members?: ProblemMembers }): Answer {
  if (error.validation !== undefined) {
    const errors = error.validation.map(({ instancePath, params, message }) => ({
      path: [...instancePath.split('/').slice(1), ...[params['additionalProperty'] ?? params['missingProperty'] ?? []].flat()].join('.') || String(error.validationContext),
      message: params['additionalProperty'] === undefined ? message ?? 'is not valid' : 'is not known here'
    }))
    return { status: 400, code: 'EDEN_VALIDATION', detail: errors.map(({ path, message }) => `${path} ${message}`).join('; '), errors }
  }
  const refusal = refusalOf(error)
  if (refusal !== undefined) return refusal
  const failure = failureOf(error)
  if (failure !== undefined) return failure
  const status = error.statusCode ?? 500
  // Nothing internal leaves, in any environment: what went wrong is in the log, under the request id.
  if (status >= 500 && !isOurs(error)) return { status, code: 'EDEN_INTERNAL', detail: 'something went wrong here, not with the request' }
  const code = isOurs(error) ? error.code : frameworkCodes[error.code] ?? 'EDEN_BAD_REQUEST'
  return { status, code, detail: frameworkDetails[error.code] ?? error.message, ...error.members }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What was answered, when it was an error: public, as the client got it. */
    problem: Pick<Problem, 'code' | 'detail'> | null
  }
}

/** What was asked, as an answer may repeat it: people send those on. Letters, digits and `_` may be written `%5F`: they mean the same. */
const pathOf = ({ url }: FastifyRequest): string => withoutTokens((url.split('?', 1)[0] as string).replace(/%(3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))))

/** Answers with a problem (RFC 9457). */
function sendProblem (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, code, detail, ...members } = problemOf(error)
  request.problem = { code, detail }
  if (status >= 500) request.log.error({ err: error, code, ...reasonOf(error) }, 'request failed')
  reply.header('x-request-id', request.id) // an error before routing comes before the hook that sets it
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', '1')
  return reply.code(status).type('application/problem+json').send({
    type: `urn:eden-erp:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    instance: pathOf(request),
    code,
    request_id: request.id,
    ...members
  })
}

/** Every error becomes a problem; registered before all routes, or they are not covered. */
export default fp(async function errors (app) {
  app.addSchema(Problem)
  app.decorateRequest('problem', null)
  app.setErrorHandler<FastifyError>((error, request, reply) => sendProblem(error, request, reply))
  app.setNotFoundHandler((request, reply) => sendProblem(new RouteNotFound(`${request.method} ${pathOf(request)}`) as FastifyError, request, reply))
}, { name: 'errors' })

/** What an answer has that comes before any hook, and before the headers that these set. */
const bareHeaders = { 'content-security-policy': "default-src 'none'", 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }

/** For errors before routing, such as a URL that cannot be decoded. */
export function answerFrameworkError (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return sendProblem(error, request, reply.headers(bareHeaders))
}

const unreadable: Record<string, [status: number, code: string, detail: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'EDEN_HEADERS_TOO_LARGE', 'the URL and the headers are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'EDEN_REQUEST_TIMEOUT', 'the request took too long to arrive']
}

/** For what is no HTTP, or too much of it: there is no request yet that could be answered, only a connection. */
export function answerClientError (error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const [status, code, detail] = unreadable[error.code] ?? [400, 'EDEN_MALFORMED_REQUEST', 'this is not HTTP']
  const title = STATUS_CODES[status]
  const id = uuidv7()
  const body = JSON.stringify({ type: `urn:eden-erp:problem:${code}`, title, status, detail, instance: '', code, request_id: id })
  const headers = Object.entries(bareHeaders).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${headers}Content-Type: application/problem+json\r\nX-Request-Id: ${id}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
}
