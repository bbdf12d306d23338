import { sql, type Kysely } from 'kysely'

/**
 * What the live stream and coalescing need: `position` is that of the newest event that a notification tells of, and the
 * id of its event on the stream; rows whose event has none are older than the stream. `event_count` is of how many events
 * it tells, `updated_at` the time of the newest. And what each person wants to be told, by type and channel.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table notifications
      add column position bigint,
      add column event_count integer not null default 1 constraint notifications_event_count_positive check (event_count > 0),
      add column updated_at timestamptz,
      drop constraint notifications_type_known,
      add constraint notifications_type_known check (type in ('task_assigned', 'ball_received', 'mentioned', 'commented', 'task_changed'))`.execute(db)
  await sql`
    update notifications n set position = e.position, updated_at = n.created_at
    from notifications x left join event_positions e on e.event_id = x.event_id where x.id = n.id`.execute(db)
  // One event tells one person one thing: a position is one row's of theirs.
  await sql`alter table notifications add constraint notifications_position_key unique (user_id, position)`.execute(db)

  await sql`
    create table notification_preferences (
      user_id uuid not null constraint notification_preferences_user_id_fkey references users on delete cascade,
      type text not null,
      channel text not null,
      is_on boolean not null,
      updated_at timestamptz not null default clock_timestamp(),
      constraint notification_preferences_pkey primary key (user_id, type, channel),
      constraint notification_preferences_type_form check (type ~ '^[a-z_]{1,40}$'),
      constraint notification_preferences_channel_known check (channel in ('in_app'))
    )`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table notification_preferences`.execute(db)
  // The types that came with this migration go with it: the check before does not know them.
  await sql`delete from notifications where type in ('commented', 'task_changed')`.execute(db)
  await sql`
    alter table notifications drop column position, drop column event_count, drop column updated_at,
      drop constraint notifications_type_known,
      add constraint notifications_type_known check (type in ('task_assigned', 'ball_received', 'mentioned'))`.execute(db)
}
