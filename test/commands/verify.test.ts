import t from 'tap'
import { verify } from '../../commands/verify/index.js'
import { seedDatabase } from '../../demo/index.js'
import { createTestDatabase, execute } from '../database.js'

async function run (url: string, ...argv: string[]): Promise<{ good: boolean, text: string }> {
  const lines: string[] = []
  const good = await verify(url, argv, (line) => lines.push(line))
  return { good, text: lines.join('\n') }
}
/** The names of the checks that found something. */
const wrongIn = async (url: string): Promise<string[]> => JSON.parse((await run(url, '--json')).text).filter(({ ok }: { ok: boolean }) => !ok).map(({ name }: { name: string }) => name)

await t.test('each check finds what is wrong, names some of it, and nothing else does', async (t) => {
  const url = await createTestDatabase(t as never)
  await seedDatabase(url, { tasks: 60, seed: 1 })
  const { good, text } = await run(url)
  t.ok(good, text)
  t.match(text, /^all \d+ checks are ok$/m)

  /** What breaks a thing behind the constraints' backs, and what puts it right again. */
  const unwatched = (...statements: string[]) => ['set session_replication_role = replica', ...statements]
  const damages: [checks: string[], ruin: string[], repair: string[]][] = [
    [['migrations'], ["insert into kysely_migration values ('20991231000000_later', now()::text)"], ["delete from kysely_migration where name like '2099%'"]],
    [['job_queue'], ['alter table graphile_worker.migrations rename to moved'], ['alter table graphile_worker.moved rename to migrations']],
    [['indexes'], ["update pg_index set indisvalid = false where indexrelid = 'tasks_by_tag'::regclass"], ["update pg_index set indisvalid = true where indexrelid = 'tasks_by_tag'::regclass"]],
    [['constraints'], ['alter table tasks add constraint later check (number > 0) not valid'], ['alter table tasks drop constraint later']],
    [['triggers'], ['alter table comments disable trigger all'], ['alter table comments enable trigger all']],
    [['foreign_keys'], unwatched("insert into user_roles select '00000000-0000-7000-8000-000000000001', id from roles limit 1"), ["delete from user_roles where user_id = '00000000-0000-7000-8000-000000000001'"]],
    [['sequences'], ['insert into event_outbox (seq, event_id, event_at) overriding system value select 1000000, event_id, event_at from event_positions where position = 1', 'delete from event_positions where position = 1'], ['insert into event_positions (position, event_id, event_at) select 1, event_id, event_at from event_outbox', 'delete from event_outbox']],
    [['partitions'], ["do $$ begin execute 'alter table ' || to_char(now() at time zone 'UTC' + interval '1 month', '\"activity_log_\"YYYY_MM') || ' rename to elsewhere'; end $$"], ["do $$ begin execute 'alter table elsewhere rename to ' || to_char(now() at time zone 'UTC' + interval '1 month', '\"activity_log_\"YYYY_MM'); end $$"]],
    [['ledger'], ["update stat_totals set count = count + 1 where dim = 'status'"], ['select rebuild_stats()']],
    [['ball_holds'], unwatched('create table kept as select * from ball_holds where no = 1 order by task_id limit 1', 'update ball_holds h set started_at = h.started_at + interval \'1 microsecond\' from kept k where k.task_id = h.task_id and h.no = 1'), unwatched('update ball_holds h set started_at = k.started_at from kept k where k.task_id = h.task_id and h.no = 1', 'drop table kept')],
    [['ball_in_court'], unwatched('update tasks set ball_no = ball_no + 1'), unwatched('update tasks set ball_no = ball_no - 1')],
    [['positions'], ['update event_sequencer set last_position = last_position + 1'], ['update event_sequencer set last_position = last_position - 1']],
    [['events'], ["insert into event_outbox (event_id, event_at) values ('00000000-0000-7000-8000-000000000001', now())"], ['delete from event_outbox']],
    [['event_projects'], ['create table kept as select position, project_id from event_positions where project_id is not null order by position limit 1', 'update event_positions e set project_id = null from kept k where k.position = e.position'], ['update event_positions e set project_id = k.project_id from kept k where k.position = e.position', 'drop table kept']],
    [['outbox', 'positions'], ['insert into event_outbox (event_id, event_at) select event_id, event_at from event_positions where position = 1', 'delete from event_positions where position = 1'], ['insert into event_positions (position, event_id, event_at) select 1, event_id, event_at from event_outbox', 'delete from event_outbox']],
    [['files'], ["insert into stored_files (id, storage, state, since) values ('00000000-0000-7000-8000-000000000001', 'local', 'kept', now())"], ['delete from stored_files where id = \'00000000-0000-7000-8000-000000000001\'']]
  ]
  for (const [names, ruin, repair] of damages) {
    await execute(url, ...ruin)
    const wrong = await wrongIn(url)
    for (const name of names) t.ok(wrong.includes(name), `${name} is found: ${wrong.join(', ')}`)
    await execute(url, ...repair)
  }
  t.same(await wrongIn(url), [], 'all is well again')
})

await t.test('the text counts what is wrong and says some ids, and a check that cannot be made stops no other', async (t) => {
  const url = await createTestDatabase(t as never)
  await execute(url, 'drop table stored_files cascade',
    "insert into event_outbox (event_id, event_at) select ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, now() from generate_series(1, 7) i")
  const { good, text } = await run(url)
  t.notOk(good)
  t.match(text, /^WRONG {2}files .*\n {7}could not be checked: relation "stored_files" does not exist$/m)
  t.match(text, /^WRONG {2}events .*\n {7}7 wrong, such as\n {9}00000000-0000-7000-8000-000000000001 is not in the log\n(.*\n){3} {9}.*000005 is not in the log$/m)
  t.match(text, /^2 of \d+ checks found something wrong: events, files$/m)
})
