import fp from 'fastify-plugin'
import { ensureActivityPartitions } from './partitions.js'
import { activityRoutes } from './routes.js'
import { ActivityEvent, Change } from './schemas.js'

export { ensureActivityPartitions }
export { originOf, recordEvents, type Origin } from './record.js'

/** For how many months beyond this one the log has partitions. */
export const MONTHS_AHEAD = 12

/** Who changed which field from what to what, when, by which request; and the stream of it by position. */
export default fp(async function activity (app) {
  app.addSchema(ActivityEvent)
  app.addSchema(Change)
  app.register(activityRoutes)
  app.jobs.schedule({
    name: 'make_activity_partitions',
    description: `make the partitions of the activity log for the next ${MONTHS_AHEAD} months`,
    cron: '30 2 * * *',
    run: async ({ db }) => ({ partitions: (await ensureActivityPartitions(db, MONTHS_AHEAD)).length })
  })
}, { name: 'activity', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'jobs'] })
