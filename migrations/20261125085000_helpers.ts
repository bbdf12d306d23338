import { sql, type Kysely } from 'kysely'

/** Extensions, and the small functions that constraints and events are written with. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`create extension if not exists citext`.execute(db)
  await sql`create extension if not exists pgcrypto`.execute(db)

  // The difference of two rows, not of a request and a row: what did not change is never logged as a change.
  await sql`
    create function jsonb_changes (old_row jsonb, new_row jsonb) returns jsonb
    language sql immutable parallel safe as $$
      select coalesce(jsonb_object_agg(n.key, jsonb_build_array(o.value, n.value)), '{}'::jsonb)
      from jsonb_each(new_row) n left join jsonb_each(old_row) o on o.key = n.key
      where n.value is distinct from o.value
    $$`.execute(db)

  // Immutable by declaration so that a check may call it: a zone that was known stays known.
  await sql`
    create function is_time_zone (name text) returns boolean
    language plpgsql immutable parallel safe as $$
    begin
      perform timestamptz 'epoch' at time zone name;
      return true;
    exception when invalid_parameter_value then
      return false;
    end
    $$`.execute(db)

  await sql`
    create function refuse_change () returns trigger
    language plpgsql as $$
    begin
      raise exception '% is append-only: % is refused', tg_table_name, tg_op
        using errcode = 'restrict_violation', constraint = 'append_only';
    end
    $$`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop function refuse_change`.execute(db)
  await sql`drop function is_time_zone`.execute(db)
  await sql`drop function jsonb_changes`.execute(db)
  await sql`drop extension pgcrypto`.execute(db)
  await sql`drop extension citext`.execute(db)
}
