import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { migrateToLatest } from '../../commands/migrate.js'
import { causeOf } from '../../plugins/database/causes.js'
import type { Config } from '../../plugins/config.js'
import type { Job } from '../../plugins/jobs/index.js'
import { emptyDatabase, execute } from '../database.js'
import { eventually, startApp, type TestApp } from '../helper.js'
import { findPgBouncer, noPgBouncer, startPgBouncer } from '../pgbouncer.js'
import { listen, openSse } from '../sse.js'

const LONG_MS = 60_000
/** One more instance, whose database is behind a pooler. */
async function instance (t: Test, s: TestApp, url: string, { changes = {}, jobs = [] }: { changes?: Partial<Config>, jobs?: Job[] } = {}): Promise<FastifyInstance> {
  const app = await buildApp({ ...s.app.config, DB_CONNECTION_TIMEOUT_MS: LONG_MS, DB_POOL_MAX: 3, STREAM_POLL_MS: 50, JOBS_TICK_MS: 100, DATABASE_URL: url, ...changes })
  for (const job of jobs) app.jobs.schedule(job)
  await app.ready()
  t.teardown(() => app.close())
  return app
}

const skip = await findPgBouncer() === undefined ? noPgBouncer : false

const s = await startApp(t)

for (const mode of ['session', 'transaction'] as const) {
  await t.test(`behind a pooler in ${mode} mode`, { skip }, async (t) => {
    await s.query('do $$ begin execute format(\'alter database %I set timezone = %L\', current_database(), \'America/Toronto\'); end $$')
    const url = await startPgBouncer(t, s.url, { mode, settings: { default_pool_size: '12' } })
    const done: string[] = []
    const job: Job = { name: `count_${mode}`, description: 'x', cron: '0 0 1 1 *', run: async () => { done.push('once'); return { things: 1 } } }
    const apps = [await instance(t, s, url, { changes: { JOBS_ENABLED: true }, jobs: [job] }), await instance(t, s, url)] as const
    const ask = (app: FastifyInstance, method: 'GET' | 'POST', path: string, body?: object, headers = {}) =>
      app.inject({ method, url: path, headers: { 'x-dev-email': s.admin.email, ...headers }, ...(body === undefined ? {} : { payload: body }) })

    await t.test('is found out by how it behaves, and said', async (t) => {
      t.equal((await apps[0].inject('/db/ping')).statusCode, 200)
      t.match((await apps[0].inject('/api/health/ready')).json(), { ready: true })
      t.match((await apps[0].inject('/api/debug/dbinfo')).json(), {
        connection: { pooler: { configured: null, found: true }, mode: { configured: 'unknown', found: mode }, named_statements: mode === 'session', listens: mode === 'session' },
        server: { time_zone: 'UTC', pending_migrations: [], settings: { statement_timeout: mode === 'session' ? '15s' : '0' } },
        error: null
      })
    })

    await t.test('reads and writes go well, from two instances at once, with times in UTC whatever the zone of the database', async (t) => {
      const project = await ask(apps[0], 'POST', '/api/projects', { code: `P-${mode}`, name: 'Behind a pooler' })
      t.equal(project.statusCode, 201, project.body)
      t.match(project.json().created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
      t.ok(Math.abs(Date.parse(project.json().created_at) - Date.now()) < 3_000_000, 'it is the time of now')
      const { id } = project.json()
      const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => {
        const app = apps[n % 2] as FastifyInstance
        return n % 4 < 2
          ? ask(app, 'POST', `/api/projects/${id}/tasks`, { title: `Task ${n}` }, { 'idempotency-key': `a-key-of-its-own-${mode}-${n}` })
          : ask(app, 'GET', `/api/projects/${id}/tasks?limit=${n + 1}`)
      }))
      t.same(answers.filter(({ statusCode }) => statusCode >= 400).map(({ body }) => body), [])
      const again = { 'idempotency-key': `the-same-key-twice-${mode}` }
      const first = await ask(apps[0], 'POST', `/api/projects/${id}/tasks`, { title: 'Once' }, again)
      const second = await ask(apps[1], 'POST', `/api/projects/${id}/tasks`, { title: 'Once' }, again)
      t.equal(second.headers['idempotency-replayed'], 'true')
      t.equal(second.json().id, first.json().id)
      const activity = await ask(apps[1], 'GET', `/api/projects/${id}/activity`)
      t.notMatch(activity.body, /T\d\d:\d\d:\d\d(\.\d+)?-0\d:00/, 'what PostgreSQL itself writes as JSON is in UTC too')
    })

    await t.test('settings do not leak to the next client of the pooler, and hold where they must', async (t) => {
      const client = new pg.Client(url)
      await client.connect()
      t.teardown(() => client.end())
      const { rows } = await client.query("select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock, current_setting('jit') as jit, current_setting('TimeZone') as zone")
      t.same(rows, [{ statement: '0', lock: '0', jit: 'on', zone: 'America/Toronto' }])
      t.same((await client.query("select 1 from pg_prepared_statements where name like 'eden%'")).rows, [], 'nothing is left prepared')
      await apps[0].db.transaction().execute(async (trx) => {
        const { rows } = await sql`select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock, current_setting('TimeZone') as zone`.execute(trx)
        t.same(rows, [{ statement: '15s', lock: '5s', zone: 'UTC' }], 'in a transaction they hold')
      })
      const impatient = await instance(t, s, url, { changes: { DB_STATEMENT_TIMEOUT_MS: 200, DB_POOL_MAX: 1 } })
      const error = await sql`select pg_sleep(30)`.execute(impatient.db).then(() => undefined, (error: unknown) => error)
      t.equal(causeOf(error).code, 'statement_timeout')
      t.equal((await impatient.inject('/db/ping')).statusCode, 200, 'and the connection is not the next one\'s')
    })

    await t.test('the job queue runs a job', async () => {
      await ask(apps[0], 'GET', '/api/projects')
      await apps[0].jobs.tick()
      await eventually(() => done.length > 0)
      await eventually(async () => (await s.query("select 1 from job_runs where job = $1 and state = 'succeeded'", [job.name])).length === 1)
    })

    await t.test('a live stream wakes for what another instance wrote', async (t) => {
      const port = await listen(apps[1])
      const kim = await s.addPerson('member')
      const project = (await ask(apps[0], 'POST', '/api/projects', { code: `S-${mode}`, name: 'Streams' })).json()
      const client = await openSse(port, kim.email)
      t.teardown(client.cut)
      await client.until(() => client.lastId() !== '')
      const task = await ask(apps[0], 'POST', `/api/projects/${project.id}/tasks`, { title: 'For Kim', assignee_id: kim.id })
      t.equal(task.statusCode, 201, task.body)
      await client.until(() => client.events.length === 1)
      if (mode === 'session') await eventually(() => apps[1].wakeups.isListening())
      else t.notOk(apps[1].wakeups.isListening(), 'a LISTEN would be the pooler\'s')
    })
  })
}

await t.test('with a session of its own, an instance behind a transaction pooler listens', { skip }, async (t) => {
  const url = await startPgBouncer(t, s.url, { mode: 'transaction' })
  const app = await instance(t, s, url, { changes: { DATABASE_SESSION_URL: s.url } })
  const heard: (string | undefined)[] = []
  app.wakeups.subscribe('one', (payload) => heard.push(payload))
  await eventually(() => app.wakeups.isListening())
  await s.query("select pg_notify('one', 'a')")
  await eventually(() => heard.includes('a'))
  await app.inject('/db/ping')
  t.match((await app.inject('/api/debug/dbinfo')).json().connection, { mode: { found: 'transaction' }, session_url: true, listens: true, named_statements: false })
})

await t.test('one session for everybody is told from a session that is shared', { skip }, async (t) => {
  for (const mode of ['session', 'transaction'] as const) {
    const url = await startPgBouncer(t, s.url, { mode, settings: { default_pool_size: '1' } })
    const app = await instance(t, s, url, { changes: { DB_POOL_MAX: 1 } })
    await eventually(async () => (await app.inject('/db/ping')).statusCode === 200) // a pooler without a second session takes a moment to be told
    t.equal(app.connections.requests.pooler.mode(), mode)
    await app.close()
  }
})

await t.test('named statements that are forced on behind a transaction pooler fail with a cause that names the pooler', { skip }, async (t) => {
  const url = await startPgBouncer(t, s.url, { mode: 'transaction', settings: { default_pool_size: '4' } })
  const forced = await instance(t, s, url, { changes: { DB_PREPARED_STATEMENTS: true, DB_POOL_MAX: 3 } })
  const errors: unknown[] = []
  await eventually(async () => {
    const results = await Promise.allSettled(Array.from({ length: 12 }, (_, n) => sql`select ${n}::int as n`.execute(forced.db)))
    errors.push(...results.flatMap((result) => result.status === 'rejected' ? [result.reason] : []))
    return errors.length > 0
  })
  const cause = causeOf(errors[0])
  t.match(cause, { code: 'prepared_statement_lost', message: /a transaction pooler stands between/, runbook: 'docs/runbook.md#issue-database-connection-failed' })
  t.match((await forced.inject('/api/debug/dbinfo')).json().warnings.join(), /DB_PREPARED_STATEMENTS=true does not go with a transaction pooler/)
})

await t.test('migrations want a session: through a session pooler they run, through a transaction pooler they are refused', { skip }, async (t) => {
  const url = await emptyDatabase(t)
  const shared = await startPgBouncer(t, url, { mode: 'transaction' })
  const refused = await migrateToLatest(shared).then(() => undefined, (error: Error) => error)
  t.match(refused?.message, /DATABASE_SESSION_URL/)
  t.match(causeOf(refused), { code: 'session_needed', runbook: 'docs/runbook.md#issue-database-connection-failed' })
  const own = await startPgBouncer(t, url, { mode: 'session' })
  t.ok((await migrateToLatest(own)).length > 10)
  t.same(await migrateToLatest(own), [])
  await execute(own, 'select id from tasks')
})
