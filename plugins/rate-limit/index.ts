import createError from '@fastify/error'
import fp from 'fastify-plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../config.js'
import { subjectOf } from './address.js'
import { Counters } from './counters.js'
import { postgresStore } from './postgres.js'
import type { Store } from './store.js'
import { addressOf } from '../proxies.js'

export const RateLimited = createError<[number]>('EDEN_RATE_LIMITED', 'too many requests: try again in %d s', 429)

/** What requests are counted by: who is signed in, else the address, and separately the address of who tries to sign in. */
export type RatePolicy = 'identity' | 'address' | 'sign_in'

const WINDOW_MS = 60_000
const SYNC_MS = 1000
/** Outside production, where development headers make anyone anyone, the general limits only show themselves. */
const DEVELOPMENT_TIMES = 1000

declare module 'fastify' {
  interface FastifyInstance {
    rateLimits: {
      /** Counts a request by a general policy. @throws RateLimited beyond the limit */
      count: (request: FastifyRequest, reply: FastifyReply, policy: 'identity' | 'address') => void
      /** Exchanges counts with the other instances, as each does every second. */
      sync: () => Promise<void>
      /** Whether counts are shared with the other instances now. */
      isShared: () => boolean
    }
  }
  interface FastifyContextConfig {
    /** `sign_in` for a route at which passwords or one-time secrets could be guessed; `false` for one that is never limited. */
    rateLimit?: 'sign_in' | false
  }
}

/** Requests a minute; 0 is no limit. */
function limitsOf (config: Config): Record<RatePolicy, number> {
  const times = config.NODE_ENV === 'production' ? 1 : DEVELOPMENT_TIMES
  return {
    identity: config.RATE_LIMIT_IDENTITY ?? 1200 * times,
    address: config.RATE_LIMIT_ADDRESS ?? 300 * times,
    sign_in: config.RATE_LIMIT_SIGN_IN
  }
}

async function storeOf ({ RATE_LIMIT_STORE: kind, REDIS_URL: url }: Config, db: Parameters<typeof postgresStore>[0], tell: (error: Error) => void): Promise<Store | undefined> {
  if (kind === 'memory') return undefined
  return kind === 'redis' ? (await import('./redis.js')).redisStore(url as string, tell) : postgresStore(db)
}

/**
 * Limits how often one asks in a minute: 429 with `Retry-After`, and `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers)
 * on every answer that was counted. Signed-in requests count by person, so that colleagues behind one address do not limit
 * each other; what nobody signed in for, or failed to, counts by address; routes that declare `rateLimit: 'sign_in'` count by
 * address before anything else, and exactly. Probes are exempt. auth counts what it signs in or refuses.
 */
export default fp(async function rateLimit (app) {
  const limits = limitsOf(app.config)
  const headers = Object.fromEntries(Object.entries(limits).map(([policy, most]) => [policy, `"${policy}";q=${most};w=${WINDOW_MS / 1000}`]))
  const store = await storeOf(app.config, app.db, (err) => app.log.debug({ err }, 'Redis does not answer'))
  const counters = new Counters({
    windowMs: WINDOW_MS,
    now: () => app.clock().getTime(),
    store,
    tell: (err) => err === undefined
      ? app.log.info('rate limits are shared between instances again')
      : app.log.warn({ err }, 'the store of rate limits does not answer: this instance counts for itself')
  })

  const keyOf = (request: FastifyRequest, policy: RatePolicy) => `${policy} ${policy === 'identity' ? request.actor.id : subjectOf(addressOf(request))}`

  function judge (request: FastifyRequest, reply: FastifyReply, policy: RatePolicy, { count, resetMs }: { count: number, resetMs: number }): void {
    const seconds = Math.max(1, Math.ceil(resetMs / 1000))
    reply.header('ratelimit-policy', headers[policy])
    reply.header('ratelimit', `"${policy}";r=${Math.max(0, limits[policy] - count)};t=${seconds}`)
    if (count <= limits[policy]) return
    app.security(request, 'rate_limited', { policy })
    reply.header('retry-after', String(seconds))
    throw new RateLimited(seconds)
  }

  app.decorate('rateLimits', {
    count (request, reply, policy) {
      if (limits[policy] > 0) judge(request, reply, policy, counters.hit(keyOf(request, policy)))
    },
    sync: () => counters.sync(),
    isShared: () => counters.shared
  })
  app.addHook('onRequest', async (request, reply) => {
    const { probe, permission, rateLimit } = request.routeOptions.config
    if (probe === true || rateLimit === false) return
    if (rateLimit === 'sign_in') {
      if (limits.sign_in > 0) judge(request, reply, 'sign_in', await counters.hitExactly(keyOf(request, 'sign_in'), limits.sign_in))
    } else if (permission === undefined) app.rateLimits.count(request, reply, 'address')
  })

  let timer: NodeJS.Timeout | undefined
  let syncing: Promise<void> | undefined
  // Not from within a request, on whose account its statements would be.
  app.addHook('onReady', async () => {
    timer = setInterval(() => { syncing ??= counters.sync().finally(() => { syncing = undefined }) }, SYNC_MS).unref()
  })
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await syncing
    await store?.close()
  })
}, { name: 'rate-limit', dependencies: ['settings', 'errors', 'database'] })
