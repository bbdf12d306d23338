import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { LastRun } from './queries.js'

const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900]
const secondsOf = (time: Date | string): number => new Date(time).getTime() / 1000

/**
 * Metrics of the jobs: what this instance ran, and what the newest run of each job is, on whichever instance.
 * @param current what was last seen of the runs, and when each job is due next; asked at each scrape
 */
export function describeJobs (registry: Registry, current: () => { runs: LastRun[], jobs: { name: string, next: Date }[] }): { ran: (job: string, outcome: 'succeeded' | 'failed', milliseconds: number) => void } {
  const registers = [registry]
  const runs = new Counter({ name: 'eden_job_runs_total', help: 'attempts at scheduled jobs that this instance made', labelNames: ['job', 'outcome'], registers })
  const durations = new Histogram({ name: 'eden_job_duration_seconds', help: 'duration of the attempts', labelNames: ['job'], buckets: SECONDS, registers })
  const last = new Gauge({
    name: 'eden_job_last_run_timestamp_seconds',
    help: 'when the newest run of the job, on any instance, began or ended',
    labelNames: ['job'],
    registers,
    collect () {
      for (const run of current().runs) if (run.started_at !== null) last.set({ job: run.job }, secondsOf(run.finished_at ?? run.started_at))
    }
  })
  const lastDuration = new Gauge({
    name: 'eden_job_last_duration_seconds',
    help: 'how long the newest run of the job took',
    labelNames: ['job'],
    registers,
    collect () {
      for (const run of current().runs) if (run.duration_ms !== null) lastDuration.set({ job: run.job }, run.duration_ms / 1000)
    }
  })
  const failed = new Gauge({
    name: 'eden_job_last_run_failed',
    help: '1 while the newest run of the job has failed, also when it will be tried again',
    labelNames: ['job'],
    registers,
    collect () {
      for (const run of current().runs) failed.set({ job: run.job }, run.state === 'failed' || run.error !== null ? 1 : 0)
    }
  })
  const next = new Gauge({
    name: 'eden_job_next_run_timestamp_seconds',
    help: 'when the job is due next',
    labelNames: ['job'],
    registers,
    collect () {
      for (const job of current().jobs) next.set({ job: job.name }, secondsOf(job.next))
    }
  })
  return {
    ran (job, outcome, milliseconds) {
      runs.inc({ job, outcome })
      durations.observe({ job }, milliseconds / 1000)
    }
  }
}
