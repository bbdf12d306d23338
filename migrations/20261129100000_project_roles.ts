import { sql, type Kysely } from 'kysely'

/** What is about a project or what is in it: a role can allow it in one project, too. The rest is the company's. */
const inProjects = ['projects:read', 'projects:write', 'tasks:read', 'tasks:write', 'ball:pass', 'comments:read', 'comments:write', 'comments:moderate', 'activity:read', 'reports:read']

/** The role that a person has in a project is any of the company's roles, and allows there what that allows, as far as it is about projects. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`alter table permissions add column in_projects boolean not null default false`.execute(db)
  await sql`update permissions set in_projects = true where code = any(${inProjects}::text[])`.execute(db)
  await sql`
    alter table project_members drop constraint project_members_role_known,
      add constraint project_members_role_known check (role ~ '^[a-z][a-z0-9_-]{0,62}$') not valid`.execute(db)
  await sql`alter table project_members add constraint project_members_role_fkey foreign key (role) references roles (slug) on delete restrict not valid`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`alter table project_members drop constraint project_members_role_fkey`.execute(db)
  // A role that the old release does not know becomes the one that allows least.
  await sql`update project_members set role = 'viewer', version = version + 1, updated_at = clock_timestamp() where role not in ('manager', 'member', 'viewer')`.execute(db)
  await sql`
    alter table project_members drop constraint project_members_role_known,
      add constraint project_members_role_known check (role in ('manager', 'member', 'viewer'))`.execute(db)
  await sql`alter table permissions drop column in_projects`.execute(db)
}
