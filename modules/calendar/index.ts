import fp from 'fastify-plugin'
import { extendCalendar } from './queries.js'
import { calendarRoutes } from './routes.js'
import { WorkCalendar } from './schemas.js'

export { extendCalendar }

/** When the company works: the hours of its week, and its holidays. */
export default fp(async function calendar (app) {
  app.addSchema(WorkCalendar)
  app.register(calendarRoutes)
  app.jobs.schedule({
    name: 'extend_calendar',
    description: 'add the days of years to come, with their public holidays, to the working calendar',
    cron: '20 3 1 * *',
    run: async ({ db, now }) => ({ extended: Number(await extendCalendar(db, now)) })
  })
}, { name: 'calendar', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'jobs'] })
