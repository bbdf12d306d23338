import { sql, type Kysely } from 'kysely'

/** A session that ends takes its access tokens with it on every instance: whoever remembers whom they sign in is told. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create trigger sessions_rights_told after update on sessions for each row
    when (old.ended_at is distinct from new.ended_at) execute function tell_rights_changed()`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop trigger sessions_rights_told on sessions`.execute(db)
}
