import type { FastifyReply, FastifyRequest } from 'fastify'
import { Stale, withMembers } from '../../plugins/errors.js'

/**
 * The entity tag of a version.
 * @param more what else is shown that changes without a new version: letters, digits and dashes
 */
export const etag = (version: number, more?: string): string => `"${version}${more === undefined ? '' : `.${more}`}"`

/**
 * The versions that an `If-Match` header accepts, or undefined when any will do. The comparison is strong (RFC 9110,
 * 13.1.1): a weak tag matches nothing. What a tag says beyond the version is no part of what a change is based on.
 */
export function versionsOf (ifMatch: string | undefined): number[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  return [...ifMatch.matchAll(/(W\/)?"([^"]*)"/g)]
    .filter(([, weak, tag]) => weak === undefined && /^(0|[1-9]\d{0,8})(\.[\w-]+)?$/.test(tag ?? ''))
    .map(([, , tag]) => Number.parseInt(tag as string, 10))
}

/** The answer for one resource: its ETag, and for a read 304 without a body when the caller has this version already. */
export function sendVersioned<T extends { version: number }> (request: FastifyRequest, reply: FastifyReply, resource: T, tag = etag(resource.version)): T {
  reply.header('etag', tag)
  const known = request.headers['if-none-match']
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const matches = isRead && known !== undefined && (known.trim() === '*' || known.split(',').some((one) => one.trim().replace(/^W\//, '') === tag))
  // A handler may return the reply that it has sent; the types of Fastify know only the resource.
  return matches ? reply.code(304).send() as never : resource
}

/** A 412 that tells the version which the resource has now. */
export const stale = (version: number) => withMembers(new Stale(version), { current_version: version })
