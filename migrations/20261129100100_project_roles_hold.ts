import { sql, type Kysely } from 'kysely'

/** Looks through the rows that were there before, while people go on writing. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`alter table project_members validate constraint project_members_role_known`.execute(db)
  await sql`alter table project_members validate constraint project_members_role_fkey`.execute(db)
}

export async function down (): Promise<void> {
  // What is known to hold goes on holding.
}
