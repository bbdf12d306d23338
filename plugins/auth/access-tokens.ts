import { createHash } from 'node:crypto'
import type { FastifyJWTOptions } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import { Refused, type BearerKind } from './bearers.js'
import { peek } from './peek.js'

/** What an access token of ours says. */
export interface AccessClaims { sub: string, sid?: string }

/** How long an access token is good. */
export const ACCESS_TOKEN_SECONDS = 900

/** Who signs our access tokens: no other issuer may be called so. */
export const OUR_ISSUER = 'eden-erp'

/** The id of a key, in the header of each token that it signed: made from the secret, so that it needs no configuration and every instance finds the same. */
export const keyId = (secret: string): string => createHash('sha256').update(`eden-erp access token key id\n${secret}`).digest('base64url').slice(0, 8)

/** How our access tokens are signed and checked: one algorithm, our issuer, 15 minutes. */
export const accessTokens = (secret: string): FastifyJWTOptions => ({
  secret,
  sign: { algorithm: 'HS256', iss: OUR_ISSUER, expiresIn: ACCESS_TOKEN_SECONDS, kid: keyId(secret) },
  verify: { algorithms: ['HS256'], allowedIss: OUR_ISSUER, requiredClaims: ['sub', 'exp'] }
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
const WRONG_SIGNATURE = 'FAST_JWT_INVALID_SIGNATURE'
const codeOf = (error: unknown): string => (error as { code?: string }).code ?? ''

/**
 * Our own access tokens: `sub` is the person's id, `sid` the session it was given to. Two secrets are good at once, so that one
 * can take the other's place: `JWT_SECRET` signs and checks, `JWT_SECRET_OTHER` checks. The key id in a token's header says
 * which; a token without one, as other issuers of ours may make them, is tried with both.
 */
export function accessTokenKind (app: FastifyInstance): BearerKind {
  const { JWT_SECRET: secret, JWT_SECRET_OTHER: other } = app.config
  const keys = [secret, other].filter((key) => key !== undefined)
  const byId = new Map(keys.map((key) => [keyId(key), key]))

  function keysFor (token: string): string[] {
    const { kid } = peek(token, 0)
    if (kid === undefined) return keys
    const key = typeof kid === 'string' ? byId.get(kid) : undefined
    if (key === undefined) throw new Refused('unknown key')
    return [key]
  }

  return {
    claims: () => true, // what no other kind knows
    prove (token) {
      if (secret === undefined) throw new Refused('JWT_SECRET is not set')
      let refusal = ''
      for (const key of keysFor(token)) {
        try {
          const { sub, sid } = app.jwt.verify<AccessClaims>(token, key === secret ? undefined : { key })
          return { by: { id: sub }, sessionId: sid }
        } catch (error) {
          refusal = codeOf(error)
          if (refusal !== WRONG_SIGNATURE) break
        }
      }
      throw new Refused(refusals[refusal] ?? 'token refused')
    }
  }
}
