import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { statementName } from '../../plugins/database/slow.js'
import { startApp } from '../helper.js'
import { takeLog, type LogLine } from '../logs.js'

async function line (lines: LogLine[], found: (line: LogLine) => boolean): Promise<LogLine> {
  const end = Date.now() + 60_000
  while (Date.now() < end) {
    const one = lines.find(found)
    if (one !== undefined) return one
    await delay(20)
  }
  throw new Error('there is no such line')
}

await t.test('a name says what a statement does to which table, and stays the same', async (t) => {
  const names = {
    'select "id" from "tasks" as "t" where "id" = $1': ['select', /^select tasks [0-9a-f]{8}$/],
    'insert into "projects" ("name") values ($1)': ['insert', /^insert projects /],
    'with mine as (select id from projects) select * from mine join tasks on true': ['raw', /^select projects /],
    'with input as materialized (select 1) insert into job_runs (id) select * from input': ['raw', /^insert job_runs /],
    'update event_sequencer set last_position = 1': ['raw', /^update event_sequencer /],
    'select 1': ['raw', /^select nothing /]
  } as const
  for (const [text, [operation, name]] of Object.entries(names)) t.match(statementName(text, operation), name)
  t.equal(statementName('select 1', 'raw'), statementName('select 1', 'raw'))
  t.not(statementName('select 1', 'raw'), statementName('select 2', 'raw'))
})

await t.test('a slow statement is logged by its name, with its request and without its data; its plan once', async (t) => {
  const s = await startApp(t, { environment: { LOG_LEVEL: 'warn', DB_SLOW_QUERY_MS: '150', DB_SLOW_QUERY_PLANS: 'true' } })
  const lines = takeLog(s.app)
  const slowly = (name: string) => sql`select u.id from users u, pg_sleep(0.3) where u.name = ${name} and u.is_active = ${true} limit ${5}`.execute(s.app.db)
  await slowly(s.admin.name)
  const slow = await line(lines, ({ msg, name }) => msg === 'slow statement' && /^select users [0-9a-f]{8}$/.test(name))
  t.ok(slow['duration_ms'] >= 150)
  const plan = await line(lines, ({ msg, name }) => msg === 'plan of a slow statement' && name === slow['name'])
  t.match(plan['plan'].join('\n'), /Scan.*users/)
  await slowly(s.admin.name)
  await s.app.close()
  t.equal(lines.filter(({ msg, name }) => msg === 'plan of a slow statement' && name === slow['name']).length, 1, 'each plan once')
  t.notOk(JSON.stringify(lines).includes(s.admin.name))
})

await t.test('a slow statement of a request names the request', async (t) => {
  const s = await startApp(t, { environment: { LOG_LEVEL: 'warn', DB_SLOW_QUERY_MS: '1' } })
  await s.query("do $$ begin execute 'create function slow_down() returns trigger language plpgsql as ''begin perform pg_sleep(0.1); return new; end'''; end $$")
  await s.query('create trigger slow_down before insert on projects for each row execute function slow_down()')
  const lines = takeLog(s.app)
  const answer = await s.ask('POST', '/api/projects', { body: { code: 'SLOW-1', name: 'A name that nobody may read' } })
  t.equal(answer.statusCode, 201, answer.body)
  const slow = lines.find(({ msg, name }) => msg === 'slow statement' && /^insert /.test(name))
  t.match(slow, { request_id: answer.headers['x-request-id'], route: '/api/projects' })
  t.notMatch(JSON.stringify(lines), /A name that nobody may read/)
})
