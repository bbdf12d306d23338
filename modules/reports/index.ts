import fp from 'fastify-plugin'
import { ageingRoutes } from './ageing/routes.js'
import { Ageing } from './ageing/schemas.js'
import { flowRoutes } from './flow/routes.js'
import { BallFlow } from './flow/schemas.js'
import { healthRoutes } from './health/routes.js'
import { ProjectHealth } from './health/schemas.js'
import { foldLedger } from './ledger/fold.js'
import { reportRoutes } from './routes.js'
import { throughputRoutes } from './throughput/routes.js'
import { Throughput } from './throughput/schemas.js'
import { workloadRoutes } from './workload/routes.js'
import { Workload } from './workload/schemas.js'
import { DayCount, OverdueTask, OwnerCount, PriorityCount, StatusCount } from './schemas.js'

export { foldLedger }
export { verifyCounts, type WrongCount } from './ledger/verify.js'

/** Where work is stuck, and how much there is of it. */
export default fp(async function reports (app) {
  for (const schema of [StatusCount, PriorityCount, OwnerCount, OverdueTask, DayCount, BallFlow, Workload, Throughput, ProjectHealth, Ageing]) app.addSchema(schema)
  for (const routes of [reportRoutes, flowRoutes, workloadRoutes, throughputRoutes, healthRoutes, ageingRoutes]) app.register(routes)
  app.jobs.schedule({
    name: 'fold_task_counts',
    description: 'move what changes of tasks added to the ledger of counts into the totals',
    cron: '*/5 * * * *',
    run: async ({ db }) => ({ rows: await foldLedger(db) })
  })
}, { name: 'reports', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'jobs'] })
