import fp from 'fastify-plugin'
import { ballRoutes } from './ball/routes.js'
import { Hold } from './ball/schemas.js'
import { checklistRoutes } from './checklist/routes.js'
import { ChecklistItem } from './checklist/schemas.js'
import { commentRoutes } from './comments/routes.js'
import { Comment } from './comments/schemas.js'
import { dependencyRoutes } from './dependencies/routes.js'
import { Dependency } from './dependencies/schemas.js'
import { taskRoutes } from './routes.js'
import { Holder, Task } from './schemas.js'
import { watcherRoutes } from './watchers/routes.js'
import { workRoutes } from './work/routes.js'
import { Work } from './work/schemas.js'

export { priorities, STALLED_AFTER_DAYS, statuses } from './rules.js'
export { Priority, TaskStatus } from './schemas.js'
export { isDueSoon } from './work/queries.js'

/** Tasks, whose court their ball is in, and what people say about them. */
export default fp(async function tasks (app) {
  for (const schema of [Holder, Task, Hold, Comment, Dependency, ChecklistItem, Work]) app.addSchema(schema)
  app.register(taskRoutes)
  app.register(ballRoutes)
  app.register(commentRoutes)
  app.register(dependencyRoutes)
  app.register(checklistRoutes)
  app.register(watcherRoutes)
  app.register(workRoutes)
}, { name: 'tasks', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'idempotency', 'projects', 'users', 'companies'] })
