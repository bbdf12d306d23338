import { sql, type Kysely } from 'kysely'

/**
 * How people sign in by password: `user_credentials` has the hash, `sessions` who is signed in where, `refresh_tokens` the
 * tokens that a session had, by their SHA-256. A session is the family of its tokens.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table user_credentials (
      user_id uuid constraint user_credentials_pkey primary key constraint user_credentials_user_id_fkey references users on delete cascade,
      password_hash text not null,
      changed_at timestamptz not null default clock_timestamp(),
      constraint user_credentials_password_hash_form check (password_hash like '$argon2id$%' and length(password_hash) <= 500)
    )`.execute(db)
  await sql`
    create table sessions (
      id uuid constraint sessions_pkey primary key,
      user_id uuid not null constraint sessions_user_id_fkey references users on delete cascade,
      ip inet not null,
      user_agent text,
      created_at timestamptz not null default clock_timestamp(),
      last_used_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz not null,
      must_end_at timestamptz not null,
      ended_at timestamptz,
      end_reason text,
      constraint sessions_user_agent_length check (length(user_agent) <= 300),
      constraint sessions_expire_in_time check (expires_at <= must_end_at),
      constraint sessions_end_has_reason check ((ended_at is null) = (end_reason is null)),
      constraint sessions_end_reason_known check (end_reason in ('signed_out', 'signed_out_everywhere', 'refresh_reused', 'password_changed', 'password_reset', 'too_many'))
    )`.execute(db)
  await sql`create index sessions_live on sessions (user_id, last_used_at) where ended_at is null`.execute(db)
  await sql`create index sessions_by_user on sessions (user_id)`.execute(db)
  await sql`create index sessions_by_expiry on sessions (expires_at)`.execute(db)
  await sql`
    create table refresh_tokens (
      token_hash bytea constraint refresh_tokens_pkey primary key,
      session_id uuid not null constraint refresh_tokens_session_id_fkey references sessions on delete cascade,
      created_at timestamptz not null default clock_timestamp(),
      rotated_at timestamptz,
      salt bytea,
      constraint refresh_tokens_token_hash_length check (length(token_hash) = 32),
      constraint refresh_tokens_salt_when_rotated check ((rotated_at is null) = (salt is null))
    )`.execute(db)
  await sql`create index refresh_tokens_by_session on refresh_tokens (session_id, rotated_at)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table refresh_tokens, sessions, user_credentials`.execute(db)
}
