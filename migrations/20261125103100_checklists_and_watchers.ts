import { sql, type Kysely } from 'kysely'

/** The steps of a task, in an order without gaps; and who wants to know what becomes of it. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table checklist_items (
      id uuid constraint checklist_items_pkey primary key,
      task_id uuid not null constraint checklist_items_task_id_fkey references tasks on delete cascade,
      label text not null,
      position integer not null,
      done_at timestamptz,
      done_by uuid constraint checklist_items_done_by_fkey references users on delete restrict,
      created_by uuid not null constraint checklist_items_created_by_fkey references users on delete restrict,
      version integer not null default 1,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      constraint checklist_items_place_key unique (task_id, position) deferrable,
      constraint checklist_items_label_length check (length(label) between 1 and 500),
      constraint checklist_items_few check (position between 1 and 200),
      constraint checklist_items_done_by_someone check ((done_at is null) = (done_by is null))
    )`.execute(db)
  await sql`create index checklist_items_by_doer on checklist_items (done_by) where done_by is not null`.execute(db)
  await sql`create index checklist_items_by_creator on checklist_items (created_by)`.execute(db)

  await sql`
    create table task_watchers (
      task_id uuid not null constraint task_watchers_task_id_fkey references tasks on delete cascade,
      user_id uuid not null constraint task_watchers_user_id_fkey references users on delete cascade,
      created_at timestamptz not null default clock_timestamp(),
      constraint task_watchers_pkey primary key (user_id, task_id)
    )`.execute(db)
  await sql`create index task_watchers_by_task on task_watchers (task_id, user_id)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table task_watchers, checklist_items`.execute(db)
}
