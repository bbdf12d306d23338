import fp from 'fastify-plugin'
import { notify } from './consumer.js'
import { notificationRoutes } from './routes.js'
import { Notification } from './schemas.js'

/** What people are told, made from the stream of events. */
export default fp(async function notifications (app) {
  app.addSchema(Notification)
  app.events.consume(notify)
  app.register(notificationRoutes)
}, { name: 'notifications', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events'] })
