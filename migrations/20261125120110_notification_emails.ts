import { sql, type Kysely } from 'kysely'

/**
 * What people are told by e-mail: `notification_emails` are the e-mails, `notification_email_items` what each tells. An e-mail
 * gathers what comes until it is due; one of a person and mode gathers at a time.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table notification_preferences drop constraint notification_preferences_channel_known,
      add constraint notification_preferences_channel_known check (channel in ('in_app', 'email'))`.execute(db)
  await sql`
    create table notification_settings (
      user_id uuid constraint notification_settings_pkey primary key constraint notification_settings_user_id_fkey references users on delete cascade,
      email_mode text not null default 'instant',
      daily_at time not null default '07:00',
      quiet_from time,
      quiet_to time,
      updated_at timestamptz not null default clock_timestamp(),
      constraint notification_settings_email_mode_known check (email_mode in ('off', 'instant', 'daily')),
      constraint notification_settings_quiet_both check ((quiet_from is null) = (quiet_to is null)),
      constraint notification_settings_quiet_ends check (quiet_from <> quiet_to)
    )`.execute(db)
  await sql`
    create table notification_emails (
      id uuid constraint notification_emails_pkey primary key,
      user_id uuid not null constraint notification_emails_user_id_fkey references users on delete cascade,
      mode text not null,
      day date,
      state text not null default 'gathering',
      due_at timestamptz not null,
      attempts integer not null default 0,
      error text,
      sent_at timestamptz,
      created_at timestamptz not null default clock_timestamp(),
      constraint notification_emails_mode_known check (mode in ('instant', 'daily')),
      constraint notification_emails_day_of_daily check ((day is not null) = (mode = 'daily')),
      constraint notification_emails_state_known check (state in ('gathering', 'sending', 'sent', 'skipped', 'failed')),
      constraint notification_emails_sent check ((sent_at is not null) = (state = 'sent')),
      constraint notification_emails_error_length check (length(error) <= 2000)
    )`.execute(db)
  await sql`create unique index notification_emails_one_gathers on notification_emails (user_id, mode) where state = 'gathering'`.execute(db)
  await sql`create unique index notification_emails_one_a_day on notification_emails (user_id, day) where mode = 'daily' and state <> 'skipped'`.execute(db)
  await sql`create index notification_emails_due on notification_emails (due_at) where state in ('gathering', 'sending')`.execute(db)
  await sql`create index notification_emails_by_user on notification_emails (user_id)`.execute(db)
  await sql`create index notification_emails_by_age on notification_emails (created_at)`.execute(db)
  // A notification is in one e-mail: nobody is sent the same thing twice.
  await sql`
    create table notification_email_items (
      notification_id uuid constraint notification_email_items_pkey primary key constraint notification_email_items_notification_id_fkey references notifications on delete cascade,
      email_id uuid not null constraint notification_email_items_email_id_fkey references notification_emails on delete cascade
    )`.execute(db)
  await sql`create index notification_email_items_by_email on notification_email_items (email_id)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table notification_email_items, notification_emails, notification_settings`.execute(db)
  await sql`delete from notification_preferences where channel = 'email'`.execute(db)
  await sql`
    alter table notification_preferences drop constraint notification_preferences_channel_known,
      add constraint notification_preferences_channel_known check (channel in ('in_app'))`.execute(db)
}
