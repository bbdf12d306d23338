import fp from 'fastify-plugin'
import { createHasher } from './passwords/hasher.js'
import { Accepted, EndedSessions, Session, SignedIn } from './schemas.js'
import { expireSessions } from './sessions/queries.js'
import { sessionRoutes } from './sessions/routes.js'
import { expireThrottles } from './sign-in/lockout.js'
import { signInRoutes } from './sign-in/routes.js'

/** For how many days it can be looked up how a session ended. */
const KEEP_DAYS = 30

/** How people sign in by password, and stay so: sessions, lockout, passwords and invitations. */
export default fp(async function accounts (app) {
  const { config } = app
  for (const schema of [SignedIn, EndedSessions, Accepted, Session]) app.addSchema(schema)
  const hasher = createHasher({ atOnce: config.PASSWORD_HASHES_AT_ONCE, mostWaiting: config.PASSWORD_HASHES_WAITING, registry: app.registry })
  app.jobs.schedule({
    name: 'expire_accounts',
    description: `delete sessions and one-time links ${KEEP_DAYS} days after their end, and failed sign-ins that count no more`,
    cron: '50 * * * *',
    run: async ({ db, signal }) => ({
      sessions: await expireSessions(db, KEEP_DAYS, signal),
      throttles: await expireThrottles(db, signal)
    })
  })
  app.register(signInRoutes, { hasher })
  app.register(sessionRoutes)
}, { name: 'accounts', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'security', 'metrics', 'jobs', 'mail'] })
