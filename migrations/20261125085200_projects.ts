import { sql, type Kysely } from 'kysely'

/** Projects, who is on them, and the last task number each has given out. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table projects (
      id uuid constraint projects_pkey primary key,
      code citext not null,
      name text not null,
      description text not null default '',
      status text not null default 'active',
      visibility text not null default 'company',
      created_by uuid not null constraint projects_created_by_fkey references users on delete restrict,
      version integer not null default 1,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      deleted_at timestamptz,
      deleted_by uuid constraint projects_deleted_by_fkey references users on delete restrict,
      constraint projects_code_form check (code ~ '^[[:alnum:]][[:alnum:]._-]{0,31}$'),
      constraint projects_name_length check (length(name) between 1 and 200),
      constraint projects_description_length check (length(description) <= 20000),
      constraint projects_status_known check (status in ('active', 'on_hold', 'closed')),
      constraint projects_visibility_known check (visibility in ('company', 'members')),
      constraint projects_deleted_by_someone check ((deleted_at is null) = (deleted_by is null))
    )`.execute(db)
  // A deleted project gives its code back; restoring it while another has the code is a conflict.
  await sql`create unique index projects_code_key on projects (code) where deleted_at is null`.execute(db)
  // With deleted rows too: a delta (updated_since) tells of deletions.
  await sql`create index projects_by_updated_at on projects (updated_at desc, id desc)`.execute(db)
  await sql`create index projects_by_created_at on projects (created_at desc, id desc) where deleted_at is null`.execute(db)
  await sql`create index projects_by_name on projects (lower(name), id) where deleted_at is null`.execute(db)
  await sql`create index projects_by_creator on projects (created_by)`.execute(db)

  await sql`
    create table project_members (
      project_id uuid not null constraint project_members_project_id_fkey references projects on delete cascade,
      user_id uuid not null constraint project_members_user_id_fkey references users on delete restrict,
      role text not null default 'member',
      added_by uuid not null constraint project_members_added_by_fkey references users on delete restrict,
      version integer not null default 1,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      constraint project_members_pkey primary key (project_id, user_id),
      constraint project_members_role_known check (role in ('manager', 'member', 'viewer'))
    )`.execute(db)
  await sql`create index project_members_by_user on project_members (user_id, project_id)`.execute(db)

  // Apart from projects, so that numbering tasks neither bloats nor locks the row that every list joins.
  await sql`
    create table project_counters (
      project_id uuid constraint project_counters_pkey primary key
        constraint project_counters_project_id_fkey references projects on delete cascade,
      last_task_number integer not null default 0,
      constraint project_counters_not_negative check (last_task_number >= 0)
    )`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table project_counters, project_members, projects`.execute(db)
}
