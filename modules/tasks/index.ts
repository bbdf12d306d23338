import fp from 'fastify-plugin'
import { collectAll, collectFiles } from './attachments/collect.js'
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
import { moveRoutes } from './move/routes.js'
import { recordReminders } from './reminders/queries.js'
import { policyRoutes } from './reminders/routes.js'
import { BallPolicy } from './reminders/schemas.js'
import { taskRoutes } from './routes.js'
import { Holder, Task } from './schemas.js'
import { watcherRoutes } from './watchers/routes.js'
import { workRoutes } from './work/routes.js'
import { Work } from './work/schemas.js'

export { collectFiles }
export type { Collected } from './attachments/collect.js'
export { dueReminders, recordReminders, type DueReminder, type ReminderStage } from './reminders/queries.js'
export { priorities, STALLED_AFTER_DAYS, statuses } from './rules.js'
export { Priority, TaskStatus } from './schemas.js'
export { isDueSoon } from './work/queries.js'

/** How long the bytes of a deleted file are kept, and those of an upload that never came to an end: in ms. */
const KEEP_DROPPED = 24 * 3_600_000

/** Tasks, whose court their ball is in, and what people say about them. */
export default fp(async function tasks (app) {
  for (const schema of [Holder, Task, Hold, Comment, CommentRevision, Dependency, ChecklistItem, Attachment, Work, BallPolicy]) app.addSchema(schema)
  app.jobs.schedule({
    name: 'collect_files',
    description: 'remove the bytes of files that were deleted, or whose upload never came to an end, a day ago',
    cron: '20 * * * *',
    run: async ({ db, now, signal }) => collectAll(app, { db, before: new Date(now.getTime() - KEEP_DROPPED), signal })
  })
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
  app.jobs.schedule({
    name: 'remind_of_balls',
    description: 'remind whoever has not acknowledged a ball in time, or has not acted',
    cron: '*/5 * * * *',
    run: async ({ db, now, signal }) => {
      let reminders = 0
      for (let more = true; more && signal?.aborted !== true;) {
        const recorded = await recordReminders(db, { now, requestId: 'job-remind_of_balls' })
        reminders += recorded
        more = recorded > 0
      }
      app.events.poke()
      return { reminders }
    }
  })
}, { name: 'tasks', encapsulate: true, dependencies: ['database', 'errors', 'auth', 'events', 'idempotency', 'storage', 'projects', 'users', 'companies', 'jobs'] })
