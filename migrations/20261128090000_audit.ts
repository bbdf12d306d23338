import { sql, type Kysely } from 'kysely'

/**
 * Who came to the door, and who was given or lost a right: append-only, and sealed in blocks after the fact. Not of the
 * activity log: that tells what became of the work, to those who see it.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  // No foreign keys: what happened is noted also of who is not there, and nothing makes it wait.
  await sql`
    create table audit_events (
      seq bigint generated always as identity constraint audit_events_pkey primary key,
      id uuid not null constraint audit_events_id_key unique,
      at timestamptz not null default clock_timestamp(),
      event text not null,
      times integer not null default 1,
      actor_id uuid,
      target_type text,
      target_id text,
      ip inet,
      user_agent text,
      request_id text,
      details jsonb not null default '{}',
      constraint audit_events_event_form check (event ~ '^[a-z_]{1,60}$'),
      constraint audit_events_times_positive check (times > 0),
      constraint audit_events_target_form check (target_type ~ '^[a-z_]{1,40}$' and length(target_id) <= 200),
      constraint audit_events_target_whole check ((target_type is null) = (target_id is null)),
      constraint audit_events_user_agent_length check (length(user_agent) <= 300),
      constraint audit_events_details_small check (jsonb_typeof(details) = 'object' and length(details::text) <= 10000)
    )`.execute(db)
  await sql`create index audit_events_by_time on audit_events (at desc, id desc)`.execute(db)
  await sql`create index audit_events_by_event on audit_events (event, at desc, id desc)`.execute(db)
  await sql`create index audit_events_by_actor on audit_events (actor_id, at desc, id desc) where actor_id is not null`.execute(db)
  await sql`create index audit_events_by_target on audit_events (target_id, at desc, id desc) where target_id is not null`.execute(db)
  await sql`create index audit_events_by_address on audit_events (ip, at desc, id desc) where ip is not null`.execute(db)

  // A block is everything after the block before it, up to `last_seq`: whatever was put in between or taken out shows.
  await sql`
    create table audit_seals (
      no bigint constraint audit_seals_pkey primary key,
      last_seq bigint not null constraint audit_seals_last_seq_key unique,
      events bigint not null,
      root bytea not null,
      mac bytea,
      sealed_at timestamptz not null default clock_timestamp(),
      constraint audit_seals_no_positive check (no > 0),
      constraint audit_seals_root_length check (octet_length(root) = 32 and octet_length(mac) = 32)
    )`.execute(db)
  for (const table of ['audit_events', 'audit_seals']) {
    await sql`create trigger ${sql.ref(`${table}_append_only`)} before update or delete or truncate on ${sql.table(table)} for each statement execute function refuse_change()`.execute(db)
  }
  await sql`insert into permissions (code, description) values ('audit:read', 'Read the audit log: who signed in, who was refused, whose rights were changed')`.execute(db)
  await sql`insert into role_permissions (role_id, permission_code) select id, 'audit:read' from roles where slug = 'admin'`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from permissions where code = 'audit:read'`.execute(db)
  await sql`drop table audit_seals, audit_events`.execute(db)
}
