import { sql, type Kysely } from 'kysely'

/** What people say under a task, and whom they mention. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table comments (
      id uuid constraint comments_pkey primary key,
      task_id uuid not null constraint comments_task_id_fkey references tasks on delete cascade,
      author_id uuid not null constraint comments_author_id_fkey references users on delete restrict,
      body text not null,
      edited_at timestamptz,
      version integer not null default 1,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      deleted_at timestamptz,
      deleted_by uuid constraint comments_deleted_by_fkey references users on delete restrict,
      constraint comments_body_length check (length(body) between 1 and 10000),
      constraint comments_deleted_by_someone check ((deleted_at is null) = (deleted_by is null))
    )`.execute(db)
  await sql`create index comments_by_task on comments (task_id, created_at, id) where deleted_at is null`.execute(db)
  await sql`create index comments_by_author on comments (author_id, created_at)`.execute(db)

  await sql`
    create table comment_mentions (
      comment_id uuid not null constraint comment_mentions_comment_id_fkey references comments on delete cascade,
      user_id uuid not null constraint comment_mentions_user_id_fkey references users on delete restrict,
      constraint comment_mentions_pkey primary key (comment_id, user_id)
    )`.execute(db)
  await sql`create index comment_mentions_by_user on comment_mentions (user_id, comment_id)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table comment_mentions, comments`.execute(db)
}
