import { sql, type Kysely } from 'kysely'

/** Personal access tokens: their hash, what they may, until when, and when they were last used. A revoked one is kept for a while, to be asked about. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table api_tokens (
      id uuid constraint api_tokens_pkey primary key,
      user_id uuid not null constraint api_tokens_user_id_fkey references users on delete cascade,
      name text not null,
      scopes text[] not null,
      secret_hash bytea not null,
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz not null,
      revoked_at timestamptz,
      revoked_by uuid constraint api_tokens_revoked_by_fkey references users on delete set null,
      last_used_at timestamptz,
      last_used_ip inet,
      constraint api_tokens_name_length check (length(name) between 1 and 100),
      constraint api_tokens_scopes_some check (cardinality(scopes) between 1 and 100),
      constraint api_tokens_secret_hash_sha256 check (octet_length(secret_hash) = 32),
      constraint api_tokens_secret_hash_key unique (secret_hash),
      constraint api_tokens_expires_later check (expires_at > created_at)
    )`.execute(db)
  await sql`create index api_tokens_by_holder on api_tokens (user_id, created_at, id)`.execute(db)
  await sql`create index api_tokens_by_age on api_tokens (created_at, id)`.execute(db)
  await sql`create index api_tokens_over on api_tokens (least(revoked_at, expires_at))`.execute(db)
  await sql`create index api_tokens_by_revoker on api_tokens (revoked_by) where revoked_by is not null`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table api_tokens`.execute(db)
}
