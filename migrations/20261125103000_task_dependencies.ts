import { sql, type Kysely } from 'kysely'

/** Which task must be finished before which other can be done. No chain of them leads back to where it began. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table task_dependencies (
      id uuid constraint task_dependencies_pkey primary key,
      blocker_id uuid not null constraint task_dependencies_blocker_id_fkey references tasks on delete cascade,
      blocked_id uuid not null constraint task_dependencies_blocked_id_fkey references tasks on delete cascade,
      created_by uuid not null constraint task_dependencies_created_by_fkey references users on delete restrict,
      created_at timestamptz not null,
      constraint task_dependencies_pair_key unique (blocked_id, blocker_id),
      constraint task_dependencies_not_self check (blocker_id <> blocked_id)
    )`.execute(db)
  await sql`create index task_dependencies_by_blocker on task_dependencies (blocker_id, blocked_id)`.execute(db)
  await sql`create index task_dependencies_by_creator on task_dependencies (created_by)`.execute(db)

  // One lock for the company: dependencies cross projects, and adding one is rare. The statements of a trigger see what was
  // committed before them, so that of two people who close a circle from both ends the second is refused.
  await sql`
    create function refuse_dependency_cycle () returns trigger
    language plpgsql as $$
    begin
      perform pg_advisory_xact_lock(hashtextextended('task dependencies', 0));
      if exists (
        with recursive behind (id) as (
          select new.blocked_id
          union
          select d.blocked_id from task_dependencies d join behind b on d.blocker_id = b.id
        )
        select from behind where id = new.blocker_id
      ) then
        raise exception 'a task cannot wait for itself'
          using errcode = 'check_violation', constraint = 'task_dependencies_cycle', table = 'task_dependencies', column = 'blocked_id';
      end if;
      return null;
    end
    $$`.execute(db)
  await sql`
    create constraint trigger task_dependencies_cycle after insert or update on task_dependencies
    for each row execute function refuse_dependency_cycle()`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table task_dependencies`.execute(db)
  await sql`drop function refuse_dependency_cycle`.execute(db)
}
