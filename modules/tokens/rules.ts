import createError from '@fastify/error'
import { InvalidValue, withMembers } from '../../plugins/errors.js'
import type { CreateApiToken } from './schemas.js'

const DAY_MS = 86_400_000

const ScopeNotHeld = createError<[string]>('EDEN_SCOPE_NOT_HELD', 'a token may do no more than you: %s', 422)
export const TooManyTokens = createError<[number]>('EDEN_TOO_MANY_TOKENS', 'you have %d live tokens, as many as are allowed: revoke one first', 422)

/** Refuses a token that could do what its holder may not, or that would be good for too long, or never. */
export function checkApiToken ({ scopes, expires_at: expires }: CreateApiToken, { permissions, now, maxDays }: { permissions: readonly string[], now: Date, maxDays: number }): void {
  const missing = scopes.filter((scope) => !permissions.includes(scope))
  if (missing.length > 0) {
    throw withMembers(new ScopeNotHeld(missing.join(', ')), { errors: missing.map((scope) => ({ path: `scopes.${scopes.indexOf(scope)}`, message: 'is not a permission of yours' })) })
  }
  const lasts = Date.parse(expires) - now.getTime()
  if (lasts > 0 && lasts <= maxDays * DAY_MS) return
  const message = `must be in the future, and within ${maxDays} days`
  throw withMembers(new InvalidValue(`expires_at ${message}`), { errors: [{ path: 'expires_at', message }] })
}
