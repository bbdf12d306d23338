import { sql, type Kysely } from 'kysely'

/** Who reminded the holder of a task's ball last when: nobody reminds of the same hold every minute. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table ball_nudges (
      task_id uuid not null constraint ball_nudges_task_id_fkey references tasks on delete cascade,
      user_id uuid not null constraint ball_nudges_user_id_fkey references users on delete cascade,
      hold_no integer not null,
      nudged_at timestamptz not null,
      constraint ball_nudges_pkey primary key (task_id, user_id)
    )`.execute(db)
  await sql`create index ball_nudges_by_person on ball_nudges (user_id)`.execute(db)
  await setTypes(db, ['task_assigned', 'ball_received', 'mentioned', 'commented', 'task_changed', 'ball_nudged', 'ball_unacknowledged', 'ball_overdue'])
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from notifications where type in ('ball_nudged', 'ball_unacknowledged', 'ball_overdue')`.execute(db)
  await setTypes(db, ['task_assigned', 'ball_received', 'mentioned', 'commented', 'task_changed'])
  await sql`drop table ball_nudges`.execute(db)
}

/** What notifications may be of. */
async function setTypes (db: Kysely<unknown>, types: string[]): Promise<void> {
  await sql`
    alter table notifications drop constraint notifications_type_known,
      add constraint notifications_type_known check (type in (${sql.join(types.map((type) => sql.lit(type)))}))`.execute(db)
}
