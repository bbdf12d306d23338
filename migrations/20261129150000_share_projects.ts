import { sql, type Kysely } from 'kysely'

/** Who may show a project to people without an account: whoever runs projects, and not whoever works on tasks. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`insert into permissions (code, description, in_projects) values ('projects:share', 'Show a project or a task to guests by a link, and end such links', true)`.execute(db)
  // Managers have it where they still run projects: what a company took from the role that ships is not given back by this.
  await sql`
    insert into role_permissions (role_id, permission_code) select id, 'projects:share' from roles r
    where is_system and (slug = 'admin' or slug = 'manager' and exists (select from role_permissions p where p.role_id = r.id and p.permission_code = 'projects:write'))`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from permissions where code = 'projects:share'`.execute(db)
}
