import fp from 'fastify-plugin'
import { contactRoutes } from './contacts/routes.js'
import { companyRoutes } from './routes.js'
import { Company, Contact } from './schemas.js'

/** Outside parties: general contractors, architects, vendors, authorities, and whom one talks to there. */
export default fp(async function companies (app) {
  for (const schema of [Company, Contact]) app.addSchema(schema)
  app.register(companyRoutes)
  app.register(contactRoutes)
}, { name: 'companies', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'idempotency'] })
