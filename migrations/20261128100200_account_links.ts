import { sql, type Kysely } from 'kysely'

/**
 * One-time links, by the SHA-256 of their token, and the e-mails that carry them. An e-mail is asked for without its link:
 * the token is made when it is sent, and is nowhere but in it.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table account_links (
      token_hash bytea constraint account_links_pkey primary key,
      user_id uuid not null constraint account_links_user_id_fkey references users on delete cascade,
      purpose text not null,
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz not null,
      used_at timestamptz,
      constraint account_links_token_hash_length check (length(token_hash) = 32),
      constraint account_links_purpose_known check (purpose in ('invitation', 'password_reset'))
    )`.execute(db)
  // Of one person and purpose one link is good: an older one dies when another is made.
  await sql`create unique index account_links_one_is_good on account_links (user_id, purpose) where used_at is null`.execute(db)
  await sql`create index account_links_by_user on account_links (user_id)`.execute(db)
  await sql`create index account_links_by_expiry on account_links (expires_at)`.execute(db)
  await sql`
    create table account_mails (
      id uuid constraint account_mails_pkey primary key,
      purpose text not null,
      email citext not null,
      invited_by uuid constraint account_mails_invited_by_fkey references users on delete set null,
      state text not null default 'waiting',
      attempts integer not null default 0,
      due_at timestamptz not null default clock_timestamp(),
      error text,
      created_at timestamptz not null default clock_timestamp(),
      constraint account_mails_purpose_known check (purpose in ('invitation', 'password_reset')),
      constraint account_mails_state_known check (state in ('waiting', 'sent', 'skipped', 'failed')),
      constraint account_mails_email_length check (length(email) <= 254),
      constraint account_mails_error_length check (length(error) <= 2000)
    )`.execute(db)
  await sql`create unique index account_mails_one_waits on account_mails (email, purpose) where state = 'waiting'`.execute(db)
  await sql`create index account_mails_due on account_mails (due_at) where state = 'waiting'`.execute(db)
  await sql`create index account_mails_by_address on account_mails (email, created_at)`.execute(db)
  await sql`create index account_mails_by_inviter on account_mails (invited_by) where invited_by is not null`.execute(db)
  await sql`create index account_mails_by_age on account_mails (created_at)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table account_mails, account_links`.execute(db)
}
