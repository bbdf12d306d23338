import fp from 'fastify-plugin'
import { activityRoutes } from './routes.js'
import { ActivityEvent, Change } from './schemas.js'

export { ensureActivityPartitions } from './partitions.js'
export { originOf, recordEvents, type Origin } from './record.js'

/** Who changed which field from what to what, when, by which request; and the stream of it by position. */
export default fp(async function activity (app) {
  app.addSchema(ActivityEvent)
  app.addSchema(Change)
  app.register(activityRoutes)
}, { name: 'activity', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events'] })
