import { sql, type Kysely } from 'kysely'

const months = sql`
  select c.oid::regclass::text as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'activity_log'::regclass`

/**
 * Partitions of the log can be made for months whose events came while there was none, and TRUNCATE is refused like UPDATE
 * and DELETE. A trigger of statements is not inherited: each partition has its own.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  // A door for what replaces all data, such as the demo company: named, so that nobody passes it by accident.
  await sql`
    create function refuse_truncate () returns trigger
    language plpgsql as $$
    begin
      if coalesce(current_setting('eden.replaces_all_data', true), '') <> 'yes' then
        raise exception '% is append-only: % is refused', tg_table_name, tg_op
          using errcode = 'restrict_violation', constraint = 'append_only';
      end if;
      return null;
    end
    $$`.execute(db)
  const { rows } = await sql<{ name: string }>`${months}`.execute(db)
  for (const name of ['activity_log', ...rows.map(({ name }) => name)]) {
    await sql`create trigger activity_log_no_truncate before truncate on ${sql.table(name)} for each statement execute function refuse_truncate()`.execute(db)
  }
  await sql`
    create or replace function create_activity_partition (day date) returns void
    language plpgsql as $$
    declare
      first date := date_trunc('month', day);
      name text := 'activity_log_' || to_char(first, 'YYYY_MM');
      begins timestamptz := (first || ' 00:00:00+00')::timestamptz;
      ends timestamptz := ((first + interval '1 month')::date || ' 00:00:00+00')::timestamptz;
      stranded boolean;
    begin
      if to_regclass(format('%I', name)) is not null then return; end if;
      -- Writers wait from here on: what is looked at does not change until the partition is there. A partition's foreign keys
      -- lock what they refer to, too: in the order in which writers do, who come to the log last, or the two would wait for
      -- each other.
      lock table users, projects, tasks in share row exclusive mode;
      lock table activity_log in access exclusive mode;
      if to_regclass(format('%I', name)) is not null then return; end if;
      stranded := exists (select from activity_log_default where created_at >= begins and created_at < ends);
      -- Detached, the default partition takes no part in the log, and its inherited triggers are gone until it is back.
      if stranded then alter table activity_log detach partition activity_log_default; end if;
      execute format('create table %I partition of activity_log for values from (%L) to (%L)', name, begins, ends);
      execute format('create trigger activity_log_no_truncate before truncate on %I for each statement execute function refuse_truncate()', name);
      if stranded then
        insert into activity_log select * from activity_log_default where created_at >= begins and created_at < ends;
        delete from activity_log_default where created_at >= begins and created_at < ends;
        alter table activity_log attach partition activity_log_default default;
      end if;
    end
    $$`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ name: string }>`${months}`.execute(db)
  for (const name of ['activity_log', ...rows.map(({ name }) => name)]) await sql`drop trigger activity_log_no_truncate on ${sql.table(name)}`.execute(db)
  await sql`
    create or replace function create_activity_partition (day date) returns void
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
  await sql`drop function refuse_truncate`.execute(db)
}
