import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Logger, run, type Runner, type RunnerOptions, type TaskList, type WorkerEvents } from 'graphile-worker'
import type { FastifyBaseLogger } from 'fastify'
import type pg from 'pg'
import { messageForLog, scrub } from '../error-log.js'

/** How many jobs an instance does at once. */
const AT_ONCE = 2
const LONGEST_WAIT_MS = 30_000
/** How long a job that runs when the service ends may take to notice; then it is given back to the queue. */
const ABORT_AFTER_MS = 5_000
/**
 * How long the library may take to end when nothing of it runs any more. When two ends of jobs could not be told to the queue
 * it waits for ever: its count of what is to be told goes below nothing (graphile-worker 0.17.3, `batch`).
 */
const LONGEST_END_MS = 5_000

export interface Worker {
  /** Names under which this instance takes jobs now. */
  ids: () => string[]
  /** Lets what runs come to an end, for as long as it is given, and takes no more. */
  stop: () => Promise<void>
}

/** Its messages, in our log: what it calls info is of interest to whoever looks for something. */
const levels = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const

/** Its messages have those of errors in them, as these are. */
function messageOf (message: string, { error }: { error?: unknown } = {}): string {
  return scrub(error instanceof Error && error.message !== '' ? message.replaceAll(error.message, () => messageForLog(error)) : message)
}

/**
 * Takes jobs from the queue as long as the app runs; a queue that was lost is taken up again, ever more slowly.
 * @param giveBack lets others have what workers that are no more had taken
 */
export function startWorker ({ pool, taskList, giveBack, log }: { pool: pg.Pool, taskList: TaskList, giveBack: (ids: string[]) => Promise<void>, log: FastifyBaseLogger }): Worker {
  const ids: string[] = []
  let runner: Runner | undefined
  const stopped = new AbortController()
  const ended = once(stopped.signal, 'abort')
  const atWork = new Set<Promise<unknown>>()
  const tasks: TaskList = Object.fromEntries(Object.entries(taskList).map(([name, task]) => [name, async (...args: Parameters<NonNullable<typeof task>>) => {
    const work = Promise.resolve(task?.(...args))
    atWork.add(work)
    try {
      await work
    } finally {
      atWork.delete(work)
    }
  }]))

  const events: WorkerEvents = new EventEmitter()
  // A job may have been taken, and only its answer been lost: then it would be ours for hours, and nobody would do it.
  // Under a new name the queue is taken up again, and what the old one had is given back.
  events.on('worker:getJob:error', () => setImmediate(() => { runner?.stop().catch(() => {}) }))
  events.on('worker:create', ({ worker }) => { ids.push(worker.workerId) })
  events.on('pool:create', ({ workerPool }) => { ids.push(workerPool.id) })
  /** Resolves when the library has had its time to end, from when its workers have. */
  function overdue (): { promise: Promise<void>, cancel: () => void } {
    let timer: NodeJS.Timeout | undefined
    let begin = () => {}
    const promise = new Promise<void>((resolve) => { begin = () => { timer ??= setTimeout(resolve, LONGEST_END_MS) } })
    const ends = ['pool:gracefulShutdown:complete', 'pool:forcefulShutdown:complete', 'pool:forcefulShutdown:error'] as const
    for (const end of ends) events.on(end, begin)
    return {
      promise,
      cancel () {
        clearTimeout(timer)
        for (const end of ends) events.off(end, begin)
      }
    }
  }

  const options: RunnerOptions = {
    pgPool: pool,
    taskList: tasks,
    logger: new Logger(() => (level, message, meta) => { log[levels[level]]({ queue: messageOf(message, meta) }, 'the job queue says') }),
    concurrency: AT_ONCE,
    noHandleSignals: true,
    noPreparedStatements: true, // a transaction pooler may stand between, and what is asked every few seconds gains little from them
    parsedCronItems: [],
    // Without a batch, however short, the library tells the queue of an end without waiting for it: a connection that is lost
    // just then would be an unhandled rejection, and end the process. A batch that is lost ends the queue, which is taken up again.
    preset: { worker: { gracefulShutdownAbortTimeout: ABORT_AFTER_MS, completeJobBatchDelay: 0, failJobBatchDelay: 0 } }
  }

  async function keepRunning (): Promise<void> {
    let lost: string[] = []
    for (let failures = 0; !stopped.signal.aborted; failures++) {
      const end = overdue()
      try {
        if (lost.length > 0) await giveBack(lost)
        lost = []
        runner = await run({ ...options, events })
        if (stopped.signal.aborted) runner.stop().catch(() => {})
        else failures = 0
        await Promise.race([runner.promise, end.promise])
      } catch (err) {
        if (!stopped.signal.aborted) log.warn({ err }, 'the job queue was lost: jobs wait until it is back')
      }
      end.cancel()
      // What has not ended lets go of its timers, and may still end when nobody waits for it any more.
      runner?.stop().catch(() => {})
      runner?.promise.catch(() => {})
      runner = undefined
      await Promise.race([Promise.allSettled(atWork), ended]) // as long as it is done here it is not done elsewhere
      lost.push(...ids.splice(0))
      // Instances that lost the same server do not all come back at the same moment.
      const wait = Math.min(100 * 2 ** failures, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2)
      await delay(wait, undefined, { signal: stopped.signal, ref: false }).catch(() => {}) // cut short by the end
    }
  }
  const running = keepRunning()

  return {
    ids: () => [...ids],
    async stop () {
      stopped.abort()
      runner?.stop().catch(() => {}) // it may have ended by itself
      await running
    }
  }
}
