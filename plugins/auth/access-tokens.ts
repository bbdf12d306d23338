import type { FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { Refused, type BearerKind } from './bearers.js'

/** What an access token of ours says. */
export interface AccessClaims { sub: string, sid?: string }

/** How long an access token is good. */
export const ACCESS_TOKEN_SECONDS = 900

/** How our access tokens are signed and checked: one algorithm, our issuer, 15 minutes. */
export const accessTokens = (secret: string): FastifyJWTOptions => ({
  secret,
  sign: { algorithm: 'HS256', iss: 'eden-erp', expiresIn: ACCESS_TOKEN_SECONDS },
  verify: { algorithms: ['HS256'], allowedIss: 'eden-erp', requiredClaims: ['sub', 'exp'] }
})

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

/** Our own access tokens: `sub` is the person's id, `sid` the session it was given to. */
export function accessTokenKind (app: FastifyInstance): BearerKind {
  return {
    claims: () => true, // what no other kind knows
    prove (token) {
      if (app.config.JWT_SECRET === undefined) throw new Refused('JWT_SECRET is not set')
      let claims: AccessClaims
      try {
        claims = app.jwt.verify<AccessClaims>(token)
      } catch (error) {
        throw new Refused(refusals[(error as { code?: string }).code ?? ''] ?? 'token refused')
      }
      return { by: { id: claims.sub }, sessionId: claims.sid }
    }
  }
}
