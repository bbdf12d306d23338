import { sql, type Kysely } from 'kysely'

/** The company's only policy for now; more, such as one for a project, are rows like it. */
const COMPANY = '00000000-0000-7000-8000-0000000ba110'

/** Seconds of working time: a day has nine hours. */
const rules = {
  urgent: [7_200, 32_400],
  high: [14_400, 64_800],
  normal: [32_400, 162_000],
  low: [64_800, 324_000]
}

/**
 * Within what working time whoever gets a ball acknowledges it and acts; and which reminders a hold has had: at most one
 * of each stage, whatever runs at once or again.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table ball_policies (
      id uuid constraint ball_policies_pkey primary key,
      name text not null,
      version integer not null default 1,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      constraint ball_policies_name_length check (length(name) between 1 and 200)
    )`.execute(db)
  await sql`
    create table ball_policy_rules (
      policy_id uuid not null constraint ball_policy_rules_policy_id_fkey references ball_policies on delete cascade,
      priority text not null,
      acknowledge_within_s integer,
      act_within_s integer,
      constraint ball_policy_rules_pkey primary key (policy_id, priority),
      constraint ball_policy_rules_priority_known check (priority in ('low', 'normal', 'high', 'urgent')),
      constraint ball_policy_rules_some_time check (acknowledge_within_s > 0 and act_within_s > 0)
    )`.execute(db)
  await sql`
    create table ball_reminders (
      task_id uuid not null,
      hold_no integer not null,
      stage text not null,
      recorded_at timestamptz not null,
      constraint ball_reminders_pkey primary key (task_id, hold_no, stage),
      constraint ball_reminders_hold_fkey foreign key (task_id, hold_no) references ball_holds (task_id, no) on delete cascade,
      constraint ball_reminders_stage_known check (stage in ('ball_unacknowledged', 'ball_overdue'))
    )`.execute(db)
  await sql`insert into ball_policies (id, name) values (${COMPANY}, 'Company')`.execute(db)
  await sql`
    insert into ball_policy_rules (policy_id, priority, acknowledge_within_s, act_within_s)
    select ${COMPANY}::uuid, key, (value ->> 0)::int, (value ->> 1)::int from jsonb_each(${JSON.stringify(rules)}::jsonb)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table ball_reminders, ball_policy_rules, ball_policies`.execute(db)
}
