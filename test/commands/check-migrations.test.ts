import { sql, type Kysely, type Migration } from 'kysely'
import t from 'tap'
import { checkMigrations, firstRelease } from '../../commands/check-migrations/index.js'
import { knownMigrations, releaseMigrations } from '../../plugins/database/migrator.js'
import { createTestDatabase, emptyDatabase } from '../database.js'

type Made = Migration & { transaction?: boolean, contracts?: string }

/** A migration of these statements, or of a function of its own. */
function made (statements: string[], flags: Pick<Made, 'transaction' | 'contracts'> = {}): Made {
  return {
    up: async (db: Kysely<unknown>) => { for (const text of statements) await sql.raw(text).execute(db) },
    down: async () => {},
    ...flags
  }
}

const landed = await releaseMigrations.getMigrations()
const newest = Object.keys(landed).sort().at(-1) as string

/** What the check says of the last of these, which come after those of this release. */
async function verdictOn (...migrations: Made[]) {
  const more = Object.fromEntries(migrations.map((migration, n) => [`2099123100000${n}_made`, migration]))
  const verdicts = await checkMigrations(await createTestDatabase(t as never), { getMigrations: async () => ({ ...landed, ...more }) }, newest)
  return verdicts.at(-1)?.refusals ?? []
}

await t.test('the migrations of this release pass', async (t) => {
  const verdicts = await checkMigrations(await emptyDatabase(t as never))
  t.same(verdicts.flatMap(({ refusals }) => refusals), [])
  t.equal(verdicts.length, (await knownMigrations()).filter((name) => name > firstRelease).length)
})

const refused: [string, Made | Made[], RegExp, RegExp][] = [
  ['a table that is renamed', made(['alter table comments rename to remarks']), /^renames comments to remarks$/, /beside it, write both, fill it in batches/],
  ['a table that is dropped', made(['drop table ball_nudges']), /^drops ball_nudges$/, /one release later/],
  ['a column that is renamed', made(['alter table tasks rename title to name']), /^renames the column tasks\.title to name$/, /write both/],
  ['a column that is dropped', made(['alter table users drop column phone']), /^drops the column users\.phone$/, /export const contracts/],
  ['another type', made(['alter table users alter column phone type varchar(50)']), /^changes the type of users\.phone from text to character varying\(50\)$/, /write both/],
  ['a table that is rewritten', made(['alter table tasks add column twice text generated always as (title || title) stored']), /^rewrites or empties the table tasks/, /in batches/],
  ['a default that is not constant', made(['alter table tasks add column token uuid default gen_random_uuid()']), /^rewrites or empties the table tasks/, /constant/],
  ['NOT NULL without a default', made(['alter table tasks add column cost integer not null']), /^adds tasks\.cost as NOT NULL without a default/, /constant default/],
  ['NOT NULL of a column that is there', made(['alter table tasks alter column department set not null']), /^makes tasks\.department NOT NULL, and looks through the whole table/, /not valid/],
  ['a default that is taken away', made(['alter table tasks alter column priority drop default']), /^drops the default of tasks\.priority/, /release/],
  ['a constraint that is dropped', made(['alter table projects drop constraint projects_name_length']), /^drops the constraint projects_name_length$/, /widen/],
  ['a constraint that is renamed', made(['alter table projects rename constraint projects_name_length to projects_name_short']), /^renames the constraint projects_name_length$/, /release/],
  ['a check that is validated at once', made(["alter table tasks add constraint tasks_titled check (title <> '')"]), /^adds the check tasks_titled on tasks/, /not valid/],
  ['a check that is validated in the same transaction', made(["alter table tasks add constraint tasks_titled check (title <> '') not valid", 'alter table tasks validate constraint tasks_titled']), /^adds the check tasks_titled on tasks/, /migration of its own/],
  ['a foreign key that is validated at once', made(['alter table stat_ledger add constraint stat_ledger_project_id_fkey foreign key (project_id) references projects']), /^adds the foreign key stat_ledger_project_id_fkey/, /validate constraint/],
  ['a unique constraint that builds its index', made(['alter table tasks add constraint tasks_title_key unique (title)']), /^adds the unique constraint tasks_title_key on tasks and builds its index/, /using index/],
  ['an exclusion constraint', made(['alter table work_holidays add constraint x check (true)', 'alter table tasks add constraint tasks_one exclude (number with =)']), /^adds the exclusion constraint tasks_one/, /no concurrent way/],
  ['an index that is not built concurrently', made(['create index tasks_title on tasks (title)']), /^builds the index tasks_title while nobody can write to tasks$/, /concurrently/],
  ['the same outside a transaction', made(['create index if not exists tasks_title on tasks (title)'], { transaction: false }), /^builds the index tasks_title/, /concurrently/],
  ['an index of a partitioned table', made(['create index activity_log_made on activity_log (actor_id, id)']), /^builds the index activity_log_made while nobody can write to activity_log$/, /on only/],
  ['an index that is dropped', made(['drop index idx_tasks_status']), /^drops the index idx_tasks_status, which the statements/, /later/],
  ['rows that are changed in one transaction', made(["update tasks set department = '' where department is null"]), /^changes rows of tasks/, /thousand rows at a time/],
  ['the same hidden in a block', made(["do $$ begin execute 'delete from ' || 'comments'; end $$"]), /^changes rows of comments/, /in one transaction|rows at a time/],
  ['the same outside a transaction and not in batches', made(["update tasks set department = '' where department is null"], { transaction: false }), /^changes rows of tasks/, /limit 1000/],
  ['two tables closed at once', made(['alter table tasks add column a text', 'alter table projects add column a text']), /^closes projects and tasks at once|^closes tasks and projects at once/, /one migration for each/],
  ['a function that is dropped', made(['drop function forget_stats cascade']), /^drops or renames the function forget_stats\(\)$/, /later/],
  ['a trigger that is dropped', made(['drop trigger stat_ledger_append_only on stat_ledger']), /^drops or renames the trigger stat_ledger_append_only on stat_ledger$/, /later/],
  ['an enum value that is renamed', [made(["create type colour as enum ('red')"]), made(["alter type colour rename value 'red' to 'rouge'"])], /^drops or renames the enum value colour 'red'$/, /later/],
  ['what cannot be run again outside a transaction', made(['create index concurrently tasks_title on tasks (title)'], { transaction: false }), /^it runs outside a transaction and cannot be run again after it was interrupted: relation "tasks_title" already exists$/, /if not exists/],
  ['a migration without a way back', { up: async () => {} }, /^it has no way down$/, /down/]
]

await t.test('what the release that runs could not live with is refused, with the safe way', async (t) => {
  for (const [title, migrations, what, instead] of refused) {
    const refusals = await verdictOn(...[migrations].flat()).catch((error: Error) => [{ what: error.message, instead: '' }])
    t.ok(refusals.some((refusal) => what.test(refusal.what) && instead.test(refusal.instead)), `${title}: ${JSON.stringify(refusals)}`)
  }
})

await t.test('a new column of each kind that is safe, new tables, concurrent indexes and backfills in batches pass', async (t) => {
  const safe: [string, ...Made[]][] = [
    ['a plain column, one with a constant', made(["alter table tasks add column a text, add column b text not null default 'x'"])],
    ['a new table with keys, index and rows', made(['create table made (id uuid primary key, task_id uuid not null references tasks, n integer unique)', 'create index made_task_id on made (task_id)', 'insert into made (id) select gen_random_uuid() where false', 'alter table made rename n to m'])],
    ['a small table, whichever way', made(["update roles set description = description || '.'", "alter table roles add constraint roles_named check (name <> '')"])],
    ['an index beside readers and writers', made(['create index concurrently if not exists tasks_title on tasks (title)'], { transaction: false })],
    ['a unique constraint by an index that is there', made(['create unique index concurrently if not exists tasks_made_key on tasks (id, title)'], { transaction: false }), made(['alter table tasks add constraint tasks_made_key unique using index tasks_made_key'])],
    ['a check in two steps', made(["alter table tasks add constraint tasks_titled check (title <> '') not valid"]), made(['alter table tasks validate constraint tasks_titled'])],
    ['a check that is widened', made(["alter table notifications drop constraint notifications_type_known, add constraint notifications_type_known check (type <> '') not valid"])],
    ['rows in batches', made(["update tasks set department = '' where id in (select id from tasks where department is null limit 1000)"], { transaction: false })],
    ['a nullable that was required', made(['alter table tasks alter column title drop not null'])],
    ['an enum value more', made(["create type colour as enum ('red')"]), made(["alter type colour add value 'blue'"])]
  ]
  for (const [title, ...migrations] of safe) t.same(await verdictOn(...migrations).catch((error: Error) => error.message), [], title)
})

await t.test('what contracts on purpose says why, which does not excuse a long lock', async (t) => {
  const contracts = 'release 7 stopped reading it'
  t.same(await verdictOn(made(['alter table users drop column phone'], { contracts })), [])
  t.match(await verdictOn(made(['alter table users drop column phone'], { contracts: ' ' })), [{ what: /^drops the column/ }], 'an empty reason is none')
  t.same(await verdictOn(made(['drop index concurrently if exists idx_tasks_status'], { contracts, transaction: false })), [])
  t.match(await verdictOn(made(['drop index idx_tasks_status'], { contracts })), [{ what: /^drops the index idx_tasks_status while nobody can use tasks$/ }])
  const proven = [made(['alter table tasks add constraint tasks_department_there check (department is not null) not valid']), made(['alter table tasks validate constraint tasks_department_there'])]
  t.match(await verdictOn(...proven, made(['alter table tasks alter column department set not null'])), [{ what: 'makes tasks.department NOT NULL' }])
  t.same(await verdictOn(...proven, made(['alter table tasks alter column department set not null'], { contracts })), [])
})
