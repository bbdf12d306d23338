import { sql, type Kysely } from 'kysely'

/** A telephone number and any language tag in the profile; and how a person wants the house to look. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`alter table users add column phone text constraint users_phone_form check (length(phone) <= 40 and phone ~ '^[+(]?[0-9][0-9 ().-]{3,}( ?(x|ext\\.?) ?[0-9]+)?$')`.execute(db)
  await sql`alter table users drop constraint users_locale_form`.execute(db)
  await sql`alter table users add constraint users_locale_form check (length(locale) <= 35 and locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$')`.execute(db)

  await sql`
    create table user_preferences (
      user_id uuid constraint user_preferences_pkey primary key constraint user_preferences_user_id_fkey references users on delete cascade,
      week_starts_on text not null,
      date_format text not null,
      time_format text not null,
      theme text not null,
      items_per_page integer not null,
      default_project_id uuid constraint user_preferences_default_project_id_fkey references projects on delete set null,
      version integer not null default 1,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      constraint user_preferences_week_starts_on_known check (week_starts_on in ('monday', 'saturday', 'sunday')),
      constraint user_preferences_date_format_known check (date_format in ('YYYY-MM-DD', 'DD/MM/YYYY', 'MM/DD/YYYY')),
      constraint user_preferences_time_format_known check (time_format in ('12h', '24h')),
      constraint user_preferences_theme_known check (theme in ('system', 'light', 'dark')),
      constraint user_preferences_items_per_page_range check (items_per_page between 10 and 200)
    )`.execute(db)
  await sql`create index user_preferences_by_default_project on user_preferences (default_project_id) where default_project_id is not null`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table user_preferences`.execute(db)
  await sql`alter table users drop constraint users_locale_form`.execute(db)
  // What the old form does not know falls back to its language, and that to the default.
  await sql`update users set locale = coalesce(substring(locale from '^[a-z]{2,3}'), 'en-CA') where locale !~ '^[a-z]{2,3}(-[A-Z]{2})?$'`.execute(db)
  await sql`alter table users add constraint users_locale_form check (locale ~ '^[a-z]{2,3}(-[A-Z]{2})?$')`.execute(db)
  await sql`alter table users drop column phone`.execute(db)
}
