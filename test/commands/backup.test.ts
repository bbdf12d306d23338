import { execFile } from 'node:child_process'
import { access, chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import t from 'tap'
import { backup } from '../../commands/backup/backup.js'
import { findProgram } from '../../commands/backup/programs.js'
import { restore } from '../../commands/backup/restore.js'
import { introspect } from '../../commands/introspect/index.js'
import { migrateToLatest } from '../../commands/migrate.js'
import { verifyDatabase } from '../../commands/verify/index.js'
import { seedDatabase } from '../../demo/index.js'
import { startThrowawayCluster } from '../../embedded/index.js'
import { databaseUrl, execute } from '../database.js'
import { hashRows } from '../rows.js'

const debian = '/usr/lib/postgresql/15/bin'
const shell = promisify(execFile)

const withoutPrograms = await access(path.join(debian, 'pg_dump')).then(() => false, () => 'pg_dump 15 is not here: apt-get install postgresql-15')

await t.test('backup and restore, on PostgreSQL 15', { skip: withoutPrograms }, async (t) => {
  // A server of its own, so that this pg_dump is new enough whichever one the suite runs on.
  const cluster = await startThrowawayCluster({ env: { ...process.env, PG_BIN: debian } })
  t.teardown(cluster.stop)
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-backup-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = path.join(folder, 'eden.dump')
  const database = async (name: string) => {
    await execute(cluster.url, `create database ${name} template template0 encoding 'UTF8'`)
    return databaseUrl(cluster.url, name)
  }
  /** Runs a command; its output as one text. */
  const run = async <T>(command: (url: string, argv: string[], print: (line: string) => void) => Promise<T>, url: string, ...argv: string[]) => {
    const lines: string[] = []
    const result = await command(url, argv, (line) => lines.push(line))
    return { result, text: lines.join('\n') }
  }
  /** Puts a program named pg_dump before the real one, which it may call as "$real". */
  const instead = async (script: string) => {
    const bin = await mkdtemp(path.join(folder, 'bin-'))
    await writeFile(path.join(bin, 'pg_dump'), `#!/bin/sh\nreal=${debian}/pg_dump\n[ "$1" = --version ] && exec "$real" --version\n${script}\n`)
    await chmod(path.join(bin, 'pg_dump'), 0o755)
    process.env.PG_BIN = bin
  }
  const leftovers = async () => (await readdir(folder)).filter((name) => !name.startsWith('bin-')).sort()
  const url = await database('source')
  await migrateToLatest(url)
  await seedDatabase(url, { tasks: 120, seed: 1 })
  let rows: Record<string, string> = {}

  await t.test('what is backed up while others write comes back row by row', async (t) => {
    // Between the snapshot and the dump the test looks at the same snapshot.
    await instead(`printf '%s\\n' "$@" > ${folder}/bin-arguments.part; mv ${folder}/bin-arguments.part ${folder}/bin-arguments\nwhile [ ! -e ${folder}/bin-go ]; do sleep 0.05; done\nexec "$real" "$@"`)
    const writing = { on: true }
    const writer = (async () => {
      const client = new pg.Client(url)
      await client.connect()
      for (let i = 0; writing.on; i++) {
        await client.query("update tasks set title = title || '.', version = version + 1 where number = $1", [i % 20])
        await client.query("select graphile_worker.add_job('a_job_of_this_test', json_build_object('no', $1::int))", [i])
      }
      await client.end()
    })()
    const making = run(backup, url, '--file', file)
    let given: string | undefined
    for (const until = Date.now() + 60_000; Date.now() < until && given === undefined;) given = await readFile(path.join(folder, 'bin-arguments'), 'utf8').catch(() => undefined)
    rows = await hashRows(url, /^--snapshot=(.*)$/m.exec(given ?? '')?.[1])
    await writeFile(path.join(folder, 'bin-go'), '')
    const { text } = await making
    writing.on = false
    await writer
    t.match(text, /eden\.dump: .* rows of \d+ tables, by pg_dump 15/)
    t.notSame(await hashRows(url), rows, 'others wrote meanwhile')
    t.notMatch(given, new URL(url).password, 'no password in the list of processes')
    t.same(await leftovers(), ['eden.dump', 'eden.dump.json'])

    const copy = await database('copy')
    const back = await run(restore, url, '--file', file, '--into', copy)
    t.equal(back.result, true, back.text)
    t.match(back.text, /each of \d+ tables has as many rows as were backed up/)
    t.match(back.text, /all checks of db:verify are ok/)
    t.ok(Object.keys(rows).length > 70, `${Object.keys(rows).length} tables`)
    t.same(await hashRows(copy), rows)
    t.match((await run(introspect, copy)).text, /^drift from the migrations: none$/m)
    await execute(copy, 'insert into event_outbox (event_id, event_at) values (gen_random_uuid(), now())', 'delete from comment_mentions')
    await t.rejects(run(restore, url, '--file', file, '--into', copy), /the database is not empty: it has \d+ tables/)
    t.equal((await run(restore, copy, '--file', file, '--clean')).result, true)
    t.same(await hashRows(copy), rows)
    delete process.env.PG_BIN
  })

  await t.test('what breaks off leaves nothing, and what is there is not written over', async (t) => {
    await t.rejects(run(backup, url, '--file', file), /is there already/)
    await instead('head -c 100000 /dev/zero > "$(printf \'%s\\n\' "$@" | sed -n s/--file=//p)"; kill -9 $$')
    const before = await leftovers()
    await t.rejects(run(backup, url, '--file', path.join(folder, 'other.dump')), /pg_dump was ended by SIGKILL/)
    await t.rejects(run(backup, url, '--file', file, '--force'), /pg_dump was ended by SIGKILL/)
    t.same(await leftovers(), before)
    delete process.env.PG_BIN
    await t.rejects(run(backup, url, '--file', path.join(folder, 'other.dump'), '--tables', 'nothing'), /there is no table "public.nothing"/)
    await t.rejects(findProgram('pg_dump', 99), /pg_dump 99 or later is needed, as new as the server: there is .*15\.\d+ .*Install postgresql-client-99/)
  })

  await t.test('an archive that was cut off, with or without what is said of it, restores nothing', async (t) => {
    const cut = path.join(folder, 'cut.dump')
    await shell('cp', [file, cut])
    await shell('cp', [`${file}.json`, `${cut}.json`])
    await truncate(cut, (await readFile(cut)).length - 2000)
    const empty = await database('empty')
    await t.rejects(run(restore, empty, '--file', cut), /is cut off, or another file/)
    await rm(`${cut}.json`)
    await t.rejects(run(restore, empty, '--file', cut), /pg_restore failed/)
    t.same(await hashRows(empty), {}, 'one transaction: nothing of it is there')
    const copy = databaseUrl(cluster.url, 'copy')
    await t.rejects(run(restore, copy, '--file', cut, '--clean'), /pg_restore failed/)
    t.same(await hashRows(copy), rows, 'what was to be replaced is there as before')
  })

  await t.test('rows that were deleted by mistake are put back, and what hangs on them, and no other row is touched', async (t) => {
    const copy = databaseUrl(cluster.url, 'copy')
    await execute(copy, 'set session_replication_role = replica', 'create table gone as select id from tasks where number % 3 = 0',
      ...['ball_pauses', 'ball_reminders', 'ball_holds', 'task_watchers', 'comments'].map((table) => `delete from ${table} where task_id in (select id from gone)`), 'delete from tasks where id in (select id from gone)',
      "update users set name = 'Changed since' where id = (select min(id::text)::uuid from users)", 'drop table gone', 'select rebuild_stats()')
    const { result, text } = await run(restore, copy, '--file', file, '--tables', 'tasks,users,ball_holds,ball_pauses,ball_reminders,comments,task_watchers,activity_log')
    t.equal(result, true, text)
    t.match(text, /^public\.tasks: \d+ rows in the archive, [1-9]\d* were missing and are back$/m)
    t.match(text, /^public\.users: \d+ rows in the archive, 0 were missing and are back$/m)
    const now = await hashRows(copy)
    for (const table of ['tasks', 'ball_holds', 'comments', 'task_watchers']) t.equal(now[`public.${table}`], rows[`public.${table}`], table)
    t.not(now['public.users'], rows['public.users'], 'what was changed since stays changed')
    await t.rejects(run(restore, copy, '--file', file, '--tables', 'nothing'), /not in the database/)
  })

  await t.test("the runbook's own two commands bring lost tables back, and db:introspect says how to make them whole", async (t) => {
    const copy = databaseUrl(cluster.url, 'copy')
    const before = await hashRows(copy)
    const sh = (command: string) => shell('/bin/sh', ['-c', command], { cwd: folder, env: { PATH: `${debian}:${process.env.PATH}`, DATABASE_URL: copy } })
    await sh('pg_dump -t users -t projects -t tasks $DATABASE_URL > data_backup.sql')
    await execute(copy, 'drop table users, projects, tasks cascade')
    await sh('psql -v ON_ERROR_STOP=1 $DATABASE_URL < data_backup.sql')
    const lines = (await run(introspect, copy)).text.split('\n')
    const repairs = lines.flatMap((line) => /to put it back: (.*;)$/.exec(line)?.[1] ?? [])
    t.ok(repairs.length > 20 && repairs.every((statement) => /FOREIGN KEY/.test(statement)), `${repairs.length} foreign keys went with the tables`)
    await execute(copy, ...repairs)
    t.match((await run(introspect, copy)).text, /^drift from the migrations: none$/m)
    t.same(await hashRows(copy), before)
    t.same((await verifyDatabase(copy)).filter(({ ok }) => !ok), [])
  })
})
