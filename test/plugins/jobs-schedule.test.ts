import fc from 'fast-check'
import t from 'tap'
import { createSchedule } from '../../plugins/jobs/schedule.js'
import { startApp } from '../helper.js'

const iso = (...dates: Date[]) => dates.map((date) => date.toISOString())

await t.test('a schedule is by the clock on the wall, across both changes of it, and each slot is there once', async (t) => {
  const half = createSchedule('30 2 * * *', 'America/Toronto') // half past two is skipped on 8 March 2026
  t.same(iso(half.nextSlot(new Date('2026-03-07T08:00:00Z')), half.nextSlot(new Date('2026-03-08T07:00:00Z'))), ['2026-03-08T07:00:00.000Z', '2026-03-09T06:30:00.000Z'], 'the first moment after the gap')
  const twice = createSchedule('30 1 * * *', 'America/Toronto') // half past one comes twice on 1 November 2026
  t.same(iso(twice.nextSlot(new Date('2026-11-01T05:00:00Z')), twice.nextSlot(new Date('2026-11-01T05:30:00Z'))), ['2026-11-01T05:30:00.000Z', '2026-11-02T06:30:00.000Z'])
  t.same(iso(twice.lastSlot(new Date('2026-11-01T06:45:00Z'))), ['2026-11-01T05:30:00.000Z'], 'the second one is none')
  const often = createSchedule('*/5 * * * *', 'America/Toronto')
  for (const change of ['2026-03-08T06:00:00Z', '2026-11-01T05:00:00Z']) {
    let slot = often.lastSlot(new Date(change))
    for (let n = 0; n < 36; n++) {
      const next = often.nextSlot(slot)
      t.equal(next.getTime() - slot.getTime(), 300_000, 'what is done every five minutes is, in the repeated hour too')
      slot = next
    }
  }
  t.throws(() => createSchedule('61 * * * *', 'America/Toronto'), /minute/)
  t.throws(() => createSchedule('* * * * *', 'Mars/Olympus').nextSlot(new Date(0)), /Mars/)
})

await t.test('the last slot is never later than now, and the next one never leaves one out', (t) => {
  const crons = ['*/5 * * * *', '10 * * * *', '30 2 * * *', '0 7 * * 1', '15 3 1 * *']
  const zones = ['America/Toronto', 'America/St_Johns', 'Australia/Lord_Howe', 'UTC', 'Asia/Kathmandu']
  const from = Date.parse('2026-01-01T00:00:00Z')
  fc.assert(fc.property(fc.constantFrom(...crons), fc.constantFrom(...zones), fc.integer({ min: 0, max: 370 * 86_400_000 }), (cron, zone, ms) => {
    const [schedule, now] = [createSchedule(cron, zone), new Date(from + ms)]
    const [last, next] = [schedule.lastSlot(now), schedule.nextSlot(now)]
    return last <= now && next > now && schedule.nextSlot(last).getTime() === next.getTime() && schedule.lastSlot(last).getTime() === last.getTime()
  }), { numRuns: 300 })
  t.end()
})

await t.test('what the jobs do: expired keys, old runs and old notifications go, the rest stays', async (t) => {
  const s = await startApp(t)
  const project = await s.addProject()
  await s.addTask(project.id, { assignee_id: s.member.id })
  await s.addTask(project.id, { assignee_id: s.member.id })
  await s.app.events.settled()
  await s.query("update notifications set created_at = created_at - interval '366 days' where id = (select min(id::text)::uuid from notifications)")
  for (const key of ['old', 'new']) await s.post('/api/projects', { code: `K-${key}`, name: key }, { headers: { 'idempotency-key': key } })
  await s.query("update idempotency_keys set expires_at = now() - interval '1 second' where key = 'old'")
  await s.query("insert into job_runs (id, job, slot, by_clock, state, finished_at) select gen_random_uuid(), job, now() - interval '40 days' + n * interval '1 hour', true, 'succeeded', now() - interval '31 days' from unnest(array['a', 'b']) job, generate_series(1, 3) n")

  t.same(await s.app.jobs.runNow('expire_idempotency_keys'), { keys: 1 })
  t.same(await s.query('select key from idempotency_keys'), [{ key: 'new' }])
  t.same(await s.app.jobs.runNow('expire_notifications'), { notifications: 1, emails: 0 })
  t.match(await s.query('select count(*)::int from notifications'), [{ count: 1 }])
  await s.query("select graphile_worker.permanently_fail_jobs(array[(graphile_worker.add_job('given_up')).id, (graphile_worker.add_job('given_up_lately')).id], 'why')")
  await s.query("update graphile_worker._private_jobs set updated_at = now() - interval '31 days' where id = (select id from graphile_worker.jobs where task_identifier = 'given_up')")
  await s.query("select graphile_worker.add_job('to_be_done')")
  t.same(await s.app.jobs.runNow('expire_job_runs'), { runs: 4, given_up: 1 })
  t.same(await s.query('select task_identifier from graphile_worker.jobs order by 1'), [{ task_identifier: 'given_up_lately' }, { task_identifier: 'to_be_done' }], 'the queue keeps what is to be done')
  t.match(await s.query("select job, count(*)::int from job_runs where job in ('a', 'b') group by 1 order by 1"), [{ job: 'a', count: 1 }, { job: 'b', count: 1 }], 'each job\'s newest stays')
  t.match(await s.app.jobs.runNow('make_activity_partitions'), { partitions: /^\d+$/ })
  t.same(await s.app.jobs.runNow('make_activity_partitions'), { partitions: 0 })
  await t.rejects(s.app.jobs.runNow('nothing'), /there is no job "nothing": there are expire_/)
})
