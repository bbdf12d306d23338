import jwt, { type FastifyJWTOptions } from '@fastify/jwt'
import fp from 'fastify-plugin'
import { sql } from 'kysely'
import type { FastifyRequest, RouteOptions } from 'fastify'
import type { Db } from './database/index.js'
import { Forbidden, Unauthenticated } from './errors.js'
import { publicPrefix, publicRoutes } from './public-routes.js'

/** Who asks: a person who exists and is active, and what their roles allow. */
export interface Actor {
  id: string
  email: string
  name: string
  timezone: string
  permissions: string[]
}

/** Declared by routes that touch only what is the caller's own. */
export const SELF = 'self'

declare module 'fastify' {
  interface FastifyRequest { actor: Actor }
  interface FastifyContextConfig {
    /** The permission that a caller needs, or SELF. Every route has one, or is in `public-routes.ts`. */
    permission?: string
    /** A probe: exempt from load shedding, and quiet in the log. */
    probe?: boolean
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The active person with this e-mail or id. */
async function findActor (db: Db, by: { email: string } | { id: string }): Promise<Actor | undefined> {
  return db.selectFrom('users')
    .select(['id', 'email', 'name', 'timezone'])
    .select((eb) => eb.fn<string[]>('array', [
      eb.selectFrom('user_roles').innerJoin('role_permissions', 'role_permissions.role_id', 'user_roles.role_id')
        .whereRef('user_roles.user_id', '=', 'users.id').select('permission_code').distinct()
    ]).as('permissions'))
    .where('is_active', '=', true)
    .$call((qb) => 'email' in by ? qb.where('email', '=', sql<string>`${by.email}::citext`) : qb.where('id', '=', by.id))
    .executeTakeFirst()
}

function header (request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** How our access tokens are signed and checked: one algorithm, our issuer, 15 minutes. */
export const accessTokens = (secret: string): FastifyJWTOptions => ({
  secret,
  sign: { algorithm: 'HS256', iss: 'eden-erp', expiresIn: '15m' },
  verify: { algorithms: ['HS256'], allowedIss: 'eden-erp', requiredClaims: ['sub', 'exp'] }
})

/** Whom the development headers name: the e-mail decides, the id serves when no e-mail is sent. */
function devIdentity (request: FastifyRequest): { email: string } | { id: string } | undefined {
  const email = header(request, 'x-dev-email') ?? header(request, 'x-dev-user-email')
  if (email !== undefined) return { email }
  const id = header(request, 'x-dev-user-id')
  return id !== undefined && uuid.test(id) ? { id } : undefined
}

/** Why a token is refused, for the log: what the library calls it, in words. */
const refusals: Record<string, string> = {
  FAST_JWT_EXPIRED: 'token expired',
  FAST_JWT_INVALID_SIGNATURE: 'wrong signature',
  FAST_JWT_INVALID_ALGORITHM: 'wrong algorithm',
  FAST_JWT_INVALID_CLAIM_VALUE: 'wrong issuer',
  FAST_JWT_MISSING_REQUIRED_CLAIM: 'a claim is missing',
  FAST_JWT_MISSING_SIGNATURE: 'no signature',
  FAST_JWT_INACTIVE: 'token not good yet',
  FAST_JWT_MALFORMED: 'malformed token'
}

function isPublic ({ method, url }: Pick<RouteOptions, 'method' | 'url'>): boolean {
  return [method].flat().every((one) => one === 'OPTIONS' || url.startsWith(publicPrefix) || publicRoutes.has(`${one === 'HEAD' ? 'GET' : one} ${url}`))
}

/**
 * Signs a request in (`request.actor`) and checks the permission that its route declares: 401 without an identity, 403
 * without the permission. Our own access tokens (HS256, `sub` is the user id) and, outside production, the development
 * headers. A route that is neither public nor declares a permission stops the start.
 */
export default fp(async function auth (app) {
  const { config } = app
  const devHeaders = config.NODE_ENV !== 'production' && config.AUTH_DEV_HEADERS !== false
  if (config.JWT_SECRET !== undefined) {
    await app.register(jwt, accessTokens(config.JWT_SECRET))
  }

  async function identify (request: FastifyRequest): Promise<Actor> {
    const [scheme, token] = header(request, 'authorization')?.split(' ') ?? []
    if (scheme !== undefined) {
      if (scheme.toLowerCase() !== 'bearer' || token === undefined) refuse(request, 'not a bearer token')
      if (config.JWT_SECRET === undefined) refuse(request, 'JWT_SECRET is not set')
      const { sub } = verify(request, token)
      return (uuid.test(sub) ? await findActor(app.db, { id: sub }) : undefined) ?? refuse(request, 'unknown or inactive person')
    }
    const named = devIdentity(request)
    if (named === undefined) refuse(request, 'no identity')
    if (!devHeaders) {
      app.security(request, 'development_headers_ignored')
      refuse(request, 'no identity')
    }
    return await findActor(app.db, named) ?? refuse(request, 'unknown or inactive person')
  }

  function verify (request: FastifyRequest, token: string): { sub: string } {
    try {
      return app.jwt.verify<{ sub: string }>(token)
    } catch (error) {
      return refuse(request, refusals[(error as { code?: string }).code ?? ''] ?? 'token refused')
    }
  }

  /** The log says why; the answer does not. */
  function refuse (request: FastifyRequest, reason: string): never {
    app.security(request, 'sign_in_refused', { reason })
    throw new Unauthenticated()
  }

  app.decorateRequest('actor', null as never)
  app.addHook('onRoute', (route) => {
    if (!isPublic(route) && route.config?.permission === undefined) {
      throw new Error(`${[route.method].flat().join(', ')} ${route.url} declares no permission and is not in plugins/public-routes.ts`)
    }
  })
  app.addHook('onRequest', async (request) => {
    const { permission } = request.routeOptions.config
    if (permission === undefined) return
    const actor = await identify(request)
    request.actor = actor
    if (permission !== SELF && !actor.permissions.includes(permission)) {
      app.security(request, 'permission_refused', { permission })
      throw new Forbidden(permission)
    }
  })
}, { name: 'auth', dependencies: ['settings', 'database', 'errors'] })
