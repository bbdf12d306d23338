import fp from 'fastify-plugin'
import { searchRoutes } from './routes.js'
import { SearchHit } from './schemas.js'

/** One box to find anything in. It only reads: tables of all domains, through the one rule of who sees what. */
export default fp(async function search (app) {
  app.addSchema(SearchHit)
  app.register(searchRoutes)
}, { name: 'search', encapsulate: true, dependencies: ['database', 'errors', 'auth'] })
