import { createSecretKey } from 'node:crypto'
import createError from '@fastify/error'
import type { FastifyInstance } from 'fastify'
import { errors, jwtVerify, type JWTPayload } from 'jose'
import { Refused, type BearerKind } from './bearers.js'
import { createKeySet, NoKeys } from './key-set.js'
import { peek } from './peek.js'

const IssuerUnavailable = createError('EDEN_ISSUER_UNAVAILABLE', 'the keys of the issuer of this token cannot be had: try again shortly', 503)

/** How far two clocks may be apart. */
const CLOCK_TOLERANCE_SECONDS = 5

/** The issuer's name for someone: anything that can be stored. */
const subjectForm = /^[^\p{Cc}\p{Cs}]{1,255}$/u
/** Only plain addresses link: others may look, or compare, like someone else's. */
const emailForm = /^[\x21-\x3f\x41-\x7e]{1,64}@[A-Za-z0-9.-]{1,189}$/

/** Why a token is refused, for the log. */
function refusalOf (error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'token expired'
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return 'a claim is missing'
    const wrong: Record<string, string> = { iss: 'wrong issuer', aud: 'wrong audience', nbf: 'token not good yet' }
    return wrong[error.claim] ?? 'malformed token'
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'wrong signature'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'wrong algorithm'
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return 'unknown key'
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'malformed token'
  return 'token refused'
}

/** A claim by its name, or by a path with dots. Names with dots in them come first: https://example.com/verified. */
function claimOf (claims: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  return name.split('.').reduce<unknown>((inside, part) => typeof inside === 'object' && inside !== null && Object.hasOwn(inside, part) ? (inside as Record<string, unknown>)[part] : undefined, claims)
}

/**
 * Tokens of another issuer (`AUTH_ISSUER`), by its public keys or a secret that it shares with us; undefined where none is
 * configured. The algorithms follow from which of the two it is, never from the token, and so does where keys are.
 */
export function issuerKind (app: FastifyInstance): BearerKind | undefined {
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience, AUTH_JWKS_URL: url, AUTH_JWT_SECRET: secret, AUTH_EMAIL_VERIFIED_CLAIM: verifiedClaim } = app.config
  if (issuer === undefined || audience === undefined) return undefined
  const rules = { issuer, audience, clockTolerance: CLOCK_TOLERANCE_SECONDS, requiredClaims: ['sub', 'exp'] }

  function verifier (): (token: string, currentDate: Date) => Promise<{ payload: JWTPayload }> {
    if (url === undefined) {
      const key = createSecretKey(Buffer.from(secret ?? ''))
      return (token, currentDate) => jwtVerify(token, key, { ...rules, algorithms: ['HS256'], currentDate })
    }
    const keys = createKeySet(url, { clock: app.clock, failed: (err) => { app.log.warn({ err, url }, 'the keys of the issuer could not be had: those from before stay in use') } })
    app.addHook('onClose', async () => keys.close())
    return (token, currentDate) => jwtVerify(token, keys.find, { ...rules, algorithms: ['RS256', 'ES256'], currentDate })
  }
  const verify = verifier()

  return {
    claims: (token) => peek(token, 1)['iss'] === issuer,
    async prove (token) {
      let claims: JWTPayload
      try {
        claims = (await verify(token, app.clock())).payload
      } catch (error) {
        if (error instanceof NoKeys) throw new IssuerUnavailable()
        throw new Refused(refusalOf(error))
      }
      const { sub: subject, email, exp } = claims
      if (!Number.isFinite(exp) || typeof subject !== 'string' || !subjectForm.test(subject)) throw new Refused('malformed token')
      const verifiedEmail = claimOf(claims, verifiedClaim) === true && typeof email === 'string' && emailForm.test(email) ? email : undefined
      return { by: { identity: { issuer, subject } }, verifiedEmail }
    }
  }
}
