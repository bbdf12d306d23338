import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { Overloaded } from './errors.js'
import { readHeapLimit } from './metrics/system.js'

/** Above which requests are shed; 0 is no limit. */
export interface PressureLimits { eventLoopDelayMs: number, heapBytes: number, rssBytes: number }

declare module 'fastify' {
  interface FastifyInstance { pressureLimits: PressureLimits }
}

/** Near enough to the end that only shedding load can avoid it. */
const SHARE_OF_HEAP = 0.95

/**
 * Sheds load: 503 with Retry-After while the event loop lags or memory is above its limit. Probes and metrics still
 * answer, or a busy instance would be killed for being busy.
 */
export default fp(async function pressure (app) {
  const { config } = app
  const limits = {
    eventLoopDelayMs: config.PRESSURE_MAX_EVENT_LOOP_DELAY_MS,
    heapBytes: config.PRESSURE_MAX_HEAP_BYTES ?? Math.floor(readHeapLimit() * SHARE_OF_HEAP),
    rssBytes: config.PRESSURE_MAX_RSS_BYTES
  }
  app.decorate('pressureLimits', limits)
  app.addHook('onRoute', (route) => {
    if (route.config?.probe === true) route.config = { ...route.config, pressureHandler: () => {} } as typeof route.config
  })
  await app.register(underPressure, {
    maxEventLoopDelay: limits.eventLoopDelayMs,
    maxHeapUsedBytes: limits.heapBytes,
    maxRssBytes: limits.rssBytes,
    customError: Overloaded as never,
    retryAfter: 5
  })
}, { name: 'pressure', dependencies: ['settings', 'errors'] })
