import fp from 'fastify-plugin'
import { preferenceRoutes } from './preferences/routes.js'
import { Preferences } from './preferences/schemas.js'
import { userRoutes } from './routes.js'

export { createUser, findUser, updateUser } from './queries.js'
export { Department, User } from './schemas.js'

/** The people of the company, and what each may change of themselves. */
export default fp(async function users (app) {
  app.addSchema(Preferences)
  app.register(userRoutes)
  app.register(preferenceRoutes)
}, { name: 'users', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'idempotency'] })
