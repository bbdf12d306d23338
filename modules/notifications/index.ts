import fp from 'fastify-plugin'
import { notifier } from './consumer.js'
import { createHub } from './hub.js'
import { preferenceRoutes } from './preferences/routes.js'
import { expireNotifications } from './queries.js'
import { notificationRoutes } from './routes.js'
import { Notification, NotificationPreferences } from './schemas.js'
import { streamRoutes } from './stream-routes.js'

/** What people are told, made from the stream of events. */
export default fp(async function notifications (app) {
  app.addSchema(Notification)
  app.addSchema(NotificationPreferences)
  const hub = createHub(app)
  app.events.consume(notifier(hub.told))
  app.jobs.schedule({
    name: 'expire_notifications',
    description: 'delete notifications that are older than NOTIFICATION_RETENTION_DAYS',
    cron: '40 3 * * *',
    run: async ({ db, signal }) => ({ notifications: await expireNotifications(db, { days: app.config.NOTIFICATION_RETENTION_DAYS, signal }) })
  })
  app.register(notificationRoutes)
  app.register(preferenceRoutes)
  app.register(streamRoutes, { hub })
}, { name: 'notifications', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'wakeups', 'metrics', 'jobs'] })
