import createError from '@fastify/error'
import jwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { recordAudit } from '../audit/record.js'
import { Forbidden, Unauthenticated } from '../errors.js'
import { publicPrefix, publicRoutes } from '../public-routes.js'
import { isUuid } from '../validation.js'
import { accessTokenKind, accessTokens } from './access-tokens.js'
import { findActor, type Actor, type Proof } from './actor.js'
import { apiTokenKind, noteUses } from './api-tokens.js'
import { Refused, type BearerKind } from './bearers.js'
import { devIdentity, header } from './dev-headers.js'
import { linkIdentity, type Linking } from './identities.js'
import { issuerKind } from './issuers.js'
import { maySomewhere } from './project-roles.js'

export type { Actor, Proof } from './actor.js'
export { allowedInProjects, rolesThatAllow } from './project-roles.js'

/** Declared by routes that touch only what is the caller's own. */
export const SELF = 'self'

/** What a request names that is a project or in one: to tell what is not for the caller from what is not there. */
export type InProject = (request: FastifyRequest) => { kind: string, ids: string[] } | undefined

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
    /**
     * For what is about projects: the permission counts where a role in the project gives it, too. Every query of such a route
     * goes through `visibleProject`, which sees those projects only then. Says what the request names, if anything.
     */
    inProject?: InProject
    /**
     * Whether a personal access token may use the route. When left out: what needs a permission, if that is in its scopes,
     * and nothing of what is the caller's own (SELF), for which there is no scope.
     */
    tokens?: boolean
    /** A probe: exempt from load shedding, and quiet in the log. */
    probe?: boolean
  }
}

const NotByToken = createError('EDEN_NOT_BY_TOKEN', 'a personal access token may not do this: sign in yourself', 403)

/** What of linking goes to the log when it fails. */
const unlinked: Record<Extract<Linking, string>, string> = { nobody: 'unknown or inactive person', taken: 'address or subject is linked already' }

function isPublic ({ method, url }: Pick<RouteOptions, 'method' | 'url'>): boolean {
  return [method].flat().every((one) => one === 'OPTIONS' || url.startsWith(publicPrefix) || publicRoutes.has(`${one === 'HEAD' ? 'GET' : one} ${url}`))
}

/**
 * Signs a request in (`request.actor`) and checks the permission that its route declares: 401 without an identity, 403
 * without the permission; where only a role in some projects gives it, the request goes on and sees those projects only. By a bearer token of some kind or, outside production, the development headers. A route that is
 * neither public nor declares a permission stops the start.
 */
export default fp(async function auth (app) {
  const { config } = app
  // Where they are good is listed, not where they are not: whatever else an environment may be called, it has none.
  const devHeaders = ['development', 'test'].includes(config.NODE_ENV) && config.AUTH_DEV_HEADERS !== false
  if (config.JWT_SECRET !== undefined) {
    await app.register(jwt, accessTokens(config.JWT_SECRET))
  }
  // The first that knows a token checks it: ours come last, and take the blame for what nobody knows.
  const kinds: BearerKind[] = [apiTokenKind, issuerKind(app), accessTokenKind(app)].filter((kind) => kind !== undefined)
  noteUses(app)

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

  /** The person whom another issuer signs in for the first time. @throws Refused when it is nobody of us, or not surely */
  async function firstSignIn (request: FastifyRequest, proof: Proof): Promise<Actor | undefined> {
    if (!('identity' in proof.by)) return undefined
    if (proof.verifiedEmail === undefined) throw new Refused('unknown subject without a verified address')
    const { by: { identity }, verifiedEmail } = proof
    const linking = await app.db.transaction().execute(async (trx) => {
      const result = await linkIdentity(trx, identity, verifiedEmail)
      if (typeof result === 'object') await recordAudit(trx, request, { event: 'identity_linked', actorId: result.linked, targetType: 'user', targetId: result.linked, details: { ...identity } })
      return result
    })
    // Also where it was not linked here: the same person may have come twice at once.
    const actor = await findActor(app.db, proof)
    if (actor === undefined) throw new Refused(typeof linking === 'object' ? unlinked.nobody : unlinked[linking])
    return actor
  }

  async function signIn (request: FastifyRequest, reply: FastifyReply): Promise<void> {
    try {
      const proof = await proofOf(request)
      // Whatever names no person is nobody's: the database is not asked.
      const names = ['id' in proof.by ? proof.by.id : undefined, proof.sessionId].filter((id) => id !== undefined)
      const actor = names.every(isUuid) ? await app.actors.find(proof) ?? await firstSignIn(request, proof) : undefined
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
    const { permission, inProject } = request.routeOptions.config
    if (permission === undefined) return
    await signIn(request, reply)
    app.rateLimits.count(request, reply, 'identity')
    const { tokens = permission !== SELF } = request.routeOptions.config
    if (request.proof.apiTokenId !== undefined && !tokens) {
      app.security(request, 'permission_refused', { reason: 'personal access token' })
      throw new NotByToken()
    }
    if (permission === SELF || request.actor.permissions.includes(permission)) return
    if (inProject === undefined || !await maySomewhere(app.db, request.actor, permission)) {
      app.security(request, 'permission_refused', { permission })
      throw new Forbidden(permission)
    }
    request.actor = { ...request.actor, byProjectRole: permission } // another: what is remembered of a person is for all requests
  })
}, { name: 'auth', dependencies: ['settings', 'database', 'errors', 'rate-limit'] })
