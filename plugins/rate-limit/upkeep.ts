import fp from 'fastify-plugin'
import { Gauge } from 'prom-client'
import { expireBuckets } from './postgres.js'

/** Forgets what was counted, and tells whether counts are shared. */
export default fp(async function rateLimitUpkeep (app) {
  const gauge = new Gauge({
    name: 'eden_rate_limits_shared',
    help: '1 while this instance counts together with the others, 0 while it counts for itself',
    registers: [app.registry],
    collect () { gauge.set(app.rateLimits.isShared() ? 1 : 0) }
  })
  app.jobs.schedule({
    name: 'expire_rate_buckets',
    description: 'forget how often was asked in minutes that are over',
    cron: '*/5 * * * *',
    run: async ({ db, now, signal }) => ({ buckets: await expireBuckets(db, now, signal) })
  })
}, { name: 'rate-limit-upkeep', dependencies: ['rate-limit', 'jobs', 'metrics'] })
