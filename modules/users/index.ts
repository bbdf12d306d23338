import fp from 'fastify-plugin'
import { userRoutes } from './routes.js'
import { User } from './schemas.js'

export { Department } from './schemas.js'

/** The people of the company, and what each may change of themselves. */
export default fp(async function users (app) {
  app.addSchema(User)
  app.register(userRoutes)
}, { name: 'users', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events'] })
