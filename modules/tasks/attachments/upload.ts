import createError from '@fastify/error'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { InvalidValue, withMembers } from '../../../plugins/errors.js'
import type { Incoming } from '../../../plugins/storage/index.js'
import { fileName, isTaken, typeOf } from './rules.js'

const TooLarge = createError<[number]>('EDEN_FILE_TOO_LARGE', 'a file has %d bytes at most', 413)
const TypeRefused = createError<[string]>('EDEN_FILE_TYPE_REFUSED', 'files of the type %s are not taken', 415)
const Malformed = createError('EDEN_MALFORMED_BODY', 'the body is no form with one file, or broke off', 400)

/** What a form has around its file. A longer body cannot hold a file that is small enough. */
const FORM_BYTES = 65_536

/** A file that has come in, and what it is. */
export interface Received { incoming: Incoming, name: string, contentType: string }

/** @param path the name of the part; one without a name is told by what it is */
function wrongPart (path: string, message: string) {
  const named = path || 'a part without a name'
  return withMembers(new InvalidValue(`${named} ${message}`), { errors: [{ path: named, message }] })
}

/**
 * Takes the one file of a form in. It is on the local disk then, and the caller's to keep or forget; when this throws,
 * nothing is left of it.
 */
export async function receiveFile (app: FastifyInstance, request: FastifyRequest): Promise<Received> {
  request.bodyTakesTime()
  let received: Received | undefined
  try {
    // Without a body there is no media type that could be wrong: it is the file that is missing.
    if (request.isMultipart()) {
      const limits = { fileSize: Infinity, parts: 2, files: 2, fields: 1, fieldSize: 1, headerPairs: 20 }
      for await (const part of request.parts({ limits })) {
        if (part.type !== 'file' || part.fieldname !== 'file') throw wrongPart(part.fieldname, 'is not known here')
        if (received !== undefined) throw wrongPart('file', 'is there more than once')
        received = await receivePart(app, request, part)
      }
    }
    if (received === undefined) throw wrongPart('file', 'must be there, with a file name')
    request.bodyIsIn()
    return received
  } catch (error) {
    request.bodyIsRefused()
    if (received !== undefined) await app.storage.forget(received.incoming)
    throw refusalOf(error)
  }
}

async function receivePart ({ config, storage }: FastifyInstance, { headers }: FastifyRequest, { filename, file }: { filename?: string, file: NodeJS.ReadableStream }): Promise<Received> {
  const most = config.ATTACHMENT_MAX_BYTES
  if (Number(headers['content-length']) > most + FORM_BYTES) throw new TooLarge(most)
  let contentType = ''
  const incoming = await storage.receive(file as never, {
    size: (bytes) => {
      if (bytes > most) throw new TooLarge(most)
    },
    head: async (head) => {
      if (head.length === 0) throw wrongPart('file', 'is empty')
      contentType = await typeOf(head)
      if (!isTaken(contentType, { allowed: config.ATTACHMENT_TYPES_ALLOWED, denied: config.ATTACHMENT_TYPES_DENIED })) throw new TypeRefused(contentType)
    }
  })
  return { incoming, name: fileName(filename), contentType }
}

/** What the parser of forms says, and what it says when the client has gone, in our words. */
function refusalOf (error: unknown): unknown {
  const { code = '' } = error as NodeJS.ErrnoException
  return code.startsWith('EDEN_') ? error : Object.assign(new Malformed(), { cause: error })
}
