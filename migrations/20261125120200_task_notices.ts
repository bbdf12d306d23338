import { sql, type Kysely } from 'kysely'

const before = ['task_assigned', 'ball_received', 'mentioned', 'commented', 'task_changed', 'ball_nudged', 'ball_unacknowledged', 'ball_overdue']

/** What was told of a task because time passed: that it is overdue since a due date, or idle since something happened last. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table task_notices (
      task_id uuid not null constraint task_notices_task_id_fkey references tasks on delete cascade,
      kind text not null,
      since timestamptz not null,
      recorded_at timestamptz not null,
      constraint task_notices_pkey primary key (task_id, kind),
      constraint task_notices_kind_known check (kind in ('task_overdue', 'task_idle'))
    )`.execute(db)
  await setTypes(db, [...before, 'task_overdue', 'task_idle'])
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from notifications where type in ('task_overdue', 'task_idle')`.execute(db)
  await setTypes(db, before)
  await sql`drop table task_notices`.execute(db)
}

/** What notifications may be of. */
async function setTypes (db: Kysely<unknown>, types: string[]): Promise<void> {
  await sql`
    alter table notifications drop constraint notifications_type_known,
      add constraint notifications_type_known check (type in (${sql.join(types.map((type) => sql.lit(type)))}))`.execute(db)
}
