import jwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { Forbidden, Unauthenticated } from '../errors.js'
import { publicPrefix, publicRoutes } from '../public-routes.js'
import { accessTokenKind, accessTokens } from './access-tokens.js'
import type { Actor, Proof } from './actor.js'
import { Refused, type BearerKind } from './bearers.js'
import { devIdentity, header } from './dev-headers.js'

export type { Actor, Proof } from './actor.js'

/** Declared by routes that touch only what is the caller's own. */
export const SELF = 'self'

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor
    /** What signed the request in. */
    proof: Proof
  }
  interface FastifyInstance {
    /** Signs a request in, as is done by itself for every route that is not public. @throws Unauthenticated */
    signIn: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  }
  interface FastifyContextConfig {
    /** The permission that a caller needs, or SELF. Every route has one, or is in `public-routes.ts`. */
    permission?: string
    /** A probe: exempt from load shedding, and quiet in the log. */
    probe?: boolean
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function isPublic ({ method, url }: Pick<RouteOptions, 'method' | 'url'>): boolean {
  return [method].flat().every((one) => one === 'OPTIONS' || url.startsWith(publicPrefix) || publicRoutes.has(`${one === 'HEAD' ? 'GET' : one} ${url}`))
}

/**
 * Signs a request in (`request.actor`) and checks the permission that its route declares: 401 without an identity, 403
 * without the permission. By a bearer token of some kind or, outside production, the development headers. A route that is
 * neither public nor declares a permission stops the start.
 */
export default fp(async function auth (app) {
  const { config } = app
  const devHeaders = config.NODE_ENV !== 'production' && config.AUTH_DEV_HEADERS !== false
  if (config.JWT_SECRET !== undefined) {
    await app.register(jwt, accessTokens(config.JWT_SECRET))
  }
  const kinds: BearerKind[] = [accessTokenKind(app)]

  /** What a request carries as proof of who asks. @throws Refused when that is nothing, or nothing good */
  function proofOf (request: FastifyRequest): Proof | Promise<Proof> {
    const [scheme, token, ...more] = header(request, 'authorization')?.split(' ') ?? []
    if (scheme !== undefined) {
      if (scheme.toLowerCase() !== 'bearer' || token === undefined || more.length > 0) throw new Refused('not a bearer token')
      return (kinds.find((kind) => kind.claims(token)) as BearerKind).prove(token, request)
    }
    const named = devIdentity(request)
    if (named === undefined) throw new Refused('no identity')
    if (!devHeaders) {
      app.security(request, 'development_headers_ignored')
      throw new Refused('no identity')
    }
    return named
  }

  async function signIn (request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      const proof = await proofOf(request)
      // Whatever names no person is nobody's: the database is not asked.
      const names = ['id' in proof.by ? proof.by.id : undefined, proof.sessionId].filter((id) => id !== undefined)
      const actor = names.every((id) => uuid.test(id)) ? await app.actors.find(proof) : undefined
      if (actor === undefined) throw new Refused(proof.sessionId === undefined ? 'unknown or inactive person' : 'session is over, or unknown or inactive person')
      request.proof = proof
      request.actor = actor
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      // The log says why; the answer does not.
      app.security(request, 'sign_in_refused', { reason: error.message })
      app.rateLimits.count(request, reply, 'address')
      throw new Unauthenticated()
    }
  }

  app.decorateRequest('actor', null as never)
  app.decorateRequest('proof', null as never)
  app.decorate('signIn', signIn)
  app.addHook('onRoute', (route) => {
    if (!isPublic(route) && route.config?.permission === undefined) {
      throw new Error(`${[route.method].flat().join(', ')} ${route.url} declares no permission and is not in plugins/public-routes.ts`)
    }
  })
  app.addHook('onRequest', async (request, reply) => {
    const { permission } = request.routeOptions.config
    if (permission === undefined) return
    await signIn(request, reply)
    app.rateLimits.count(request, reply, 'identity')
    if (permission !== SELF && !request.actor.permissions.includes(permission)) {
      app.security(request, 'permission_refused', { permission })
      throw new Forbidden(permission)
    }
  })
}, { name: 'auth', dependencies: ['settings', 'database', 'errors', 'rate-limit'] })
