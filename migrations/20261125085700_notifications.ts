import { sql, type Kysely } from 'kysely'

/** What a person is told: at most one row for one event and person. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table notifications (
      id uuid constraint notifications_pkey primary key,
      user_id uuid not null constraint notifications_user_id_fkey references users on delete cascade,
      type text not null,
      event_id uuid not null,
      actor_id uuid not null constraint notifications_actor_id_fkey references users on delete restrict,
      project_id uuid not null constraint notifications_project_id_fkey references projects on delete restrict,
      task_id uuid not null constraint notifications_task_id_fkey references tasks on delete restrict,
      comment_id uuid constraint notifications_comment_id_fkey references comments on delete restrict,
      read_at timestamptz,
      created_at timestamptz not null,
      constraint notifications_once_per_event unique (event_id, user_id),
      constraint notifications_type_known check (type in ('task_assigned', 'ball_received', 'mentioned'))
    )`.execute(db)
  await sql`create index idx_notifications_user_id on notifications (user_id, created_at desc, id desc)`.execute(db)
  await sql`create index notifications_unread on notifications (user_id, created_at desc, id desc) where read_at is null`.execute(db)
  await sql`create index idx_notifications_created_at on notifications (created_at desc)`.execute(db)
  await sql`create index notifications_by_project on notifications (project_id)`.execute(db)
  await sql`create index notifications_by_comment on notifications (comment_id) where comment_id is not null`.execute(db)
  await sql`create index notifications_by_task on notifications (task_id)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table notifications`.execute(db)
}
