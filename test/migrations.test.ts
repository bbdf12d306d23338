import { readFile } from 'node:fs/promises'
import pg from 'pg'
import t from 'tap'
import { generateSchema, generateTypes, schemaFile, typesFile } from '../commands/generate-types.js'
import { migrateToLatest } from '../commands/migrate.js'
import { runMigration } from '../plugins/database/apply.js'
import { knownMigrations, releaseMigrations, withMigrationConnection } from '../plugins/database/migrator.js'
import { constraintNames } from '../plugins/database/refusals.js'
import { createTestDatabase, emptyDatabase, execute } from './database.js'

/** Everything of the schema that a migration could leave behind or forget, one line each. */
async function schema (url: string): Promise<string[]> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query<{ line: string }>(`
    select line from (
      select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attgenerated::text || coalesce(pg_get_expr(d.adbin, d.adrelid), '') as line
      from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
      union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
      union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
      union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
      union all select 'function ' || pg_get_functiondef(p.oid) from pg_proc p where pronamespace = 'public'::regnamespace and prokind = 'f'
        and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
      union all select 'extension ' || extname from pg_extension
      union all select 'role ' || r.slug || ' ' || string_agg(p.permission_code, ' ' order by p.permission_code) from roles r join role_permissions p on p.role_id = r.id group by r.slug
    ) lines where line not like '%kysely\\_%' order by line`).catch(async (error) => {
    await client.end()
    throw error
  })
  await client.end()
  return rows.map(({ line }) => line)
}

await t.test('up, all the way down, and up again is the same schema', async (t) => {
  const url = await emptyDatabase(t as never)
  await migrateToLatest(url)
  const before = await schema(url)
  t.ok(before.length > 300, `${before.length} lines`)

  const names = await knownMigrations()
  await withMigrationConnection(url, async (db) => {
    for (const name of [...names].reverse()) await runMigration(db, 'down', name, { provider: releaseMigrations })
  })
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'S') and relname not like 'kysely%' union all select proname from pg_proc where pronamespace = 'public'::regnamespace")
  await client.end()
  t.same(rows, [], 'nothing is left behind')

  await migrateToLatest(url)
  t.same(await schema(url), before)
})

await t.test('migrating an up-to-date database does nothing, and two at once do it once', async (t) => {
  const url = await emptyDatabase(t as never)
  const applied = await Promise.all([migrateToLatest(url), migrateToLatest(url)])
  t.same(applied.map(({ length }) => length).sort((a, b) => a - b), [0, (await knownMigrations()).length])
  t.same(await migrateToLatest(url), [])
})

await t.test('the types of Kysely are those of the migrated database', async (t) => {
  const url = await createTestDatabase(t as never)
  t.equal(await readFile(typesFile, 'utf8'), await generateTypes(url), 'run `npm run db:types`')
})

await t.test('the schema that a database is held to is that of the migrations, wherever the extensions are', async (t) => {
  const url = await createTestDatabase(t as never)
  t.equal(await readFile(schemaFile, 'utf8'), await generateSchema(url), 'run `npm run db:types`')
  await execute(url, 'create schema extensions', 'alter extension citext set schema extensions', 'create table public.kysely_of_mine (id int)')
  t.equal(await generateSchema(url), await readFile(schemaFile, 'utf8'))
})

await t.test('every constraint that has a public answer exists', async (t) => {
  const lines = (await schema(await createTestDatabase(t as never))).join('\n')
  for (const name of constraintNames) t.match(lines, new RegExp(`\\b${name}\\b`), name)
})

await t.test('every foreign key has an index that begins with one of its columns', async (t) => {
  const client = new pg.Client(await createTestDatabase(t as never))
  await client.connect()
  // A person is never deleted, only deactivated: what merely notes who did something is not looked up by it.
  const { rows } = await client.query(`
    select c.conrelid::regclass || '.' || c.conname as unindexed
    from pg_constraint c
    where c.contype = 'f' and c.connamespace = 'public'::regnamespace and c.conparentid = 0
      and not exists (
        select from pg_index i where i.indrelid = c.conrelid
          and (i.indkey::int2[])[0] = any(c.conkey)
      )
      and not (c.confrelid = 'users'::regclass and c.conname ~ '(deleted_by|added_by|passed_by|actor_id)_fkey$')
    order by 1`)
  await client.end()
  t.same(rows, [])
})

await t.test('the indexes that the runbook recommends are there, and its statements do nothing more', async (t) => {
  const url = await createTestDatabase(t as never)
  const before = await schema(url)
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`
    CREATE INDEX IF NOT EXISTS idx_tasks_status ON tasks(status) WHERE deleted_at IS NULL;
    CREATE INDEX IF NOT EXISTS idx_tasks_ball_in_court ON tasks(ball_in_court) WHERE deleted_at IS NULL;
    CREATE INDEX IF NOT EXISTS idx_tasks_project_id ON tasks(project_id);
    CREATE INDEX IF NOT EXISTS idx_tasks_due_at ON tasks(due_at) WHERE deleted_at IS NULL;
    CREATE INDEX IF NOT EXISTS idx_activity_log_entity ON activity_log(entity_type, entity_id);
    CREATE INDEX IF NOT EXISTS idx_activity_log_created_at ON activity_log(created_at DESC);
    CREATE INDEX IF NOT EXISTS idx_notifications_user_id ON notifications(user_id);
    CREATE INDEX IF NOT EXISTS idx_notifications_created_at ON notifications(created_at DESC);`)
  await client.end()
  t.same(await schema(url), before)
})
