import { sql, type Kysely } from 'kysely'

/**
 * Links by which people without an account look at one task or project. Of a link to a task the project is that of the task,
 * also when it moves: the key sees to it. A link that is over is kept for a while, to be asked about.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table guest_links (
      id uuid constraint guest_links_pkey primary key,
      project_id uuid not null constraint guest_links_project_id_fkey references projects on delete cascade,
      task_id uuid,
      name text not null,
      secret_hash bytea not null,
      created_by uuid not null constraint guest_links_created_by_fkey references users on delete cascade,
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz not null,
      revoked_at timestamptz,
      revoked_by uuid constraint guest_links_revoked_by_fkey references users on delete set null,
      last_used_at timestamptz,
      constraint guest_links_task_id_fkey foreign key (project_id, task_id) references tasks (project_id, id) on update cascade on delete cascade,
      constraint guest_links_name_length check (length(name) between 1 and 100),
      constraint guest_links_secret_hash_sha256 check (octet_length(secret_hash) = 32),
      constraint guest_links_expires_later check (expires_at > created_at)
    )`.execute(db)
  await sql`create index guest_links_by_age on guest_links (created_at, id)`.execute(db)
  await sql`create index guest_links_by_project on guest_links (project_id, created_at, id)`.execute(db)
  await sql`create index guest_links_by_task on guest_links (task_id, project_id) where task_id is not null`.execute(db)
  await sql`create index guest_links_by_creator on guest_links (created_by)`.execute(db)
  await sql`create index guest_links_by_revoker on guest_links (revoked_by) where revoked_by is not null`.execute(db)
  await sql`create index guest_links_over on guest_links (least(revoked_at, expires_at))`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table guest_links`.execute(db)
}
