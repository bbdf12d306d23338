import fp from 'fastify-plugin'
import { attachmentRoutes } from './attachments/routes.js'
import { Attachment } from './attachments/schemas.js'
import { ballRoutes } from './ball/routes.js'
import { Hold } from './ball/schemas.js'
import { checklistRoutes } from './checklist/routes.js'
import { ChecklistItem } from './checklist/schemas.js'
import { commentRoutes } from './comments/routes.js'
import { Comment, CommentRevision } from './comments/schemas.js'
import { dependencyRoutes } from './dependencies/routes.js'
import { Dependency } from './dependencies/schemas.js'
import { scheduleTaskJobs } from './jobs.js'
import { moveRoutes } from './move/routes.js'
import { policyRoutes } from './reminders/routes.js'
import { BallPolicy } from './reminders/schemas.js'
import { taskRoutes } from './routes.js'
import { Holder, Task } from './schemas.js'
import { watcherRoutes } from './watchers/routes.js'
import { workRoutes } from './work/routes.js'
import { Work } from './work/schemas.js'

export { collectFiles, type Collected } from './attachments/collect.js'
export { holderOf, isOverdue, progress, taskKey } from './columns.js'
export { recordNotices } from './notices/queries.js'
export { COMPANY_POLICY } from './reminders/policy.js'
export { dueReminders, recordReminders, type DueReminder, type ReminderStage } from './reminders/queries.js'
export { priorities, STALLED_AFTER_DAYS, statuses } from './rules.js'
export { Priority, TaskStatus } from './schemas.js'
export { isDueSoon } from './work/queries.js'

/** Tasks, whose court their ball is in, and what people say about them. */
export default fp(async function tasks (app) {
  for (const schema of [Holder, Task, Hold, Comment, CommentRevision, Dependency, ChecklistItem, Attachment, Work, BallPolicy]) app.addSchema(schema)
  app.register(taskRoutes)
  app.register(moveRoutes)
  app.register(ballRoutes)
  app.register(commentRoutes)
  app.register(dependencyRoutes)
  app.register(checklistRoutes)
  app.register(attachmentRoutes)
  app.register(watcherRoutes)
  app.register(workRoutes)
  app.register(policyRoutes)
  scheduleTaskJobs(app)
}, { name: 'tasks', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'idempotency', 'storage', 'projects', 'users', 'companies', 'jobs'] })
