import { sql, type Kysely } from 'kysely'

/**
 * What the scheduled jobs did. A slot is the moment at which a job was due; each is run once, whichever instance does it.
 * The queue itself (who runs what when, back-off) has a schema of its own, `graphile_worker`, with its own migrations.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table job_runs (
      id uuid constraint job_runs_pkey primary key,
      job text not null,
      slot timestamptz not null,
      by_clock boolean not null,
      requested_by uuid constraint job_runs_requested_by_fkey references users on delete restrict,
      state text not null default 'waiting',
      attempt integer not null default 0,
      started_at timestamptz,
      finished_at timestamptz,
      outcome jsonb,
      error text,
      instance text,
      created_at timestamptz not null default clock_timestamp(),
      constraint job_runs_job_form check (job ~ '^[a-z_]{1,60}$'),
      constraint job_runs_state_known check (state in ('waiting', 'running', 'succeeded', 'failed')),
      constraint job_runs_finished check ((state in ('succeeded', 'failed')) = (finished_at is not null)),
      constraint job_runs_outcome_object check (jsonb_typeof(outcome) = 'object'),
      constraint job_runs_error_length check (length(error) <= 2000)
    )`.execute(db)
  // What people ask for is beside the clock: two of them may ask at one moment.
  await sql`create unique index job_runs_once_per_slot on job_runs (job, slot) where by_clock`.execute(db)
  await sql`create index job_runs_newest on job_runs (job, slot)`.execute(db)
  await sql`create index job_runs_by_requester on job_runs (requested_by) where requested_by is not null`.execute(db)
  await sql`create index job_runs_by_age on job_runs (created_at, id)`.execute(db)
  await sql`create index job_runs_by_job on job_runs (job, created_at, id)`.execute(db)
  // A slot is not asked for while an earlier one has not begun: what piled up while nothing ran is run once.
  await sql`create unique index job_runs_one_waits on job_runs (job) where state = 'waiting' and attempt = 0`.execute(db)

  // Who takes jobs from the queue, and when they last said so: what a killed one had taken is given back.
  await sql`
    create table job_workers (
      worker_id text constraint job_workers_pkey primary key,
      instance text not null,
      seen_at timestamptz not null,
      constraint job_workers_worker_id_length check (length(worker_id) between 1 and 200)
    )`.execute(db)

  await sql`
    insert into permissions (code, description) values
      ('jobs:read', 'See the scheduled jobs and what they did'), ('jobs:run', 'Run a scheduled job now')`.execute(db)
  await sql`
    insert into role_permissions (role_id, permission_code)
    select r.id, code from roles r, unnest(array['jobs:read', 'jobs:run']) code where r.slug = 'admin' and r.is_system`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from permissions where code in ('jobs:read', 'jobs:run')`.execute(db)
  await sql`drop table job_workers`.execute(db)
  await sql`drop table job_runs`.execute(db)
}
