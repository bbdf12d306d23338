import type { FastifyInstance, FastifyRequest } from 'fastify'
import { recordAudit } from '../../plugins/audit/record.js'
import { ACCESS_TOKEN_SECONDS } from '../../plugins/auth/access-tokens.js'
import type { Config } from '../../plugins/config.js'
import type { Db } from '../../plugins/database/index.js'
import { SignInUnavailable } from './errors.js'
import type { SignedIn } from './schemas.js'
import { openSession, type Lifetimes, type Opened } from './sessions/queries.js'
import { addressOf } from '../../plugins/proxies.js'

export const lifetimesOf = ({ SESSION_IDLE_HOURS: idleHours, SESSION_MAX_HOURS: mostHours, REFRESH_GRACE_SECONDS: graceSeconds }: Config): Lifetimes => ({ idleHours, mostHours, graceSeconds })

/** @throws SignInUnavailable where no access token can be signed */
export function needSecret ({ config }: FastifyInstance): void {
  if (config.JWT_SECRET === undefined) throw new SignInUnavailable()
}

/** Opens a session for whoever makes a request, on record. @returns undefined when the person is not active any more, or has another password */
export async function openFor (db: Db, request: FastifyRequest, { userId, passwordHash }: { userId: string, passwordHash: string }, lifetimes: Lifetimes): Promise<Opened | undefined> {
  const opened = await openSession(db, { userId, passwordHash, ip: addressOf(request), userAgent: request.headers['user-agent'], lifetimes })
  if (opened !== undefined) await recordAudit(db, request, { event: 'signed_in', actorId: userId, targetType: 'session', targetId: opened.sessionId })
  return opened
}

/** What a client gets for a session, as it was opened or goes on. */
export const signedIn = (app: FastifyInstance, { sessionId, refreshToken, refreshExpiresAt }: Omit<Opened, 'hasEnded'>, { id, email, name }: SignedIn['user']): SignedIn => ({
  access_token: app.jwt.sign({ sub: id, sid: sessionId }),
  token_type: 'Bearer',
  expires_in: ACCESS_TOKEN_SECONDS,
  refresh_token: refreshToken,
  refresh_expires_at: refreshExpiresAt,
  user: { id, email, name }
})
