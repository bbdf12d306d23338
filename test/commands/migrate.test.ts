import { sql, type Kysely, type MigrationProvider } from 'kysely'
import t from 'tap'
import { push, rollback, status } from '../../commands/migrate.js'
import type { ReleaseMigration } from '../../plugins/database/apply.js'
import { knownMigrations, migrateToLatest, releaseMigrations } from '../../plugins/database/migrator.js'
import { createTestDatabase, emptyDatabase, execute } from '../database.js'
import { startApp } from '../helper.js'
import { connect, limits, said } from './helper.js'

const names = await knownMigrations()
const [first = ''] = names
const newest = names.at(-1) ?? ''

/** A migration of these statements. */
function made (up: string[], down: string[] = [], flags: Pick<ReleaseMigration, 'transaction'> = {}): ReleaseMigration {
  const run = (statements: string[]) => async (db: Kysely<unknown>) => {
    for (const text of statements) await sql.raw(text).execute(db)
  }
  return { up: run(up), down: run(down), ...flags }
}

/** This release with migrations more. */
function withMore (more: Record<string, ReleaseMigration>): MigrationProvider {
  return { getMigrations: async () => ({ ...await releaseMigrations.getMigrations(), ...more }) }
}

await t.test('db:push says what it applies, and then that there is nothing', async (t) => {
  const url = await emptyDatabase(t as never)
  const { lines } = await said(t, () => push(url, [], limits))
  t.match(lines, [new RegExp(`^applied ${first} \\(\\d+ ms\\)$`)])
  t.equal(lines.length, names.length + 1)
  t.equal(lines.at(-1), `${names.length} migrations applied`)
  t.same(await said(t, () => push(url, [], limits)), { lines: ['nothing to apply: the database is up to date'] })
  t.equal((await said(t, () => status(url, ['--check']))).failed, undefined)
})

await t.test('db:status lists what is pending and what is not known, and fails by it with --check', async (t) => {
  const url = await createTestDatabase(t as never)
  await execute(url, `delete from kysely_migration where name = '${newest}'`, "insert into kysely_migration values ('20991231000000_of_later', '2099-12-31T00:00:00.000Z')")
  const { lines, failed } = await said(t, () => status(url, []))
  t.equal(failed, undefined)
  t.match(lines[0], new RegExp(`^applied \\d{4}-.*Z {2}${first}$`))
  t.ok(lines.includes('unknown 2099-12-31T00:00:00.000Z  20991231000000_of_later'))
  t.ok(lines.some((line) => /^pending +\d{14}_/.test(line) && line.endsWith(newest)))
  t.match((await said(t, () => status(url, ['--check']))).failed, /^1 pending: npm run db:push\nthe database is ahead of this release by 1$/)
})

await t.test('a database that is ahead is refused by name and left alone, and served', async (t) => {
  const s = await startApp(t)
  const provider = withMore({ '20991231000000_of_later': made(['alter table projects add column of_later text', 'create table of_later (id uuid)'], ['drop table of_later', 'alter table projects drop column of_later']) })
  await migrateToLatest(s.url, { provider })
  for (const command of [push, rollback]) {
    const { failed } = await said(t, () => command(s.url, [], limits))
    t.match(failed, /^the database is ahead of this release, which does not know 20991231000000_of_later\nnothing was changed\. Use the release that these came with/)
  }
  t.equal((await s.app.inject('/api/health/ready')).statusCode, 200, 'during a rolling release the old instances go on')
  const project = await s.addProject()
  t.match(await s.get(`/api/projects/${project.id}`), { id: project.id })
  t.same((await said(t, () => rollback(s.url, [], limits, provider))).lines, ['took back 20991231000000_of_later'], 'the release that knows it takes it back')
})

await t.test('a migration older than what the database has had is refused', async (t) => {
  const url = await createTestDatabase(t as never)
  await t.rejects(migrateToLatest(url, { provider: withMore({ '20261125100000_late': made(['create table late (id uuid)']) }) }),
    { name: 'MigrationsOutOfOrder', message: new RegExp(`^20261125100000_late came too late: the database has had ${newest}`) })
})

await t.test('one that fails says which and why and leaves nothing; what came before it stays and is said', async (t) => {
  const url = await createTestDatabase(t as never)
  const printed: string[] = []
  const more = { '20991231000000_good': made(['create table good (id uuid)']), '20991231000001_bad': made(['create table half_done (id uuid)', 'select 1 / 0']), '20991231000002_after': made(['create table after_it (id uuid)']) }
  await t.rejects(migrateToLatest(url, { provider: withMore(more), print: (line) => printed.push(line) }),
    { name: 'MigrationFailed', message: '20991231000001_bad failed: division by zero\nit left nothing behind' })
  t.match(printed, [/^applied 20991231000000_good \(/])
  t.equal(printed.length, 1)
  const client = await connect(t, url)
  const { rows } = await client.query("select to_regclass('good') is not null as good, to_regclass('half_done') as half, to_regclass('after_it') as later")
  t.same(rows, [{ good: true, half: null, later: null }])
  t.same(await migrateToLatest(url, { provider: withMore({ ...more, '20991231000001_bad': made([]) }) }), ['20991231000001_bad', '20991231000002_after'], 'once it is put right the rest follows')
})

await t.test('a lock that cannot be had in time is asked for again, then given up with who holds it, and nobody queues for long', async (t) => {
  const url = await createTestDatabase(t as never)
  const provider = withMore({ '20991231000000_add': made(['alter table projects add column more text'], ['alter table projects drop column more']) })
  const holder = await connect(t, url)
  await holder.query('begin')
  await holder.query('select from projects')
  const reader = await connect(t, url)
  await reader.query("set statement_timeout = '20s'")
  const given = migrateToLatest(url, { provider, lockTimeoutMs: 200, attempts: 3, pauseMs: 10 })
  given.catch(() => {})
  while ((await holder.query("select from pg_locks where relation = 'projects'::regclass and mode = 'AccessExclusiveLock' and not granted")).rowCount === 0);
  await reader.query('select from projects') // it came after the migration, and is served while the first transaction still lasts
  await t.rejects(given, { name: 'MigrationFailed', message: /^20991231000000_add did not get its locks, 3 times within 200 ms: others hold them\n {2}process \d+ \(in-the-way\) is .*, in a transaction for \d+ s\n.*it left nothing behind$/s })

  const patient = migrateToLatest(url, { provider, lockTimeoutMs: 200, attempts: 100, pauseMs: 1 })
  await holder.query('commit')
  t.same(await patient, ['20991231000000_add'], 'it gets through as soon as the lock is free')
  t.match((await said(t, () => rollback(url, [], limits, provider))).lines, ['took back 20991231000000_add'])
})

await t.test('a statement that takes too long is stopped', async (t) => {
  const url = await createTestDatabase(t as never)
  await t.rejects(migrateToLatest(url, { provider: withMore({ '20991231000000_slow': made(['select pg_sleep(60)']) }), statementTimeoutMs: 100 }),
    { name: 'MigrationFailed', message: /^20991231000000_slow failed: canceling statement due to statement timeout/ })
})

await t.test('an index is built concurrently, by one of two at once, and the other waits and says so', async (t) => {
  const url = await createTestDatabase(t as never)
  const provider = withMore({ '20991231000000_index': made(['create index concurrently if not exists tasks_made on tasks (created_by, id)'], ['drop index concurrently if exists tasks_made'], { transaction: false }) })
  const printed: string[] = []
  const print = (line: string) => printed.push(line)
  const old = await connect(t, url)
  await old.query('begin isolation level repeatable read')
  await old.query('select from tasks') // the build waits for this one, longer than a lock may be waited for
  const both = Promise.all([1, 2].map(() => migrateToLatest(url, { provider, print, lockTimeoutMs: 50, statementTimeoutMs: 2000, attempts: 1 })))
  both.catch(() => {})
  const building = "select from pg_stat_activity where query like 'create index concurrently%' and wait_event_type = 'Lock' and clock_timestamp() - query_start > interval '2.1 s'"
  const look = await connect(t, url) // within one transaction pg_stat_activity stands still
  while ((await look.query(building)).rowCount === 0 || printed.length === 0);
  await old.query('commit')
  t.same((await both).map(({ length }) => length).sort(), [0, 1])
  t.equal(printed[0], 'another process is migrating this database: waiting for it')
  t.match(printed.slice(1), [/^applied 20991231000000_index/])
  t.equal((await old.query("select from pg_index where indexrelid = 'tasks_made'::regclass and indisvalid")).rowCount, 1)
  t.same((await said(t, () => rollback(url, [], limits, provider))).lines, ['took back 20991231000000_index'])
})

await t.test('what an interrupted build left is removed by the next, and a failed build leaves nothing', async (t) => {
  const url = await createTestDatabase(t as never)
  const client = await connect(t, url)
  await client.query('create table twice (n integer not null)')
  await client.query('insert into twice values (1), (1)')
  const provider = withMore({ '20991231000000_unique': made(['create unique index concurrently if not exists twice_n on twice (n)'], ['drop index concurrently if exists twice_n'], { transaction: false }) })
  const left = async () => (await client.query("select indisvalid from pg_index where indexrelid = to_regclass('twice_n')")).rows
  await t.rejects(client.query('create unique index concurrently twice_n on twice (n)'))
  t.same(await left(), [{ indisvalid: false }], 'as a killed process leaves it')
  await t.rejects(migrateToLatest(url, { provider }), { message: /^20991231000000_unique failed: could not create unique index "twice_n"\nit runs outside a transaction: what it had done stays, and it can be run again$/ })
  t.same(await left(), [], 'the failed build left nothing')
  await t.rejects(client.query('create unique index concurrently twice_n on twice (n)'))
  await client.query('delete from twice where ctid in (select ctid from twice limit 1)')
  t.same(await migrateToLatest(url, { provider }), ['20991231000000_unique'])
  t.same(await left(), [{ indisvalid: true }])
})

await t.test('a migration without a way down says so', async (t) => {
  const url = await createTestDatabase(t as never)
  const provider = withMore({ '20991231000000_one_way': { up: async () => {} } })
  await migrateToLatest(url, { provider })
  t.match((await said(t, () => rollback(url, [], limits, provider))).failed, /^20991231000000_one_way cannot be taken back: it has no way down/)
})
