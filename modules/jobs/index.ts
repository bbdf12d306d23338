import fp from 'fastify-plugin'
import { jobRoutes } from './routes.js'
import { Job, JobRun } from './schemas.js'

/** For operators: the scheduled jobs, what they did, and running one now. What they do is in the domains that schedule them. */
export default fp(async function jobAdministration (app) {
  app.addSchema(JobRun)
  app.addSchema(Job)
  app.register(jobRoutes)
}, { name: 'job-administration', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'jobs', 'idempotency'] })
