import { sql, type Kysely } from 'kysely'

export const transaction = false

/** Whether anybody has a role in a project is asked when it is deleted. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`create index concurrently if not exists project_members_by_role on project_members (role)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop index concurrently if exists project_members_by_role`.execute(db)
}
