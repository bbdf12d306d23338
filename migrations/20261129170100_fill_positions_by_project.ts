import { sql, type Kysely } from 'kysely'

export const transaction = false

const BATCH = 20_000

/** The events that were numbered before. Some at a time: nobody waits, and what was filled stays filled should this be stopped. */
export async function up (db: Kysely<unknown>): Promise<void> {
  const { rows: [last] } = await sql<{ position: string }>`select coalesce(max(position), 0) as position from event_positions`.execute(db)
  for (let from = 0; from <= Number(last?.position); from += BATCH) {
    await sql`
      update event_positions e set project_id = a.project_id
      from event_positions n cross join lateral (select project_id from activity_log a where a.created_at = n.event_at and a.id = n.event_id limit 1) a
      where n.position >= ${from} and n.position < ${from + BATCH} and n.project_id is null and a.project_id is not null and e.position = n.position`.execute(db)
  }
}

/** What is filled is taken away with its column. */
export async function down (): Promise<void> {}
