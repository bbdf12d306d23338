import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ACCESS_TOKEN_SECONDS } from '../../plugins/auth/access-tokens.js'
import type { Config } from '../../plugins/config.js'
import { SessionNeeded, SignInUnavailable } from './errors.js'
import type { SignedIn } from './schemas.js'
import type { Lifetimes, Opened } from './sessions/queries.js'

export const lifetimesOf = ({ SESSION_IDLE_HOURS: idleHours, SESSION_MAX_HOURS: mostHours, REFRESH_GRACE_SECONDS: graceSeconds }: Config): Lifetimes => ({ idleHours, mostHours, graceSeconds })

/** @throws SignInUnavailable where no access token can be signed */
export function needSecret ({ config }: FastifyInstance): void {
  if (config.JWT_SECRET === undefined) throw new SignInUnavailable()
}

/** @throws SessionNeeded when a program asks, which has a token of its own and is not to take over its owner's account */
export function needPerson ({ proof }: FastifyRequest): void {
  if (proof.apiTokenId !== undefined) throw new SessionNeeded()
}

/** What a client gets for a session, as it was opened or goes on. */
export const signedIn = (app: FastifyInstance, { sessionId, refreshToken, refreshExpiresAt }: Opened, { id, email, name }: SignedIn['user']): SignedIn => ({
  access_token: app.jwt.sign({ sub: id, sid: sessionId }),
  token_type: 'Bearer',
  expires_in: ACCESS_TOKEN_SECONDS,
  refresh_token: refreshToken,
  refresh_expires_at: refreshExpiresAt,
  user: { id, email, name }
})
