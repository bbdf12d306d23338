import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import type { Job } from '../../plugins/jobs/index.js'
import { startProxy } from '../drills/proxy.js'
import { eventually, startApp, type TestApp } from '../helper.js'

const BASE = ['collect_files', 'expire_accounts', 'expire_api_tokens', 'expire_guest_links', 'expire_idempotency_keys', 'expire_job_runs', 'expire_notifications', 'expire_rate_buckets', 'extend_calendar', 'fold_task_counts', 'make_activity_partitions', 'notice_overdue_and_idle_tasks', 'remind_of_balls', 'seal_audit_log']
/** One more instance on a database, which does jobs; its clock is given, and it has these jobs beside its own. */
async function instance (t: Test, s: TestApp, { clock, jobs = [] }: { clock?: () => Date, jobs?: Job[] } = {}) {
  // Apps that are built at once keep each other's connections, and what these have locked, waiting: on a busy machine for long.
  const app = await buildApp({ ...s.app.config, JOBS_ENABLED: true, JOBS_TICK_MS: 25, DB_CONNECTION_TIMEOUT_MS: 60_000, DB_LOCK_TIMEOUT_MS: 60_000 }, { clock })
  for (const job of jobs) app.jobs.schedule(job)
  await app.ready()
  t.teardown(() => app.close())
  return app
}
const runsOf = (s: TestApp, job: string) => s.query('select * from job_runs where job = $1 order by slot', [job])

await t.test('a slot is run once, however many instances look; what was due while none ran is run once too', async (t) => {
  const s = await startApp(t)
  let now = new Date('2026-03-06T12:00:30Z')
  const done: string[] = []
  const job: Job = { name: 'count', description: 'x', cron: '0 7 * * *', run: async ({ now }) => { done.push(now.toISOString()); return { things: 2 } } }
  const apps = await Promise.all([1, 2].map(() => instance(t, s, { clock: () => now, jobs: [job] })))
  await Promise.all(apps.flatMap((app) => [app.jobs.tick(), app.jobs.tick()]))
  await eventually(async () => (await runsOf(s, 'count')).at(0)?.state === 'succeeded')
  now = new Date('2026-03-09T11:30:00Z') // three days later, after the change: seven o'clock is half an hour ago
  await Promise.all(apps.map((app) => app.jobs.tick()))
  await eventually(async () => (await runsOf(s, 'count')).at(-1)?.state === 'succeeded' && done.length === 2)
  t.match(await s.query("select to_json(slot) #>> '{}' as slot, state, attempt, outcome, error, requested_by, finished_at > started_at as in_order from job_runs where job = 'count' order by job_runs.slot"), [
    { slot: /^2026-03-06T12:00:00/, state: 'succeeded', attempt: 1, outcome: { things: 2 }, error: null, requested_by: null, in_order: true },
    { slot: /^2026-03-09T11:00:00/, state: 'succeeded' }
  ])
  t.same(done, ['2026-03-06T12:00:30.000Z', '2026-03-09T11:30:00.000Z'])
  t.same(await s.query("select distinct job from job_runs where job <> 'count' order by 1"), BASE.map((job) => ({ job })), 'the jobs of the domains run too')
  t.same((await s.query('select 1 from job_runs group by job, slot having count(*) > 1')), [])
})

await t.test('a job that fails is tried again, later each time, and given up in the end; the record says so, and so do the metrics', async (t) => {
  const s = await startApp(t)
  let passes = false
  const jobs: Job[] = [
    { name: 'in_the_end', description: 'x', cron: '0 0 1 1 *', run: async () => { if (!passes) throw new Error('not yet'); return {} } },
    { name: 'never', description: 'x', cron: '0 0 1 1 *', attempts: 2, run: async () => { throw new Error(`it cannot be: ${'x'.repeat(5000)}`) } }
  ]
  const app = await instance(t, s, { jobs })
  const stateOf = async (job: string) => (await runsOf(s, job))[0] ?? {}
  await eventually(async () => [await stateOf('in_the_end'), await stateOf('never')].every(({ error }) => typeof error === 'string'))
  t.match(await stateOf('in_the_end'), { state: /waiting|running/, finished_at: null })
  const [{ later }] = await s.query('select bool_and(j.run_at > j.created_at) as later from graphile_worker.jobs j where j.last_error is not null') as [{ later: boolean }]
  t.ok(later, 'the next attempt is later')
  passes = true
  // The wait itself is the queue's: pass it over.
  await eventually(async () => {
    await s.query('select graphile_worker.reschedule_jobs(array(select id::bigint from graphile_worker.jobs where last_error is not null and locked_at is null), run_at := now())')
    return (await stateOf('in_the_end')).state === 'succeeded' && (await stateOf('never')).state === 'failed'
  })
  t.match(await stateOf('in_the_end'), { error: null })
  t.ok((await stateOf('in_the_end')).attempt > 1)
  t.match(await stateOf('never'), { attempt: 2, error: /^it cannot be: x{1900,}$/ })
  await app.jobs.tick()
  const metrics = (await app.inject('/metrics')).body
  for (const line of [/^eden_job_runs_total{job="never",outcome="failed"} 2$/m, /^eden_job_last_run_failed{job="never"} 1$/m, /^eden_job_last_run_failed{job="in_the_end"} 0$/m,
    /^eden_job_last_run_timestamp_seconds{job="in_the_end"} 1\d{9}/m, /^eden_job_next_run_timestamp_seconds{job="never"} 1\d{9}/m, /^eden_job_last_duration_seconds{job="never"} 0/m]) t.match(metrics, line)
})

await t.test('what a killed worker had taken is given back after a minute, and done by another', async (t) => {
  const s = await startApp(t)
  const done = new EventEmitter()
  const job: Job = { name: 'once', description: 'x', cron: '0 0 1 1 *', run: async () => { done.emit('done'); return {} } }
  const lastTry: Job = { ...job, name: 'last_try', attempts: 1, run: async () => { t.fail('it was tried once'); return {} } }
  const asking = await buildApp({ ...s.app.config }, {})
  asking.jobs.schedule(job)
  asking.jobs.schedule(lastTry)
  await asking.ready()
  t.teardown(() => asking.close())
  await asking.jobs.tick() // asks for the runs, and does none
  // As a worker leaves it that was killed in the middle, long enough ago.
  await s.query("update graphile_worker._private_jobs set locked_by = 'a-worker-that-is-gone', locked_at = now() - interval '2 minutes', attempts = 1 where key in (select id::text from job_runs where job in ('once', 'last_try'))")
  await s.query("update graphile_worker._private_job_queues set locked_by = 'a-worker-that-is-gone', locked_at = now() - interval '2 minutes' where queue_name in ('once', 'last_try')")
  await s.query("update job_runs set state = 'running', attempt = 1, started_at = now() - interval '2 minutes' where job in ('once', 'last_try')")
  const finished = once(done, 'done')
  await instance(t, s, { jobs: [job, lastTry] })
  await finished
  await eventually(async () => (await runsOf(s, 'once'))[0].state === 'succeeded')
  t.match(await runsOf(s, 'once'), [{ attempt: 2 }])
  await eventually(async () => (await runsOf(s, 'last_try'))[0].state === 'failed')
  t.match(await runsOf(s, 'last_try'), [{ attempt: 1, error: 'the process that ran it was killed' }], 'one that has no attempt left does not run for ever')
})

await t.test('the queue survives the loss of its connections, and closing waits for what runs', async (t) => {
  const s = await startApp(t)
  const started = new EventEmitter()
  let finished = 0
  const app = await instance(t, s, { jobs: [{ name: 'slow', description: 'x', cron: '0 0 1 1 *', run: async () => { started.emit('begun'); await delay(50); finished++; return {} } }] })
  await eventually(() => finished === 1)
  const ask = () => eventually(() => app.jobs.request(app.db, 'slow', s.admin.id).catch(() => undefined))
  for (let n = 0; n < 3; n++) {
    // Just after the work, when the queue is not told of it yet: then it is done once more.
    await s.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name in ('eden-erp-jobs', 'eden-erp')")
    const before = finished
    const id = await ask()
    await eventually(() => finished > before)
    // Sooner than after the minute after which other instances would give it back.
    await eventually(async () => (await s.query('select state from job_runs where id = $1', [id]))[0].state === 'succeeded', 45)
  }
  await eventually(async () => (await runsOf(s, 'slow')).every(({ state }) => state === 'succeeded'))
  const begun = once(started, 'begun')
  await ask()
  await begun
  const before = finished
  await app.close()
  t.equal(finished, before + 1)
  t.match((await runsOf(s, 'slow')).at(-1), { state: 'succeeded' })
  t.same(await s.query('select worker_id from job_workers'), [], 'and nobody waits for its workers')
})

await t.test('a job that was taken when the answer was lost is taken again at once', async (t) => {
  const s = await startApp(t)
  const url = new URL(s.url)
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
  url.port = String(proxy.port)
  const lost = proxy.loseAnswerWith('"run_id"')
  const app = await buildApp({ ...s.app.config, JOBS_ENABLED: true, JOBS_TICK_MS: 25, DATABASE_SESSION_URL: url.href })
  await app.ready()
  t.teardown(async () => {
    await app.close()
    await proxy.close()
  })
  await lost
  await eventually(async () => {
    const runs = await s.query('select state from job_runs')
    return runs.length === BASE.length && runs.every(({ state }) => state === 'succeeded')
  }, 45)
  t.same(await s.query('select job, attempt from job_runs where attempt > 2'), [])
})

await t.test('the queue is taken up again when two ends of jobs could not be told to it, and closing does not wait for it', async (t) => {
  const s = await startApp(t)
  const open = new EventEmitter()
  const begun: string[] = []
  const jobs = ['one', 'two', 'three'].map((name) => ({
    name,
    description: 'x',
    cron: '0 0 1 1 *',
    run: async () => {
      const turn = begun.push(name)
      if (turn > 3) return {}
      await once(open, String(turn))
      if (turn === 3) throw new Error('not now')
      return {}
    }
  }))
  const app = await instance(t, s, { jobs })
  await eventually(() => begun.length === 2)
  const holder = new pg.Client({ connectionString: s.url })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query('begin')
  const { rowCount } = await holder.query('select 1 from graphile_worker._private_jobs where locked_at is not null for update')
  t.equal(rowCount, 2)
  const waiting = "from pg_stat_activity where datname = current_database() and application_name = 'eden-erp-jobs' and wait_event_type = 'Lock'"
  for (const turn of [1, 2]) {
    open.emit(String(turn))
    await eventually(async () => (await s.query(`select 1 ${waiting}`)).length === turn)
  }
  await eventually(() => begun.length === 3) // which the two that wait do not hinder
  await s.query(`select pg_terminate_backend(pid) ${waiting}`)
  await holder.query('rollback')
  await eventually(async () => (await s.query(`select 1 ${waiting}`)).length === 0)
  open.emit('3')
  const id = await eventually(() => app.jobs.request(app.db, begun[0] as string, s.admin.id))
  await eventually(async () => (await s.query('select state from job_runs where id = $1', [id]))[0].state === 'succeeded', 45)
  await app.close()
})

await t.test('an instance without a database starts, and closes', async (t) => {
  const s = await startApp(t)
  const app = await buildApp({ ...s.app.config, JOBS_ENABLED: true, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' })
  await app.ready()
  await app.jobs.tick().catch(() => {})
  await app.close()
  t.pass('it does')
})
