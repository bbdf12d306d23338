import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { migrateToLatest } from '../../commands/migrate.js'
import { DatabaseHoldsRealData, isEmptyDatabase, seedDatabase } from '../../demo/index.js'
import { adminUrl, createTestDatabase, databaseUrl, execute } from '../database.js'
import { describeSchema, fingerprint, query } from './helper.js'

const now = new Date()

await t.test('bulk and checked loads make the same rows, and bulk loads leave the schema as it was', async (t) => {
  const [bulk, checked] = await Promise.all([createTestDatabase(t), createTestDatabase(t)])
  const schema = await describeSchema(bulk)
  await seedDatabase(bulk, { tasks: 1000, now, checked: false })
  await seedDatabase(checked, { tasks: 1000, now, checked: true })
  t.same(await describeSchema(bulk), schema)
  t.same(await fingerprint(bulk), await fingerprint(checked))
  t.same(await notReady(bulk, 'reltuples < 1000 or last_vacuum is null or last_analyze is null'), [], 'the planner knows it')
  t.same(await notReady(bulk, 'relallvisible = 0'), [], 'index-only scans find it ready')
  await t.rejects(execute(bulk, 'delete from activity_log'), { message: /append-only/ })
})

await t.test('the owner of a database who is no superuser gets the same', async (t) => {
  const [url, reference] = [await ownersDatabase(t), await createTestDatabase(t)]
  const schema = await describeSchema(url)
  await seedDatabase(url, { tasks: 1000, now, checked: false })
  await seedDatabase(reference, { tasks: 1000, now })
  t.same(await describeSchema(url), schema)
  t.same(await fingerprint(url), await fingerprint(reference))
})

await t.test('earlier demo data is replaced, whole', async (t) => {
  const [again, fresh] = await Promise.all([createTestDatabase(t), createTestDatabase(t)])
  t.equal(await isEmptyDatabase(again), true)
  await seedDatabase(again, { tasks: 300, seed: 1, now })
  t.equal(await isEmptyDatabase(again), false)
  await seedDatabase(again, { tasks: 100, seed: 2, now })
  await seedDatabase(fresh, { tasks: 100, seed: 2, now })
  t.same(await fingerprint(again), await fingerprint(fresh))
})

await t.test('a database with one real row is refused and left as it is', async (t) => {
  const user = "insert into users (id, email, name) values ('01938a00-0000-7000-8000-000000000001', 'real.person@edenmep.ca', 'Real Person')"
  const cases: Record<string, string[]> = {
    users: [user],
    activity_log: ["insert into activity_log (id, created_at, entity_type, entity_id, action, actor_id, project_id, version) select gen_random_uuid(), now(), 'project', project_id, 'updated', actor_id, project_id, 2 from activity_log limit 1"],
    idempotency_keys: ["insert into idempotency_keys select id, 'key', '', 201, '{}', '{}', now() from users limit 1"],
    comments: ["insert into comments (id, task_id, author_id, body, created_at, updated_at) select gen_random_uuid(), id, created_by, 'hello', now(), now() from tasks limit 1"],
    'a table of later': ['create table "a table of later" (anything int)', 'insert into "a table of later" values (1)']
  }
  for (const [table, statements] of Object.entries(cases)) {
    const url = await createTestDatabase(t)
    await seedDatabase(url, { tasks: 30, now })
    await execute(url, ...statements)
    const before = await fingerprint(url)
    const error = await seedDatabase(url, { tasks: 30, seed: 2, now }).catch((err) => err)
    t.ok(error instanceof DatabaseHoldsRealData, table)
    t.match(error, { code: 'EDEN_DATABASE_HOLDS_REAL_DATA', table, message: /not demo data/ })
    t.same(await fingerprint(url), before, `${table}: nothing changed`)
  }
})

await t.test('a load that is stopped leaves what was there', async (t) => {
  const url = await createTestDatabase(t)
  await seedDatabase(url, { tasks: 50, now })
  const [before, schema] = [await fingerprint(url), await describeSchema(url)]
  const isAsItWas = async (t: Test, name: string) => {
    t.same(await fingerprint(url), before, `${name}: the rows`)
    t.same(await describeSchema(url), schema, `${name}: the schema`)
  }

  const thrown = seedDatabase(url, { tasks: 5000, now, checked: false, onProgress: ({ done }) => { if (done >= 4000) throw new Error('stop here') } })
  await t.rejects(thrown, { message: 'stop here' })
  await isAsItWas(t, 'an error')

  let cut = false
  const lost = seedDatabase(url, {
    tasks: 10_000,
    now,
    checked: false,
    onProgress: ({ done }) => {
      if (done < 4000 || cut) return
      cut = true
      execute(url, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'eden-seed'").catch(t.threw)
    }
  })
  await t.rejects(lost)
  await isAsItWas(t, 'a lost connection')

  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', `
    import { seedDatabase } from './demo/index.ts'
    await seedDatabase(process.env.SEED_URL, { tasks: 200_000, onProgress: ({ done }) => { if (done >= 4000) process.stdout.write('on the way') } })
  `], { env: { PATH: process.env.PATH, SEED_URL: url }, stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  while ((await query(url, "select from pg_stat_activity where datname = current_database() and application_name = 'eden-seed'")).length > 0) await wait(20)
  await isAsItWas(t, 'kill -9')
})

/** Tables of which something is true that should not be after a load. */
async function notReady (url: string, condition: string): Promise<string[]> {
  const rows = await query(url, `select c.relname from pg_class c join pg_stat_user_tables s on s.relid = c.oid where c.relname in ('tasks', 'ball_holds', 'event_positions') and (${condition})`)
  return rows.map(({ relname }) => relname)
}

/** A database that a plain user owns and has migrated, as on a hosted PostgreSQL. */
async function ownersDatabase (t: Test): Promise<string> {
  const role = `${process.env.EDEN_TEST_RUN}_owner`
  const password = randomBytes(12).toString('hex')
  await execute(adminUrl(), `create role ${role} login password '${password}'`, `create database ${role} owner ${role} template template0 encoding 'UTF8'`)
  t.teardown(() => execute(adminUrl(), `drop database ${role} with (force)`, `drop role ${role}`))
  const url = new URL(databaseUrl(adminUrl(), role))
  Object.assign(url, { username: role, password })
  await migrateToLatest(url.href)
  return url.href
}
