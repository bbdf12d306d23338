import type { FastifyInstance } from 'fastify'
import accounts from './accounts/index.js'
import activity from './activity/index.js'
import audit from './audit/index.js'
import calendar from './calendar/index.js'
import companies from './companies/index.js'
import guestLinks from './guest-links/index.js'
import jobs from './jobs/index.js'
import notifications from './notifications/index.js'
import projects from './projects/index.js'
import reports from './reports/index.js'
import roles from './roles/index.js'
import search from './search/index.js'
import { refuseElsewhere } from './shared/project-scope.js'
import { Deleted, Person } from './shared/schemas.js'
import tasks from './tasks/index.js'
import tokens from './tokens/index.js'
import users, { User } from './users/index.js'

/** What the company does, and where each domain is served. */
export async function registerModules (app: FastifyInstance): Promise<void> {
  for (const schema of [Deleted, Person, User]) app.addSchema(schema) // what several domains answer with
  refuseElsewhere(app)
  await app.register(users, { prefix: '/api' })
  await app.register(roles, { prefix: '/api' })
  await app.register(accounts, { prefix: '/api' })
  await app.register(projects, { prefix: '/api/projects' })
  await app.register(calendar, { prefix: '/api' })
  await app.register(companies, { prefix: '/api' })
  await app.register(tasks, { prefix: '/api' })
  await app.register(activity, { prefix: '/api' })
  await app.register(notifications, { prefix: '/api/notifications' })
  await app.register(search, { prefix: '/api' })
  await app.register(reports, { prefix: '/api/reports' })
  await app.register(tokens, { prefix: '/api' })
  await app.register(guestLinks, { prefix: '/api' })
  await app.register(jobs, { prefix: '/api/admin/jobs' })
  await app.register(audit, { prefix: '/api/admin/audit' })
}
