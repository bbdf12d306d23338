import { sql, type Kysely } from 'kysely'

/**
 * Tasks. Every list order ends in `id`, so that a keyset neither skips nor repeats on ties; a missing due date sorts as
 * infinity (`due_sort`), because a row comparison with null drops rows.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table tasks (
      id uuid constraint tasks_pkey primary key,
      project_id uuid not null constraint tasks_project_id_fkey references projects on delete restrict,
      number integer not null,
      parent_id uuid,
      title text not null,
      description text not null default '',
      status text not null default 'open',
      priority text not null default 'normal',
      department text,
      tags text[] not null default '{}',
      assignee_id uuid constraint tasks_assignee_id_fkey references users on delete restrict,
      ball_in_court uuid constraint tasks_ball_in_court_fkey references users on delete restrict,
      ball_no integer not null default 1,
      ball_since timestamptz not null,
      due_at timestamptz,
      closed_at timestamptz,
      last_activity_at timestamptz not null,
      created_by uuid not null constraint tasks_created_by_fkey references users on delete restrict,
      version integer not null default 1,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      deleted_at timestamptz,
      deleted_by uuid constraint tasks_deleted_by_fkey references users on delete restrict,
      is_open boolean not null generated always as (status not in ('done', 'closed')) stored,
      due_sort timestamptz not null generated always as (coalesce(due_at, 'infinity'::timestamptz)) stored,
      search tsvector generated always as (
        setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', description), 'B')
      ) stored,
      constraint tasks_number_key unique (project_id, number),
      constraint tasks_project_key unique (project_id, id),
      constraint tasks_parent_id_fkey foreign key (project_id, parent_id) references tasks (project_id, id) deferrable,
      constraint tasks_parent_not_self check (parent_id <> id),
      constraint tasks_title_length check (length(title) between 1 and 500),
      constraint tasks_description_length check (length(description) <= 20000),
      constraint tasks_status_known check (status in ('open', 'todo', 'in_progress', 'review', 'done', 'closed')),
      constraint tasks_priority_known check (priority in ('low', 'normal', 'high', 'urgent')),
      constraint tasks_department_known check (department in ('Operations', 'Procurement', 'Accounting', 'Service', 'Estimating', 'Scheduling')),
      constraint tasks_tags_few check (cardinality(tags) <= 20),
      constraint tasks_closed_when_finished check ((closed_at is null) = is_open),
      constraint tasks_finished_has_no_ball check (is_open or ball_in_court is null),
      constraint tasks_changes_are_activity check (last_activity_at >= updated_at),
      constraint tasks_deleted_by_someone check ((deleted_at is null) = (deleted_by is null))
    )`.execute(db)

  // Deleted rows too: 'updated_since' tells of deletions, and the foreign key needs them.
  await sql`create index tasks_by_updated_at on tasks (updated_at desc, id desc)`.execute(db)
  await sql`create index idx_tasks_project_id on tasks (project_id, updated_at desc, id desc)`.execute(db)

  await sql`create index idx_tasks_status on tasks (status, updated_at desc, id desc) where deleted_at is null`.execute(db)
  await sql`create index idx_tasks_due_at on tasks (due_sort, id) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_created_at on tasks (created_at desc, id desc) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_project_status on tasks (project_id, status, updated_at desc, id desc) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_project_due on tasks (project_id, due_sort, id) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_project_created_at on tasks (project_id, created_at desc, id desc) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_assignee_due on tasks (assignee_id, due_sort, id) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_assignee_updated_at on tasks (assignee_id, updated_at desc, id desc) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_creator on tasks (created_by, updated_at desc, id desc) where deleted_at is null`.execute(db)
  await sql`create index tasks_by_parent on tasks (parent_id, updated_at desc, id desc) where parent_id is not null`.execute(db)

  // Most of a contractor's tasks are finished: indexes of the open ones stay tiny.
  await sql`create index idx_tasks_ball_in_court on tasks (ball_in_court, due_sort, id) where deleted_at is null and is_open`.execute(db)
  await sql`create index tasks_by_ball_updated_at on tasks (ball_in_court, updated_at desc, id desc) where deleted_at is null and is_open`.execute(db)
  await sql`create index tasks_open_by_due on tasks (due_sort, id) where deleted_at is null and is_open`.execute(db)
  await sql`create index tasks_open_by_updated_at on tasks (updated_at desc, id desc) where deleted_at is null and is_open`.execute(db)
  await sql`create index tasks_open_by_activity on tasks (last_activity_at, id) where deleted_at is null and is_open`.execute(db)

  await sql`create index tasks_by_tag on tasks using gin (tags)`.execute(db)
  await sql`create index tasks_by_text on tasks using gin (search)`.execute(db)

  // A trigger's statements each see what was committed before them: with the lock, two people who each make the other's
  // task a parent cannot both pass, which a check inside the update's own snapshot could not promise.
  await sql`
    create function refuse_parent_cycle () returns trigger
    language plpgsql as $$
    begin
      perform pg_advisory_xact_lock(hashtextextended('task parents of ' || new.project_id, 0));
      if exists (
        with recursive ancestors (id) as (
          select new.parent_id
          union
          select t.parent_id from tasks t join ancestors a on t.id = a.id where t.parent_id is not null
        )
        select from ancestors where id = new.id
      ) then
        raise exception 'a task cannot be its own ancestor'
          using errcode = 'check_violation', constraint = 'tasks_parent_cycle', table = 'tasks', column = 'parent_id';
      end if;
      return null;
    end
    $$`.execute(db)
  await sql`
    create constraint trigger tasks_parent_cycle after insert or update of parent_id on tasks
    for each row when (new.parent_id is not null) execute function refuse_parent_cycle()`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table tasks`.execute(db)
  await sql`drop function refuse_parent_cycle`.execute(db)
}
