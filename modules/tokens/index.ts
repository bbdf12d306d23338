import fp from 'fastify-plugin'
import { forgetExpired } from '../shared/expiry.js'
import { tokenRoutes } from './routes.js'
import { ApiToken, HeldApiToken, NewApiToken } from './schemas.js'

/** How long what is known of a token is kept after it is over. */
const KEEP_DAYS = 30

/** Personal access tokens: what an integrator signs in with. How one is checked is in `plugins/auth/api-tokens.ts`. */
export default fp(async function tokens (app) {
  for (const schema of [ApiToken, NewApiToken, HeldApiToken]) app.addSchema(schema)
  app.register(tokenRoutes)
  app.jobs.schedule({
    name: 'expire_api_tokens',
    description: `forget personal access tokens that expired, or were revoked, more than ${KEEP_DAYS} days ago`,
    cron: '40 3 * * *',
    run: async ({ db, signal }) => ({ tokens: await forgetExpired(db, 'api_tokens', { days: KEEP_DAYS, signal }) })
  })
}, { name: 'tokens', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'jobs', 'security'] })
