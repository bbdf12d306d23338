import { sql, type Kysely } from 'kysely'

/**
 * Whose court the ball was in: one row per hold, from a task's creation without gap or overlap.
 *
 * A hold without a user is "in nobody's court". That holds meet exactly is a foreign key: hold n starts where hold n-1
 * ended. That a task has one current hold is a unique index. No code can break either.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table ball_holds (
      task_id uuid not null constraint ball_holds_task_id_fkey references tasks on delete cascade,
      no integer not null,
      user_id uuid constraint ball_holds_user_id_fkey references users on delete restrict,
      passed_by uuid constraint ball_holds_passed_by_fkey references users on delete restrict,
      note text,
      expected_by timestamptz,
      started_at timestamptz not null,
      ended_at timestamptz,
      outcome text,
      acknowledged_at timestamptz,
      previous_no integer generated always as (nullif(no - 1, 0)) stored,
      constraint ball_holds_pkey primary key (task_id, no),
      constraint ball_holds_end_key unique (task_id, no, ended_at),
      constraint ball_holds_meet foreign key (task_id, previous_no, started_at) references ball_holds (task_id, no, ended_at),
      constraint ball_holds_no_positive check (no > 0),
      constraint ball_holds_forward check (ended_at >= started_at),
      constraint ball_holds_outcome_known check (outcome in ('passed', 'finished', 'reopened')),
      constraint ball_holds_outcome_at_end check ((ended_at is null) = (outcome is null)),
      constraint ball_holds_acknowledged_by_holder check (acknowledged_at is null or (user_id is not null and acknowledged_at >= started_at)),
      constraint ball_holds_note_length check (length(note) <= 2000)
    )`.execute(db)
  await sql`create unique index ball_holds_current on ball_holds (task_id) where ended_at is null`.execute(db)
  await sql`create index ball_holds_open_by_user on ball_holds (user_id, expected_by, task_id) where ended_at is null`.execute(db)
  await sql`create index ball_holds_closed_by_user on ball_holds (user_id, ended_at) where ended_at is not null`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table ball_holds`.execute(db)
}
