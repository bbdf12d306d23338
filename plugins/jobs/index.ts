import { hostname } from 'node:os'
import fp from 'fastify-plugin'
import { v7 as newId } from 'uuid'
import type { Db } from '../database/index.js'
import { createQueuePool } from '../database/client.js'
import { messageForLog } from '../error-log.js'
import { describeJobs } from './metrics.js'
import { beginRun, enqueueRuns, expireRuns, failRun, forgetWorkers, giveBack, lastRuns, reportAlive, succeedRun, type LastRun } from './queries.js'
import { createSchedule, type Schedule } from './schedule.js'
import { startWorker, type Worker } from './worker.js'

export { runColumns, type LastRun } from './queries.js'

/** What a job counts of what it did: kept with the run. */
export type Outcome = Record<string, number>

/** Something that is done by the clock. It may be cut off anywhere and begun again: doing it twice must be doing it once. */
export interface Job {
  /** Lower case and underscores. */
  name: string
  /** A sentence for an operator. */
  description: string
  /** Minute, hour, day of the month, month, day of the week: by the clock of `JOBS_TIMEZONE`. */
  cron: string
  /** How often a run is tried, ever more slowly; 5 when left out. */
  attempts?: number
  /** @param signal says that the service ends: the job may stop at a good place, and is begun again elsewhere */
  run: (context: { db: Db, now: Date, signal?: AbortSignal }) => Promise<Outcome>
}

export interface ListedJob extends Omit<Job, 'run'> { attempts: number, next_run_at: Date }

export interface Jobs {
  /** Registers a job; called during start. */
  schedule: (job: Job) => void
  list: () => ListedJob[]
  lastRuns: () => Promise<LastRun[]>
  /** Puts a run into the queue. @returns its id, or undefined while another one has not begun */
  request: (db: Db, name: string, requestedBy: string) => Promise<string | undefined>
  /** Does a job here and now, with a record of it. @returns what it did @throws what the job throws */
  runNow: (name: string) => Promise<Outcome>
  /** Looks for what is due, as each instance does every few seconds. */
  tick: () => Promise<void>
}

declare module 'fastify' {
  interface FastifyInstance { jobs: Jobs }
}

const ATTEMPTS = 5
const KEEP_RUNS_DAYS = 30
const instance = `${hostname()}:${process.pid}`

/**
 * Jobs by the clock, on a queue in the database. Every few seconds each instance looks which slots are due and puts them
 * into the queue: `job_runs` lets each slot in once. What was due while nothing ran is found then too, and run once.
 * With `JOBS_ENABLED=false` an instance registers jobs and neither asks for them nor does them.
 */
export default fp(async function jobs (app) {
  const { config, clock } = app
  const scheduled = new Map<string, Required<Job> & { schedule: Schedule, next?: Date }>()
  let worker: Worker | undefined
  let ticking: Promise<void> | undefined
  let newest: LastRun[] = []
  const metrics = describeJobs(app.registry, () => ({ runs: newest, jobs: [...scheduled.values()].map(({ name, schedule }) => ({ name, next: schedule.nextSlot(clock()) })) }))

  const jobOf = (name: string) => {
    const job = scheduled.get(name)
    if (job === undefined) throw new RangeError(`there is no job "${name}": there are ${[...scheduled.keys()].join(', ')}`)
    return job
  }

  async function attempt (name: string, { id, number, last, signal }: { id: string, number: number, last: boolean, signal?: AbortSignal }): Promise<Outcome> {
    const slot = await beginRun(app.db, { id, attempt: number, instance })
    if (slot === undefined) return {} // it was done, and only the queue was not told any more
    const began = performance.now()
    const log = app.log.child({ job: name, slot, attempt: number })
    try {
      const outcome = await jobOf(name).run({ db: app.db, now: clock(), signal })
      await succeedRun(app.db, id, outcome)
      // What a job did is of interest; that there was nothing to do every few minutes is not.
      const did = Object.values(outcome).some((count) => count > 0)
      log[did ? 'info' : 'debug']({ ...outcome, duration_ms: Math.round(performance.now() - began) }, 'job done')
      metrics.ran(name, 'succeeded', performance.now() - began)
      return outcome
    } catch (error) {
      log[last ? 'error' : 'warn']({ err: error }, last ? 'job failed for the last time' : 'job failed: it will be tried again')
      metrics.ran(name, 'failed', performance.now() - began)
      await failRun(app.db, id, { error: messageForLog(error), last })
      throw error
    }
  }

  async function look (): Promise<void> {
    const now = clock()
    const due = [...scheduled.values()].filter(({ next }) => next === undefined || next <= now)
    if (due.length > 0) {
      await enqueueRuns(app.db, due.map(({ name, schedule, attempts }) => ({ id: newId(), job: name, slot: schedule.lastSlot(now).toISOString(), attempts })))
      for (const job of due) job.next = job.schedule.nextSlot(now)
    }
    const gone = await reportAlive(app.db, { workers: worker?.ids() ?? [], instance })
    if (gone.length > 0) app.log.warn({ workers: gone }, 'workers are gone: what they had taken was given back')
    newest = await lastRuns(app.db, [...scheduled.keys()])
  }
  function tick (): Promise<void> {
    ticking ??= look().finally(() => { ticking = undefined })
    return ticking
  }

  app.decorate('jobs', {
    schedule (job) {
      scheduled.set(job.name, { attempts: ATTEMPTS, ...job, schedule: createSchedule(job.cron, config.JOBS_TIMEZONE) })
    },
    list: () => [...scheduled.values()].map(({ name, description, cron, attempts, schedule }) => ({ name, description, cron, attempts, next_run_at: schedule.nextSlot(clock()) })),
    lastRuns: () => lastRuns(app.db, [...scheduled.keys()]),
    async request (db, name, requestedBy) {
      const [id] = await enqueueRuns(db, [{ id: newId(), job: name, slot: clock().toISOString(), attempts: jobOf(name).attempts, requestedBy }])
      return id
    },
    async runNow (name) {
      const id = newId()
      jobOf(name)
      await app.db.insertInto('job_runs').values({ id, job: name, slot: clock().toISOString(), by_clock: false, state: 'running' }).execute()
      return attempt(name, { id, number: 1, last: true })
    },
    tick
  })

  app.jobs.schedule({
    name: 'expire_job_runs',
    description: `forget what jobs did, or gave up, more than ${KEEP_RUNS_DAYS} days ago`,
    cron: '20 3 * * *',
    run: ({ db }) => expireRuns(db, KEEP_RUNS_DAYS)
  })

  if (!config.JOBS_ENABLED) return
  let timer: NodeJS.Timeout | undefined
  const { url, pooler } = app.connections.sessions
  const pool = createQueuePool(url, config, pooler)
  pool.on('error', (err) => app.log.debug({ err }, 'an idle connection of the job queue was lost'))
  pool.on('connect', (client) => client.on('error', (err) => app.log.debug({ err }, 'a connection of the job queue was lost')))
  // Not before everything has registered its jobs.
  app.addHook('onReady', async () => {
    const taskList = Object.fromEntries([...scheduled.keys()].map((name) => [name, async (payload: unknown, { job, abortSignal }: { job: { attempts: number, max_attempts: number }, abortSignal: AbortSignal }) => {
      await attempt(name, { id: (payload as { run_id: string }).run_id, number: job.attempts, last: job.attempts >= job.max_attempts, signal: abortSignal })
        // The queue keeps the message, and logs it as it is: a database's may repeat the data of a row.
        .catch((error: unknown) => { throw new Error(messageForLog(error)) })
    }]))
    worker = startWorker({
      pool,
      taskList,
      log: app.log,
      async giveBack (ids) {
        await ticking?.catch(() => {}) // it may be about to say that they are alive
        await giveBack(app.db, ids)
        await forgetWorkers(app.db, ids)
      }
    })
    const again = () => tick().catch((err: unknown) => app.log.warn({ err }, 'jobs wait: they will be looked for again'))
    timer = setInterval(again, config.JOBS_TICK_MS).unref()
    again()
  })
  // In the end, before the database plugin ends its pool: hooks run in the reverse order of their registration.
  app.addHook('onClose', async () => {
    clearInterval(timer)
    await ticking?.catch(() => {})
    const ids = worker?.ids() ?? []
    await worker?.stop()
    await forgetWorkers(app.db, ids).catch(() => {}) // without a database there is nothing to forget
    await pool.end().catch(() => {})
  })
}, { name: 'jobs', dependencies: ['settings', 'database', 'metrics'] })
