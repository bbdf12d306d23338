import { sql, type Kysely } from 'kysely'

/** The first answer to a POST that carried an Idempotency-Key, kept for its repetitions. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table idempotency_keys (
      user_id uuid not null constraint idempotency_keys_user_id_fkey references users on delete cascade,
      key text not null,
      request_hash bytea not null,
      status integer not null,
      headers json not null,
      body json not null,
      expires_at timestamptz not null,
      constraint idempotency_keys_pkey primary key (user_id, key),
      constraint idempotency_keys_key_length check (length(key) between 1 and 255)
    )`.execute(db)
  await sql`create index idempotency_keys_by_expiry on idempotency_keys (expires_at)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table idempotency_keys`.execute(db)
}
