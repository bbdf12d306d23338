import fp from 'fastify-plugin'
import { grantRoutes } from './grant-routes.js'
import { roleRoutes } from './routes.js'
import { Permission, Role } from './schemas.js'

export { listPermissions, setUserRole } from './queries.js'

/** What roles allow, and who holds them. */
export default fp(async function roles (app) {
  for (const schema of [Permission, Role]) app.addSchema(schema)
  app.register(roleRoutes)
  app.register(grantRoutes)
}, { name: 'roles', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'idempotency'] })
