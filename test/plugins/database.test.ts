import { sql } from 'kysely'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startApp } from '../helper.js'

/** A connection that can hold a lock. */
async function connect (t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  return client
}

await t.test('a connection speaks UTC and has the time-outs of the configuration', async (t) => {
  const s = await startApp(t, { environment: { DB_STATEMENT_TIMEOUT_MS: '1234', DB_LOCK_TIMEOUT_MS: '234', DB_IDLE_IN_TRANSACTION_TIMEOUT_MS: '3456' } })
  const { rows } = await sql`select current_setting('TimeZone') as zone, current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
    current_setting('idle_in_transaction_session_timeout') as idle, current_setting('application_name') as name`.execute(s.app.db)
  t.same(rows, [{ zone: 'UTC', statement: '1234ms', lock: '234ms', idle: '3456ms', name: 'eden-erp' }])
})

await t.test('values arrive as the wire has them: times to the microsecond, counts as numbers', async (t) => {
  const s = await startApp(t)
  const { rows } = await sql`select timestamptz '2026-11-25 03:04:05.123456-05' as at, timestamptz '2026-07-01 00:00+00' as whole, timestamptz 'infinity' as never,
    date '2026-11-25' as day, count(*) as number, 1.5::numeric as amount, 'A@b.c'::citext as mail, array['x'] as tags`.execute(s.app.db)
  t.same(rows, [{ at: '2026-11-25T08:04:05.123456Z', whole: '2026-07-01T00:00:00Z', never: 'infinity', day: '2026-11-25', number: 1, amount: 1.5, mail: 'A@b.c', tags: ['x'] }])
})

/** A connection that the server has ended may be given out once more before its end arrives: that is a 503, to try again. */
async function untilServed (s: Awaited<ReturnType<typeof startApp>>, path: string) {
  let answer
  do answer = await s.ask('GET', path)
  while (answer.statusCode === 503)
  return answer
}

const prepared = (s: Awaited<ReturnType<typeof startApp>>) => sql<{ name: string, statement: string }>`select name, statement from pg_prepared_statements`.execute(s.app.db).then(({ rows }) => rows)

await t.test('a statement is prepared once on a connection and then named', async (t) => {
  const s = await startApp(t, { environment: { DB_POOL_MAX: '1' } })
  const { id } = await s.addProject()
  for (let i = 0; i < 3; i++) await s.get(`/api/projects/${id}`)
  const statements = (await prepared(s)).filter(({ statement }) => /from "projects" as "p" where "p"\."id" =/.test(statement))
  t.equal(statements.length, 1)
  t.match(statements[0]?.name, /^eden_[0-9a-f]{24}$/)
})

await t.test('a statement whose best plan depends on its values is planned each time', async (t) => {
  const s = await startApp(t, { environment: { DB_POOL_MAX: '1' } })
  await s.get('/api/tasks?q=chiller')
  await s.get('/api/tasks?tag=rfi')
  t.same((await prepared(s)).filter(({ statement }) => /plan each time/.test(statement)), [])
})

await t.test('behind a transaction pooler nothing is named', async (t) => {
  const s = await startApp(t, { environment: { DB_POOL_MAX: '1', DB_PREPARED_STATEMENTS: 'false' } })
  await s.addProject()
  t.same(await prepared(s), [])
})

await t.test('a lock that does not come, and a statement that takes too long, are 503 and leave the connection usable', async (t) => {
  const s = await startApp(t, { environment: { DB_POOL_MAX: '1', DB_LOCK_TIMEOUT_MS: '50', DB_STATEMENT_TIMEOUT_MS: '400' } })
  const project = await s.addProject()
  const other = await connect(t, s.url)
  await other.query('begin; lock table projects in access exclusive mode')
  const locked = await s.ask('PATCH', `/api/projects/${project.id}`, { body: { name: 'Never' } })
  await other.query('rollback')
  t.match(locked.json(), { status: 503, code: 'EDEN_BUSY' })
  t.equal(locked.headers['retry-after'], '1')
  await s.query('create function pg_temp_slow() returns boolean language sql as $$ select true from pg_sleep(5) $$')
  await t.rejects(sql`select pg_temp_slow()`.execute(s.app.db), /statement timeout/)
  t.equal((await s.ask('GET', `/api/projects/${project.id}`)).json().name, 'A project')
})

await t.test('connections that the server ends are replaced, and requests then succeed', async (t) => {
  const s = await startApp(t)
  await s.get('/api/projects')
  await s.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'eden-erp'")
  t.equal((await untilServed(s, '/api/projects')).statusCode, 200)
})

await t.test('when the database ends the connection in the middle of a write, the write has not happened', async (t) => {
  const s = await startApp(t)
  const project = await s.addProject()
  const other = await connect(t, s.url)
  await other.query('begin')
  await other.query('select from project_counters where project_id = $1 for update', [project.id])
  const writing = s.ask('POST', `/api/projects/${project.id}/tasks`, { body: { title: 'Lost' } })
  const end = "select pg_terminate_backend(pid) from pg_locks where not granted and pid in (select pid from pg_stat_activity where datname = current_database() and application_name = 'eden-erp')"
  while ((await s.query(end)).length === 0);
  t.match((await writing).json(), { status: 503, code: 'EDEN_DATABASE_UNAVAILABLE' })
  await other.query('rollback')
  t.same((await untilServed(s, `/api/projects/${project.id}/tasks`)).json(), [])
  t.equal((await s.addTask(project.id)).number, 1, 'no number was lost')
})
