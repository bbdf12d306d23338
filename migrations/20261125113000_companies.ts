import { sql, type Kysely } from 'kysely'

/** Who may see the companies that one works with, and who may change them. Roles that others made are left as they are. */
const grants: Record<string, { description: string, roles: string[] }> = {
  'companies:read': { description: 'See the companies one works with, and their contacts', roles: ['admin', 'manager', 'member', 'viewer'] },
  'companies:write': { description: 'Add, change, delete and restore companies and their contacts', roles: ['admin', 'manager'] }
}

/** Outside parties: the companies that one works with, and whom one talks to there. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table companies (
      id uuid constraint companies_pkey primary key,
      name text not null,
      kind text not null,
      phone text,
      version integer not null default 1,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      deleted_at timestamptz,
      deleted_by uuid constraint companies_deleted_by_fkey references users on delete restrict,
      constraint companies_name_length check (length(name) between 1 and 200),
      constraint companies_phone_length check (length(phone) between 1 and 50),
      constraint companies_kind_known check (kind in ('gc', 'architect', 'engineer', 'vendor', 'sub', 'owner', 'ahj')),
      constraint companies_deleted_by_someone check ((deleted_at is null) = (deleted_by is null))
    )`.execute(db)
  await sql`create unique index companies_name_key on companies (lower(name)) where deleted_at is null`.execute(db)
  await sql`create index companies_by_name on companies (lower(name), id) where deleted_at is null`.execute(db)
  // For what a name begins with, whatever the collation of the database.
  await sql`create index companies_by_prefix on companies (lower(name) text_pattern_ops) where deleted_at is null`.execute(db)

  await sql`
    create table contacts (
      id uuid constraint contacts_pkey primary key,
      company_id uuid not null constraint contacts_company_id_fkey references companies on delete restrict,
      name text not null,
      email citext,
      phone text,
      title text,
      version integer not null default 1,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      deleted_at timestamptz,
      deleted_by uuid constraint contacts_deleted_by_fkey references users on delete restrict,
      constraint contacts_company_key unique (company_id, id),
      constraint contacts_name_length check (length(name) between 1 and 200),
      constraint contacts_email_form check (length(email) <= 254 and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
      constraint contacts_phone_length check (length(phone) between 1 and 50),
      constraint contacts_title_length check (length(title) between 1 and 200),
      constraint contacts_deleted_by_someone check ((deleted_at is null) = (deleted_by is null))
    )`.execute(db)
  await sql`create unique index contacts_email_key on contacts (company_id, email) where deleted_at is null`.execute(db)
  await sql`create index contacts_by_company on contacts (company_id, lower(name), id) where deleted_at is null`.execute(db)

  await sql`insert into permissions (code, description) select key, value ->> 'description' from jsonb_each(${JSON.stringify(grants)}::jsonb)`.execute(db)
  await sql`
    insert into role_permissions (role_id, permission_code)
    select r.id, g.key from jsonb_each(${JSON.stringify(grants)}::jsonb) g join roles r on r.is_system and g.value -> 'roles' ? r.slug`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from permissions where code = any(${Object.keys(grants)})`.execute(db)
  await sql`drop table contacts, companies`.execute(db)
}
