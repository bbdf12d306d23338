import fp from 'fastify-plugin'
import { forgetExpired } from '../shared/expiry.js'
import { guestRoutes } from './guest-routes.js'
import { guestLinkRoutes } from './link-routes.js'
import { GuestLink, GuestTask, GuestView, NewGuestLink } from './schemas.js'

/** How long what is known of a link is kept after it is over. */
const KEEP_DAYS = 30

/** Guest links: one task or project, to look at, for who has the link and no account. */
export default fp(async function guestLinks (app) {
  for (const schema of [GuestLink, NewGuestLink, GuestTask, GuestView]) app.addSchema(schema)
  app.register(guestLinkRoutes)
  app.register(guestRoutes)
  app.jobs.schedule({
    name: 'expire_guest_links',
    description: `forget guest links that expired, or were revoked, more than ${KEEP_DAYS} days ago`,
    cron: '45 3 * * *',
    run: async ({ db, signal }) => ({ links: await forgetExpired(db, 'guest_links', { days: KEEP_DAYS, signal }) })
  })
}, { name: 'guest-links', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'jobs', 'security', 'tasks'] })
