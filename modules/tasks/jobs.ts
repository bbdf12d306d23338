import type { FastifyInstance } from 'fastify'
import { collectAll } from './attachments/collect.js'
import { recordNotices } from './notices/queries.js'
import { recordReminders } from './reminders/queries.js'

/** How long the bytes of a deleted file are kept, and those of an upload that never came to an end: in ms. */
const KEEP_DROPPED = 24 * 3_600_000

/** What of tasks is done by the clock. */
export function scheduleTaskJobs (app: FastifyInstance): void {
  app.jobs.schedule({
    name: 'collect_files',
    description: 'remove the bytes of files that were deleted, or whose upload never came to an end, a day ago',
    cron: '20 * * * *',
    run: async ({ db, now, signal }) => collectAll(app, { db, before: new Date(now.getTime() - KEEP_DROPPED), signal })
  })
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
  app.jobs.schedule({
    name: 'notice_overdue_and_idle_tasks',
    description: 'tell those concerned of tasks that have become overdue, and of those on which nothing happens',
    cron: '*/5 * * * *',
    run: async ({ db, now, signal }) => {
      const total = { overdue: 0, idle: 0 }
      for (let more = true; more && signal?.aborted !== true;) {
        const { overdue, idle } = await recordNotices(db, { now, requestId: 'job-notice_overdue_and_idle_tasks' })
        total.overdue += overdue
        total.idle += idle
        more = overdue + idle > 0
      }
      app.events.poke()
      return total
    }
  })
}
