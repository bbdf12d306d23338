import { sql, type Kysely } from 'kysely'

export const transaction = false

/** What changed in a project after a position. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`create index concurrently if not exists event_positions_by_project on event_positions (project_id, position) where project_id is not null`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop index concurrently if exists event_positions_by_project`.execute(db)
}
