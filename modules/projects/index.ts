import fp from 'fastify-plugin'
import { memberRoutes } from './member-routes.js'
import { projectRoutes } from './routes.js'
import { Member, Project } from './schemas.js'

export { findProject } from './queries.js'

/** Projects, and who is on them. */
export default fp(async function projects (app) {
  app.addSchema(Project)
  app.addSchema(Member)
  app.register(projectRoutes)
  app.register(memberRoutes)
}, { name: 'projects', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'idempotency'] })
