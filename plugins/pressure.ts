import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { Overloaded } from './errors.js'

/**
 * Sheds load: 503 with Retry-After while the event loop lags or memory is above its limit. Probes and metrics still
 * answer, or a busy instance would be killed for being busy.
 */
export default fp(async function pressure (app) {
  const { config } = app
  app.addHook('onRoute', (route) => {
    if (route.config?.probe === true) route.config = { ...route.config, pressureHandler: () => {} } as typeof route.config
  })
  await app.register(underPressure, {
    maxEventLoopDelay: config.PRESSURE_MAX_EVENT_LOOP_DELAY_MS,
    maxHeapUsedBytes: config.PRESSURE_MAX_HEAP_BYTES,
    maxRssBytes: config.PRESSURE_MAX_RSS_BYTES,
    customError: Overloaded as never,
    retryAfter: 5
  })
}, { name: 'pressure', dependencies: ['settings', 'errors'] })
