import t from 'tap'
import { nextPage, startApp } from '../helper.js'

const s = await startApp(t, { clock: () => new Date('2026-11-25T08:00:00Z') })

await t.test('each job is listed with what it does, when it runs next, and what its newest run did', async (t) => {
  const before = await s.get('/api/admin/jobs')
  t.match(before.find(({ name }: any) => name === 'expire_job_runs'), { schedule: '20 3 * * *', timezone: 'America/Toronto', attempts: 5, next_run_at: '2026-11-25T08:20:00.000Z', last_run: null })
  await s.app.jobs.runNow('expire_job_runs')
  const after = await s.get('/api/admin/jobs')
  t.match(after.find(({ name }: any) => name === 'expire_job_runs').last_run, { state: 'succeeded', attempt: 1, slot: '2026-11-25T08:00:00Z', outcome: { runs: 0, given_up: 0 }, error: null, requested_by: null, next_attempt_at: null })
  t.same(after.map(({ name }: any) => name), before.map(({ name }: any) => name))
})

await t.test('a run that is asked for waits for an instance; asked for again, it is refused; a repeated request is one', async (t) => {
  const body = { job: 'make_activity_partitions' }
  const asked = await s.ask('POST', '/api/admin/jobs/runs', { body, headers: { 'idempotency-key': 'k' } })
  t.equal(asked.statusCode, 201)
  t.match(asked.json(), { job: body.job, state: 'waiting', attempt: 0, requested_by: s.admin.id, started_at: null })
  t.type(asked.json().next_attempt_at, 'string')
  t.same((await s.ask('POST', '/api/admin/jobs/runs', { body, headers: { 'idempotency-key': 'k' } })).json(), asked.json())
  t.same(await s.get(String(asked.headers.location)), asked.json())
  t.match((await s.ask('POST', '/api/admin/jobs/runs', { body })).json(), { status: 409, code: 'EDEN_JOB_WAITING' })
  t.match((await s.ask('POST', '/api/admin/jobs/runs', { body: { job: 'nothing' } })).json(), { status: 422, code: 'EDEN_UNKNOWN_JOB' })
  t.match(await s.query("select count(*)::int from graphile_worker.jobs where task_identifier = 'make_activity_partitions'"), [{ count: 1 }])
})

await t.test('what jobs did is listed, filtered and paged', async (t) => {
  await s.query("insert into job_runs (id, job, slot, by_clock, state, finished_at, error) select gen_random_uuid(), 'old', now() - n * interval '1 hour', true, 'failed', now(), 'why' from generate_series(1, 5) n")
  t.match(await s.get('/api/admin/jobs/runs?state=failed,running&job=old,new'), Array.from({ length: 5 }, () => ({ job: 'old', state: 'failed', error: 'why' })))
  const ids = new Set()
  for (let path: string | undefined = '/api/admin/jobs/runs?limit=2&count=true'; path !== undefined;) {
    const page = await s.ask('GET', path)
    for (const { id } of page.json()) ids.add(id)
    t.equal(Number(page.headers['x-total-count']), (await s.query('select id from job_runs')).length)
    path = nextPage(page)
  }
  t.equal(ids.size, (await s.query('select id from job_runs')).length)
})

await t.test('jobs are the administrator\'s', async (t) => {
  for (const as of [s.manager, s.member, s.viewer]) {
    for (const [method, path] of [['GET', ''], ['GET', '/runs'], ['POST', '/runs']] as const) {
      t.match((await s.ask(method, `/api/admin/jobs${path}`, { as, body: method === 'POST' ? { job: 'expire_job_runs' } : undefined })).json(), { status: 403, code: 'EDEN_FORBIDDEN' })
    }
  }
  t.equal((await s.ask('GET', '/api/admin/jobs', { as: null })).statusCode, 401)
})
