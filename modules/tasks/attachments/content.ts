import { Readable } from 'node:stream'
import createError from '@fastify/error'
import { create as contentDisposition } from 'content-disposition'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Bytes, StoredFile } from '../../../plugins/storage/index.js'
import type { AttachmentRow } from './queries.js'

const RangeNotSatisfiable = createError<[number]>('EDEN_RANGE_NOT_SATISFIABLE', 'the file has %d bytes', 416)

/** Whether an If-None-Match names the tag (RFC 9110, 13.1.2: the comparison is weak). */
const matches = (header: string | undefined, tag: string): boolean =>
  header !== undefined && (header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === tag))

const oneRange = /^bytes=[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/i

/**
 * The bytes that a request asks for (RFC 9110, 14.1.2 and 14.2), or undefined for all of them: also when it asks for
 * several ranges, in a unit that is not known, or for those of another file (If-Range, whose comparison is strong).
 */
function rangeOf ({ method, headers }: FastifyRequest, size: number, tag: string): Bytes | 'none' | undefined {
  const { range, 'if-range': ifRange } = headers
  const asked = method === 'GET' && (ifRange === undefined || ifRange === tag) ? oneRange.exec(range ?? '') : null
  if (asked === null) return undefined
  const [, first, last, suffix] = asked
  if (suffix !== undefined) return Number(suffix) === 0 ? 'none' : { start: Math.max(0, size - Number(suffix)), end: size - 1 }
  const start = Number(first)
  const end = last === '' ? Infinity : Number(last)
  if (end < start) return undefined
  return start >= size ? 'none' : { start, end: Math.min(end, size - 1) }
}

/**
 * Answers with the bytes of a file, or with a part of them, as they come from the storage. A browser is told to save the
 * file, whatever it is, and to run nothing in it.
 */
export async function sendContent (app: FastifyInstance, request: FastifyRequest, reply: FastifyReply, file: AttachmentRow & StoredFile): Promise<FastifyReply> {
  const tag = `"${file.sha256}"`
  const size = file.size_bytes
  reply.headers({
    etag: tag,
    'accept-ranges': 'bytes',
    // Kept by the browser alone, and asked for again each time: who may see it can change, the bytes cannot.
    'cache-control': 'private, no-cache'
  })
  if (matches(request.headers['if-none-match'], tag)) return reply.code(304).send()
  const range = rangeOf(request, size, tag)
  if (range === 'none') {
    reply.header('content-range', `bytes */${size}`)
    throw new RangeNotSatisfiable(size)
  }
  const body = request.method === 'HEAD' ? Readable.from([]) : await app.storage.read(file, range)
  if (range !== undefined) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`)
  return reply.headers({
    'content-type': file.content_type === 'text/plain' ? 'text/plain; charset=utf-8' : file.content_type,
    'content-length': range === undefined ? size : range.end - range.start + 1,
    'content-disposition': contentDisposition(file.name),
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff'
  }).send(body)
}
