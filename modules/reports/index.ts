import fp from 'fastify-plugin'
import { reportRoutes } from './routes.js'
import { DayCount, OverdueTask, OwnerCount, PriorityCount, StatusCount } from './schemas.js'

/** Where work is stuck, and how much there is of it. */
export default fp(async function reports (app) {
  for (const schema of [StatusCount, PriorityCount, OwnerCount, OverdueTask, DayCount]) app.addSchema(schema)
  app.register(reportRoutes)
}, { name: 'reports', encapsulate: true, dependencies: ['database', 'errors', 'auth'] })
