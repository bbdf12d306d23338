import pg from 'pg'
import t, { type Test } from 'tap'
import { maintain } from '../../commands/maintain/index.js'
import { createTestDatabase, execute } from '../database.js'

async function run (url: string, ...argv: string[]): Promise<{ good: boolean, text: string }> {
  const lines: string[] = []
  const good = await maintain(url, argv, (line) => lines.push(line))
  return { good, text: lines.join('\n') }
}
async function connect (t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  return client
}

await t.test('tables that need it are vacuumed, broken indexes built again, leftovers dropped and partitions made', async (t) => {
  const url = await createTestDatabase(t as never)
  const client = await connect(t, url)
  await execute(url,
    'create table big (id int constraint big_pkey primary key, note text)', 'insert into big select i, i::text from generate_series(1, 20000) i', 'delete from big where id % 2 = 0',
    'create index big_by_note on big (note)', 'create index big_by_note_ccnew on big (note)',
    "update pg_index set indisvalid = false where indexrelid in ('big_by_note'::regclass, 'big_by_note_ccnew'::regclass)",
    "do $$ begin execute 'drop table ' || to_char(now() at time zone 'UTC' + interval '2 months', '\"activity_log_\"YYYY_MM'); end $$")
  // What a session did is counted when it ends, at the latest.
  for (const until = Date.now() + 30_000; Date.now() < until;) {
    if ((await client.query("select from pg_stat_user_tables where relname = 'big' and n_dead_tup > 5000")).rowCount === 1) break
  }
  const { good, text } = await run(url)
  t.ok(good, text)
  t.match(text, /^dropped big_by_note_ccnew, left by a build that failed \(\d+ ms\)$/m)
  t.match(text, /^built the invalid index big_by_note again/m)
  t.match(text, /^vacuumed and analyzed big, which had 10,000 dead rows/m)
  t.match(text, /^made activity_log_\d{4}_\d{2} \(/m)
  t.same((await client.query("select indexrelid::regclass::text as name, indisvalid from pg_index where indrelid = 'big'::regclass order by 1")).rows, [{ name: 'big_by_note', indisvalid: true }, { name: 'big_pkey', indisvalid: true }])

  const all = await run(url, '--all')
  t.match(all, { good: true, text: /vacuumed and analyzed tasks,.*\n(.*\n)*analyzed activity_log over all partitions/ })
  t.match(all.text, /partitions of the activity log are there for 12 months ahead/)
})

await t.test('a lock that is not had in time is said, and the rest is done; two at once do it once', async (t) => {
  const url = await createTestDatabase(t as never)
  const client = await connect(t, url)
  await client.query('begin')
  await client.query('lock table tasks in share update exclusive mode')
  const first = run(url, '--all')
  const watcher = await connect(t, url)
  for (const until = Date.now() + 30_000; Date.now() < until;) {
    if ((await watcher.query("select from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())")).rowCount === 1) break
  }
  t.match(await run(url), { good: true, text: /^another maintenance is running on this database: nothing to do$/ })
  const { good, text } = await first
  t.notOk(good)
  t.match(text, /^FAILED: canceling statement due to lock timeout; not done: vacuumed and analyzed tasks/m)
  t.match(text, /^vacuumed and analyzed users/m)
  t.match(text, /^1 steps failed; the others are done/m)
  await client.query('rollback')
  t.match(await run(url), { good: true })
})
