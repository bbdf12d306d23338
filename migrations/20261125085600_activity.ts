import { sql, type Kysely } from 'kysely'

/**
 * The activity log: one event per change, written by the transaction that makes the change, never altered after.
 *
 * Partitioned by month (UTC) so that retention is dropping a partition. Positions are given in commit order by one
 * sequencer: `event_outbox` holds what it has not numbered yet, `event_positions` what it has.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table activity_log (
      id uuid not null,
      created_at timestamptz not null,
      entity_type text not null,
      entity_id uuid not null,
      action text not null,
      actor_id uuid not null constraint activity_log_actor_id_fkey references users on delete restrict,
      project_id uuid constraint activity_log_project_id_fkey references projects on delete restrict,
      task_id uuid constraint activity_log_task_id_fkey references tasks on delete restrict,
      version integer not null,
      changes jsonb not null default '{}',
      data jsonb not null default '{}',
      request_id text,
      constraint activity_log_pkey primary key (created_at, id),
      constraint activity_log_entity_known check (entity_type ~ '^[a-z_]{1,40}$'),
      constraint activity_log_action_form check (action ~ '^[a-z_]{1,40}$'),
      constraint activity_log_changes_object check (jsonb_typeof(changes) = 'object')
    ) partition by range (created_at)`.execute(db)
  await sql`create index idx_activity_log_entity on activity_log (entity_type, entity_id, created_at desc, id desc)`.execute(db)
  await sql`create index idx_activity_log_created_at on activity_log (created_at desc, id desc)`.execute(db)
  await sql`create index activity_log_by_task on activity_log (task_id, created_at desc, id desc) where task_id is not null`.execute(db)
  await sql`create index activity_log_by_project on activity_log (project_id, created_at desc, id desc)`.execute(db)
  await sql`create index activity_log_by_action on activity_log (action, created_at desc, id desc)`.execute(db)
  // Nearly all events are of tasks: those are found by walking, the others by this small index.
  await sql`create index activity_log_by_other_type on activity_log (entity_type, created_at desc, id desc) where entity_type <> 'task'`.execute(db)
  await sql`create index activity_log_by_actor on activity_log (actor_id, created_at desc, id desc)`.execute(db)
  await sql`
    create trigger activity_log_append_only before update or delete on activity_log
    for each row execute function refuse_change()`.execute(db)

  await sql`
    create function create_activity_partition (day date) returns void
    language plpgsql as $$
    declare
      first date := date_trunc('month', day);
      name text := 'activity_log_' || to_char(first, 'YYYY_MM');
    begin
      if to_regclass(format('%I', name)) is null then
        execute format('create table %I partition of activity_log for values from (%L) to (%L)',
          name, first || ' 00:00:00+00', (first + interval '1 month')::date || ' 00:00:00+00');
      end if;
    end
    $$`.execute(db)
  await sql`
    select create_activity_partition(month::date)
    from generate_series(date_trunc('month', now()) - interval '6 months', date_trunc('month', now()) + interval '18 months', interval '1 month') month`.execute(db)
  // Whatever the clock says, an event always has a place to go.
  await sql`create table activity_log_default partition of activity_log default`.execute(db)

  await sql`
    create table event_outbox (
      seq bigint generated always as identity constraint event_outbox_pkey primary key,
      event_id uuid not null,
      event_at timestamptz not null
    )`.execute(db)
  await sql`
    create table event_positions (
      position bigint constraint event_positions_pkey primary key,
      event_id uuid not null constraint event_positions_event_id_key unique,
      event_at timestamptz not null
    )`.execute(db)
  await sql`
    create table event_sequencer (
      is_only boolean constraint event_sequencer_pkey primary key default true,
      last_position bigint not null default 0,
      constraint event_sequencer_one_row check (is_only)
    )`.execute(db)
  await sql`insert into event_sequencer default values`.execute(db)
  await sql`
    create table event_cursors (
      consumer text constraint event_cursors_pkey primary key,
      position bigint not null default 0
    )`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table event_cursors, event_sequencer, event_positions, event_outbox, activity_log`.execute(db)
  await sql`drop function create_activity_partition`.execute(db)
}
