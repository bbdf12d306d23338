import { sql, type Kysely } from 'kysely'

/** People, the roles they hold, and what each role may do. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table users (
      id uuid constraint users_pkey primary key,
      email citext not null constraint users_email_key unique,
      name text not null,
      job_title text,
      department text,
      timezone text not null default 'America/Toronto',
      locale text not null default 'en-CA',
      is_active boolean not null default true,
      version integer not null default 1,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      constraint users_email_form check (length(email) <= 254 and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
      constraint users_name_length check (length(name) between 1 and 200),
      constraint users_job_title_length check (length(job_title) between 1 and 200),
      constraint users_department_known check (department in ('Operations', 'Procurement', 'Accounting', 'Service', 'Estimating', 'Scheduling')),
      constraint users_timezone_known check (is_time_zone(timezone)),
      constraint users_locale_form check (locale ~ '^[a-z]{2,3}(-[A-Z]{2})?$')
    )`.execute(db)
  await sql`create index users_by_name on users (lower(name), id)`.execute(db)
  // '@jane.doe' in a comment means the person whose address starts so.
  await sql`create index users_by_mailbox on users (split_part(email::text, '@', 1)) where is_active`.execute(db)

  await sql`
    create table roles (
      id uuid constraint roles_pkey primary key,
      slug text not null constraint roles_slug_key unique,
      name text not null,
      description text not null default '',
      is_system boolean not null default false,
      version integer not null default 1,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      constraint roles_slug_form check (slug ~ '^[a-z][a-z0-9_-]{0,62}$'),
      constraint roles_name_length check (length(name) between 1 and 100)
    )`.execute(db)
  await sql`
    create table permissions (
      code text constraint permissions_pkey primary key,
      description text not null,
      constraint permissions_code_form check (code ~ '^[a-z_]+:[a-z_]+$')
    )`.execute(db)
  await sql`
    create table role_permissions (
      role_id uuid not null constraint role_permissions_role_id_fkey references roles on delete cascade,
      permission_code text not null constraint role_permissions_permission_code_fkey references permissions on delete cascade,
      constraint role_permissions_pkey primary key (role_id, permission_code)
    )`.execute(db)
  await sql`create index role_permissions_by_permission on role_permissions (permission_code)`.execute(db)
  await sql`
    create table user_roles (
      user_id uuid not null constraint user_roles_user_id_fkey references users on delete cascade,
      role_id uuid not null constraint user_roles_role_id_fkey references roles on delete restrict,
      constraint user_roles_pkey primary key (user_id, role_id)
    )`.execute(db)
  await sql`create index user_roles_by_role on user_roles (role_id)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table user_roles, role_permissions, permissions, roles, users`.execute(db)
}
