import fp from 'fastify-plugin'
import { auditRoutes } from './routes.js'
import { AuditEvent } from './schemas.js'

/** For whoever watches over security: who signed in, who was refused, whose rights were changed. Written by `plugins/audit/`. */
export default fp(async function auditLog (app) {
  app.addSchema(AuditEvent)
  app.register(auditRoutes)
}, { name: 'audit-log', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'audit'] })
