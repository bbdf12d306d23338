import fp from 'fastify-plugin'
import { invitationRoutes } from './invitations/routes.js'
import { expireLinks } from './links/queries.js'
import { expireMails } from './mails/queries.js'
import { createPostman, sendDueMails } from './mails/send.js'
import { createHasher } from './passwords/hasher.js'
import { passwordRoutes } from './passwords/routes.js'
import { Accepted, EndedSessions, Session, SignedIn } from './schemas.js'
import { expireSessions } from './sessions/queries.js'
import { sessionRoutes } from './sessions/routes.js'
import { expireThrottles } from './sign-in/lockout.js'
import { signInRoutes } from './sign-in/routes.js'

export { makeAdministrator } from './administrators.js'
export { makeLink } from './links/queries.js'
export { minutesOf } from './mails/send.js'
export { linkOf } from './mails/templates.js'
export { createHasher } from './passwords/hasher.js'
export { passwordProblem } from './passwords/rules.js'
export { findAccount } from './sign-in/queries.js'
export { newToken } from './tokens.js'

/** For how many days it can be looked up how a session ended. */
const KEEP_DAYS = 30

/** How people sign in by password, and stay so: sessions, lockout, passwords and invitations. */
export default fp(async function accounts (app) {
  const { config } = app
  for (const schema of [SignedIn, EndedSessions, Accepted, Session]) app.addSchema(schema)
  const hasher = createHasher({ atOnce: config.PASSWORD_HASHES_AT_ONCE, mostWaiting: config.PASSWORD_HASHES_WAITING, registry: app.registry })
  app.jobs.schedule({
    name: 'expire_accounts',
    description: `delete sessions, one-time links and their e-mails ${KEEP_DAYS} days after their end, and failed sign-ins that count no more`,
    cron: '50 * * * *',
    run: async ({ db, now, signal }) => ({
      sessions: await expireSessions(db, KEEP_DAYS, signal),
      links: await expireLinks(db, KEEP_DAYS),
      mails: await expireMails(db, KEEP_DAYS),
      throttles: await expireThrottles(db, now, signal)
    })
  })
  if (app.mailer.isOn) {
    app.jobs.schedule({
      name: 'send_account_mails',
      description: 'send the e-mails with one-time links that were not sent when they were asked for',
      cron: '* * * * *',
      attempts: 1, // the next minute is the next attempt
      run: ({ db, signal }) => sendDueMails({ db, mailer: app.mailer, config, signal })
    })
  }
  const post = createPostman(app)
  app.register(signInRoutes, { hasher })
  app.register(passwordRoutes, { hasher, post })
  app.register(invitationRoutes, { hasher, post })
  app.register(sessionRoutes)
}, { name: 'accounts', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'actors', 'security', 'metrics', 'jobs', 'mail', 'events', 'idempotency'] })
