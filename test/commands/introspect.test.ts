import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { introspect } from '../../commands/introspect/index.js'
import { migrateToLatest } from '../../commands/migrate.js'
import { adminUrl, createTestDatabase, databaseUrl, emptyDatabase, execute } from '../database.js'

async function run (url: string, ...argv: string[]): Promise<{ good: boolean, text: string }> {
  const lines: string[] = []
  const good = await introspect(url, argv, (line) => lines.push(line))
  return { good, text: lines.join('\n') }
}
const facts = async (url: string) => JSON.parse((await run(url, '--json')).text)

/** A migrated database whose owner is no superuser. */
async function ownedDatabase (t: Test): Promise<string> {
  const url = await emptyDatabase(t as never)
  const owner = `eden_owner_${randomBytes(4).toString('hex')}`
  const name = new URL(url).pathname.slice(1)
  await execute(adminUrl(), `create role ${owner} login password 'known to this test' nosuperuser nocreatedb`, `alter database ${name} owner to ${owner}`)
  t.teardown(() => execute(adminUrl(), `drop database if exists ${name} with (force)`, `drop role ${owner}`))
  const owned = new URL(databaseUrl(adminUrl(), name))
  owned.username = owner
  owned.password = 'known to this test'
  await migrateToLatest(owned.href)
  return owned.href
}

await t.test('an owner who is no superuser reads tables, sizes, indexes and how they are used', async (t) => {
  const url = await ownedDatabase(t)
  await execute(url,
    'create table big (id int constraint big_pkey primary key, project_id uuid constraint big_project_id_fkey references projects, note text)',
    'create index big_by_note on big (note)', "insert into big select i, null, repeat('x', 100) from generate_series(1, 40000) i",
    'delete from big where id % 2 = 0', 'vacuum analyze big', 'delete from big where id <= 100', 'analyze big')
  const { server, tables, indexes, unused_indexes: unused, missing_indexes: missing } = await facts(url)
  t.match(server, { version: /^\d+/, database: /^eden_test_/, database_bytes: Number })
  const big = tables.find(({ name }: { name: string }) => name === 'big')
  t.match(big, { partitions: 0, last_analyze: /Z$/, last_vacuum: /Z$/ })
  t.ok(big.rows_estimated > 18000 && big.rows_estimated < 22000, `${big.rows_estimated} rows, about`)
  t.ok(big.total_bytes >= big.table_bytes + big.index_bytes && big.index_bytes > 0)
  t.ok(big.bloat_bytes > big.table_bytes * 0.3 && big.bloat_bytes < big.table_bytes * 0.7, `half of it is empty: ${big.bloat_bytes} of ${big.table_bytes}`)
  const log = tables.find(({ name }: { name: string }) => name === 'activity_log')
  t.ok(log.partitions >= 25 && log.table_bytes > 0, 'a partitioned table is the sum of its partitions')
  t.match(indexes.find(({ name }: { name: string }) => name === 'big_by_note'), { table_name: 'big', is_unique: false, is_valid: true, definition: 'CREATE INDEX big_by_note ON public.big USING btree (note)' })
  t.ok(unused.some(({ name }: { name: string }) => name === 'big_by_note'))
  t.notOk(unused.some(({ is_unique: unique }: { is_unique: boolean }) => unique), 'what is unique is used by every insert')
  t.match(missing.foreign_keys.find(({ table_name: name }: { table_name: string }) => name === 'big'), { columns: ['project_id'], references: 'projects' })
  t.notOk(missing.foreign_keys.some(({ columns }: { columns: string[] }) => columns.join() === 'author_id'), 'a foreign key with an index is not in it')
  t.same(missing.scanned_tables, [])

  // A session's statistics come when it ends, at the latest.
  await execute(url, ...Array.from({ length: 100 }, () => 'select note from big where id % 7 = 9'))
  let scanned: { name: string }[] = []
  for (const until = Date.now() + 30_000; Date.now() < until && scanned.length === 0;) scanned = (await facts(url)).missing_indexes.scanned_tables
  t.match(scanned, [{ name: 'big', scans: Number }])
})

await t.test('the text says the same, for all or for one table', async (t) => {
  const url = await createTestDatabase(t as never)
  const all = await run(url)
  t.ok(all.good)
  for (const line of [/^eden_test_\S+, PostgreSQL \d/m, /^tasks +0 +8\.0 kB/m, /^activity_log \(\d+ partitions\)/m, /^unused indexes, by statistics kept since/m, /^foreign keys without an index/m, /^drift from the migrations: none$/m]) t.match(all.text, line)

  const one = await run(url, '--table', 'tasks')
  t.match(one.text, /^title +text +no /m)
  t.match(one.text, /^tasks_pkey .*CREATE UNIQUE INDEX tasks_pkey/m)
  t.notMatch(one.text, /comments_pkey/)
  await t.rejects(run(url, '--table', 'nothing'), { message: /there is no table "nothing"\nusage:/ })
  await t.rejects(run(url, '--tabel', 'tasks'), { message: /--tabel/ })
})

await t.test('every kind of drift is named, and what puts it back', async (t) => {
  const url = await createTestDatabase(t as never)
  await execute(url,
    'drop table task_notices', 'create table scratch (id int primary key)',
    'alter table users add column shoe_size int', 'alter table companies alter column name drop not null',
    'drop index tasks_by_tag', 'create index tasks_by_hand on tasks (title)', 'alter table comments drop constraint comments_task_id_fkey',
    'alter table tasks disable trigger tasks_update_counts', 'drop trigger ball_pauses_inside on ball_pauses',
    'create or replace function refuse_change() returns trigger language plpgsql as $$ begin return new; end $$', 'create function helper() returns int language sql as $$ select 1 $$')
  const { good, text } = await run(url)
  t.notOk(good)
  const expected = [
    'missing table task_notices', 'extra table scratch', 'extra column users.shoe_size', 'changed column companies.name', 'missing index tasks_by_tag', 'extra index tasks_by_hand',
    'missing constraint comments.comments_task_id_fkey', 'changed trigger tasks.tasks_update_counts', 'missing trigger ball_pauses.ball_pauses_inside',
    'changed function refuse_change()', 'extra function helper()'
  ]
  t.same(text.split('\n').filter((line) => /^ {2}(missing|extra|changed) /.test(line)).map((line) => line.trim()).sort(), expected.sort())
  t.match(text, /in the database: .*tasks_update_counts.* DISABLED/)

  const repairs = [...text.matchAll(/to put it back: (.*;)$/gm)].map(([, statement]) => statement!)
  t.equal(repairs.length, 3)
  await execute(url, ...repairs)
  t.notMatch((await run(url)).text, /^ {2}missing (index|constraint|trigger)/m)
})

await t.test('migrations that are pending, or of a later release, are drift', async (t) => {
  const url = await createTestDatabase(t as never)
  await execute(url, 'delete from kysely_migration where name = (select max(name) from kysely_migration)', "insert into kysely_migration values ('20991231000000_later', now()::text)")
  const { good, text } = await run(url)
  t.notOk(good)
  t.match(text, /pending migrations: 1;.*npm run db:push\n {2}2026/)
  t.match(text, /does not know: 1\n {2}20991231000000_later/)

  const empty = await emptyDatabase(t as never)
  t.match(await run(empty), { good: false, text: /missing table tasks/ })
})
