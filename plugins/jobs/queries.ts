import { sql, type AliasedRawBuilder } from 'kysely'
import type { Db } from '../database/index.js'

/** A slot that is due. */
export interface Due { id: string, job: string, slot: string, attempts: number, requestedBy?: string }

/**
 * Puts runs into the queue: each slot once, whichever instance is first, and none while an earlier run of the job has not
 * begun. The run and its place in the queue are one statement. Runs of one job take turns.
 * @returns the ids of those that were put there
 */
export async function enqueueRuns (db: Db, due: Due[]): Promise<string[]> {
  const input = JSON.stringify(due.map(({ requestedBy, ...one }) => ({ ...one, requested_by: requestedBy })))
  const { rows } = await sql<{ id: string }>`
    with due as materialized (
      select * from jsonb_to_recordset(${input}::jsonb) as d (id uuid, job text, slot timestamptz, attempts int, requested_by uuid)
    ), inserted as (
      insert into job_runs (id, job, slot, by_clock, requested_by) select id, job, slot, requested_by is null, requested_by from due order by job
      on conflict do nothing returning id, job
    )
    select i.id, (graphile_worker.add_job(i.job, json_build_object('run_id', i.id), queue_name := i.job, max_attempts := d.attempts, job_key := i.id::text)).id as queued
    from inserted i join due d on d.id = i.id`.execute(db)
  return rows.map(({ id }) => id)
}

/** Notes that a run began. @returns its slot, or undefined when there is nothing left to do for it */
export async function beginRun (db: Db, { id, attempt, instance }: { id: string, attempt: number, instance: string }): Promise<string | undefined> {
  const row = await db.updateTable('job_runs')
    .set({ state: 'running', attempt, instance, started_at: sql<string>`clock_timestamp()`, error: null })
    .where('id', '=', id).where('state', 'in', ['waiting', 'running']).returning('slot').executeTakeFirst()
  return row?.slot
}

export async function succeedRun (db: Db, id: string, outcome: Record<string, number>): Promise<void> {
  await db.updateTable('job_runs').set({ state: 'succeeded', finished_at: sql<string>`clock_timestamp()`, outcome: JSON.stringify(outcome) }).where('id', '=', id).execute()
}

/** Notes that an attempt failed: it waits for the next one, or it was the last. */
export async function failRun (db: Db, id: string, { error, last }: { error: string, last: boolean }): Promise<void> {
  await db.updateTable('job_runs').set({ state: last ? 'failed' : 'waiting', finished_at: last ? sql<string>`clock_timestamp()` : null, error: error.slice(0, 2000) })
    .where('id', '=', id).execute()
}

/** A worker that was not seen for so long is gone, and so is one that we never saw and that has held a job for so long. */
const GONE_AFTER_SECONDS = 60

/**
 * Says that the workers of this instance are alive, and gives back what workers that are gone had taken: a killed process
 * would keep it for hours.
 * @returns the workers whose jobs were given back
 */
export async function reportAlive (db: Db, { workers, instance }: { workers: string[], instance: string }): Promise<string[]> {
  await sql`
    insert into job_workers (worker_id, instance, seen_at) select id, ${instance}, clock_timestamp() from unnest(${workers}::text[]) id order by id
    on conflict (worker_id) do update set seen_at = excluded.seen_at`.execute(db)
  const { rows: [gone] } = await sql<{ ids: string[] | null }>`
    with stale as (
      delete from job_workers where seen_at < clock_timestamp() - make_interval(secs => ${GONE_AFTER_SECONDS})
    )
    select array_agg(distinct j.locked_by) as ids from graphile_worker.jobs j
    where j.locked_at < clock_timestamp() - make_interval(secs => ${GONE_AFTER_SECONDS})
      and not exists (select from job_workers w where w.worker_id = j.locked_by and w.seen_at >= clock_timestamp() - make_interval(secs => ${GONE_AFTER_SECONDS}))`.execute(db)
  if (gone?.ids == null) return []
  await giveBack(db, gone.ids)
  return gone.ids
}

/** Lets others do what these workers had taken. They must be gone. */
export async function giveBack (db: Db, workers: string[]): Promise<void> {
  await sql`select graphile_worker.force_unlock_workers(${workers}::text[])`.execute(db)
  // What had no attempt left is taken by nobody any more: its record would say for ever that it runs.
  await sql`
    update job_runs r set state = 'failed', finished_at = clock_timestamp(), error = 'the process that ran it was killed'
    from graphile_worker.jobs j where r.state = 'running' and j.key = r.id::text and j.locked_at is null and j.attempts >= j.max_attempts`.execute(db)
}

/** Forgets workers that end in order, so that nobody waits for them. */
export async function forgetWorkers (db: Db, workers: string[]): Promise<void> {
  await sql`delete from job_workers where worker_id = any(${workers}::text[])`.execute(db)
}

/** The newest run of a job, as far as it came; `next_attempt_at` when it failed and is tried again. */
export interface LastRun {
  job: string
  id: string
  slot: string
  state: 'waiting' | 'running' | 'succeeded' | 'failed'
  attempt: number
  started_at: string | null
  finished_at: string | null
  duration_ms: number | null
  outcome: Record<string, number> | null
  error: string | null
  instance: string | null
  requested_by: string | null
  next_attempt_at: string | null
}

/** The columns of a run `r` as they are shown. */
export const runColumns: AliasedRawBuilder<unknown, string>[] = [
  ...['job', 'id', 'slot', 'state', 'attempt', 'started_at', 'finished_at', 'outcome', 'error', 'instance', 'requested_by'].map((column) => sql`${sql.ref(`r.${column}`)}`.as(column)),
  sql`round(extract(epoch from r.finished_at - r.started_at) * 1000, 3)`.as('duration_ms'),
  sql`case when r.state = 'waiting' then (select j.run_at from graphile_worker.jobs j where j.key = r.id::text) end`.as('next_attempt_at')
]

/** The newest run of each of these jobs; none of those that never ran. */
export async function lastRuns (db: Db, jobs: string[]): Promise<LastRun[]> {
  const { rows } = await sql<LastRun>`
    select ${sql.join(runColumns)}
    from unnest(${jobs}::text[]) name
    cross join lateral (select * from job_runs r where r.job = name order by r.slot desc limit 1) r`.execute(db)
  return rows
}

/**
 * Forgets runs that ended so long ago, except each job's newest, and takes out of the queue what was given up as long ago.
 * @returns how many of each
 */
export async function expireRuns (db: Db, days: number): Promise<{ runs: number, given_up: number }> {
  const { rows: [row] } = await sql<{ runs: number, given_up: number }>`
    with runs as (
      delete from job_runs r where r.finished_at < clock_timestamp() - make_interval(days => ${days}::int)
        and exists (select from job_runs newer where newer.job = r.job and newer.slot > r.slot)
      returning r.id
    ), given_up as (
      select graphile_worker.complete_jobs(array(
        select id from graphile_worker.jobs j where j.attempts >= j.max_attempts and j.locked_at is null and j.updated_at < clock_timestamp() - make_interval(days => ${days}::int)))
    )
    select (select count(*) from runs) as runs, (select count(*) from given_up) as given_up`.execute(db)
  return row as NonNullable<typeof row>
}
