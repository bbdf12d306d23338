import { sql, type Kysely } from 'kysely'

/** Who may say what a role allows: another right than to give roles to people (`users:write`). */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`insert into permissions (code, description) values ('roles:write', 'Add, change and delete roles, and say what they allow')`.execute(db)
  await sql`insert into role_permissions (role_id, permission_code) select id, 'roles:write' from roles where slug = 'admin' and is_system`.execute(db)
  // The list of roles is sorted by name.
  await sql`create index roles_by_name on roles (lower(name), id)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop index roles_by_name`.execute(db)
  await sql`delete from permissions where code = 'roles:write'`.execute(db)
}
