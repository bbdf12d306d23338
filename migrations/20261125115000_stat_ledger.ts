import { sql, type Kysely } from 'kysely'

/**
 * Counts of tasks that cost the same however many tasks there are. Each change of tasks appends what it adds and takes away
 * to `stat_ledger`, in its own transaction; a folder moves that into `stat_totals` and `stat_created` by and by. A count is
 * totals + ledger in one snapshot: exact, folded or not, and no two writers wait for one row.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  // In whose court a ball is, as one text.
  await sql`
    create function stat_holder (user_id uuid, company_id uuid) returns text language sql immutable parallel safe as $$
      select coalesce('user:' || user_id, 'company:' || company_id, 'nobody')
    $$`.execute(db)
  // Every time zone's days are made of whole quarters of an hour (UTC).
  await sql`
    create function stat_bucket (at timestamptz) returns timestamptz language sql immutable parallel safe as $$
      select date_bin('15 minutes', at, timestamptz '2000-01-01 00:00:00+00')
    $$`.execute(db)

  // No key and no index: appending is all that a writer pays for, and the rows do not stay.
  await sql`
    create table stat_ledger (
      project_id uuid not null,
      department text not null,
      status text not null,
      priority text not null,
      holder text not null,
      created_bucket timestamptz not null,
      delta integer not null
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000)`.execute(db)
  await sql`
    create trigger stat_ledger_append_only before update on stat_ledger
    for each row execute function refuse_change()`.execute(db)

  // '' is no department; the nil id stands for all projects together, deleted ones too. No nulls: they are no keys.
  await sql`
    create table stat_totals (
      project_id uuid not null,
      dim text not null,
      department text not null,
      key text not null,
      count bigint not null,
      constraint stat_totals_pkey primary key (project_id, dim, department, key),
      constraint stat_totals_dim_known check (dim in ('status', 'priority', 'holder'))
    ) with (fillfactor = 70)`.execute(db)
  await sql`
    create table stat_created (
      bucket timestamptz not null,
      department text not null,
      count bigint not null,
      constraint stat_created_pkey primary key (bucket, department)
    ) with (fillfactor = 90)`.execute(db)

  await sql`
    create function keep_stat_ledger () returns trigger
    language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        insert into stat_ledger (project_id, department, status, priority, holder, created_bucket, delta)
        select project_id, coalesce(department, ''), status, priority, stat_holder(ball_in_court, ball_company_id), stat_bucket(created_at), count(*)
        from new_rows where deleted_at is null group by 1, 2, 3, 4, 5, 6;
      elsif tg_op = 'DELETE' then
        insert into stat_ledger (project_id, department, status, priority, holder, created_bucket, delta)
        select project_id, coalesce(department, ''), status, priority, stat_holder(ball_in_court, ball_company_id), stat_bucket(created_at), -count(*)
        from old_rows where deleted_at is null group by 1, 2, 3, 4, 5, 6;
      else
        insert into stat_ledger (project_id, department, status, priority, holder, created_bucket, delta)
        select project_id, coalesce(department, ''), status, priority, stat_holder(ball_in_court, ball_company_id), stat_bucket(created_at), sum(sign)
        from (
          select project_id, department, status, priority, ball_in_court, ball_company_id, created_at, -1 as sign from old_rows where deleted_at is null
          union all
          select project_id, department, status, priority, ball_in_court, ball_company_id, created_at, 1 from new_rows where deleted_at is null
        ) changed
        group by 1, 2, 3, 4, 5, 6 having sum(sign) <> 0;
      end if;
      return null;
    end
    $$`.execute(db)
  await sql`
    create trigger tasks_insert_counts after insert on tasks referencing new table as new_rows
    for each statement execute function keep_stat_ledger()`.execute(db)
  await sql`
    create trigger tasks_update_counts after update on tasks referencing old table as old_rows new table as new_rows
    for each statement execute function keep_stat_ledger()`.execute(db)
  await sql`
    create trigger tasks_delete_counts after delete on tasks referencing old table as old_rows
    for each statement execute function keep_stat_ledger()`.execute(db)

  await sql`
    create function forget_stats () returns trigger
    language plpgsql as $$
    begin
      perform pg_advisory_xact_lock(hashtextextended('stat ledger', 0));
      delete from stat_ledger;
      delete from stat_totals;
      delete from stat_created;
      return null;
    end
    $$`.execute(db)
  await sql`
    create trigger tasks_truncate_counts after truncate on tasks
    for each statement execute function forget_stats()`.execute(db)

  // For what triggers do not see: tasks from before this migration, and loads with triggers silent. Writers wait.
  await sql`
    create function rebuild_stats () returns void
    language plpgsql as $$
    begin
      lock table tasks in share mode;
      perform pg_advisory_xact_lock(hashtextextended('stat ledger', 0));
      delete from stat_ledger;
      delete from stat_totals;
      delete from stat_created;
      with facts as materialized (
        select project_id, coalesce(department, '') as department, status, priority, is_open, stat_holder(ball_in_court, ball_company_id) as holder, stat_bucket(created_at) as bucket, count(*)
        from tasks where deleted_at is null group by 1, 2, 3, 4, 5, 6, 7
      ), created as (
        insert into stat_created select bucket, department, sum(count) from facts group by 1, 2 order by 1, 2 -- as they are read
      )
      insert into stat_totals (project_id, dim, department, key, count)
      select scope.id, d.dim, department, d.key, sum(count)
      from facts
      cross join lateral (values ('status', status), ('priority', priority), ('holder', case when is_open then holder end)) d (dim, key)
      cross join lateral (values (project_id), (uuid '00000000-0000-0000-0000-000000000000')) scope (id)
      where d.key is not null group by 1, 2, 3, 4 order by 1, 2, 3, 4;
    end
    $$`.execute(db)
  await sql`select rebuild_stats()`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop function rebuild_stats`.execute(db)
  for (const name of ['truncate', 'delete', 'update', 'insert']) await sql`drop trigger ${sql.ref(`tasks_${name}_counts`)} on tasks`.execute(db)
  await sql`drop function forget_stats, keep_stat_ledger`.execute(db)
  await sql`drop table stat_created, stat_totals, stat_ledger`.execute(db)
  await sql`drop function stat_bucket, stat_holder`.execute(db)
}
