import fp from 'fastify-plugin'
import { notifier } from './consumer.js'
import { expireEmails } from './emails/queries.js'
import { sendDueEmails } from './emails/send.js'
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
  const { config, mailer } = app
  app.events.consume(notifier(hub.told, { emailDelayMs: mailer.isOn ? config.EMAIL_DELAY_MS : undefined }))
  if (mailer.isOn) {
    app.jobs.schedule({
      name: 'send_notification_emails',
      description: 'send the e-mails about notifications that are due',
      cron: '* * * * *',
      attempts: 1, // the next minute is the next attempt
      run: ({ db, now, signal }) => sendDueEmails({ db, mailer, now, app: config.APP_URL, signal })
    })
  }
  app.jobs.schedule({
    name: 'expire_notifications',
    description: 'delete notifications, and the record of their e-mails, that are older than NOTIFICATION_RETENTION_DAYS',
    cron: '40 3 * * *',
    run: async ({ db, signal }) => ({
      notifications: await expireNotifications(db, { days: config.NOTIFICATION_RETENTION_DAYS, signal }),
      emails: await expireEmails(db, config.NOTIFICATION_RETENTION_DAYS)
    })
  })
  app.register(notificationRoutes)
  app.register(preferenceRoutes)
  app.register(streamRoutes, { hub })
}, { name: 'notifications', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'wakeups', 'metrics', 'jobs', 'mail'] })
