import type { FastifyRequest } from 'fastify'
import type { Proof } from './actor.js'

/** A header that was sent once and is not empty. */
export function header (request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Whom the development headers name: the e-mail decides, the id serves when no e-mail is sent. */
export function devIdentity (request: FastifyRequest): Proof | undefined {
  const email = header(request, 'x-dev-email') ?? header(request, 'x-dev-user-email')
  if (email !== undefined) return { by: { email } }
  const id = header(request, 'x-dev-user-id')
  return id === undefined ? undefined : { by: { id } }
}
