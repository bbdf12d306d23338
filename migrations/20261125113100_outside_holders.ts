import { sql, type Kysely } from 'kysely'

/**
 * The ball in the court of an outside party: a company, or a contact there, who implies their company. A ball is with
 * one person of ours, with one company, or with nobody; a contact's company is theirs by a foreign key of both columns.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table tasks
      add column ball_company_id uuid constraint tasks_ball_company_id_fkey references companies on delete restrict,
      add column ball_contact_id uuid,
      add constraint tasks_ball_contact_id_fkey foreign key (ball_company_id, ball_contact_id) references contacts (company_id, id) on delete restrict,
      add constraint tasks_ball_with_one check (num_nonnulls(ball_in_court, ball_company_id) <= 1 and (ball_contact_id is null or ball_company_id is not null)),
      add constraint tasks_finished_has_no_party check (is_open or ball_company_id is null)`.execute(db)
  await sql`
    alter table ball_holds
      add column company_id uuid constraint ball_holds_company_id_fkey references companies on delete restrict,
      add column contact_id uuid,
      add constraint ball_holds_contact_id_fkey foreign key (company_id, contact_id) references contacts (company_id, id) on delete restrict,
      add constraint ball_holds_with_one check (num_nonnulls(user_id, company_id) <= 1 and (contact_id is null or company_id is not null))`.execute(db)

  // Few balls are out: these stay small, however many tasks there are.
  await sql`create index tasks_by_ball_company_due on tasks (ball_company_id, due_sort, id) where ball_company_id is not null and deleted_at is null and is_open`.execute(db)
  await sql`create index tasks_by_ball_company_updated_at on tasks (ball_company_id, updated_at desc, id desc) where ball_company_id is not null and deleted_at is null and is_open`.execute(db)
  await sql`create index ball_holds_by_company on ball_holds (company_id, ended_at) where company_id is not null`.execute(db)
  await sql`create index ball_holds_party_by_end on ball_holds (ended_at) where ended_at is not null and company_id is not null`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`alter table ball_holds drop column contact_id, drop column company_id`.execute(db)
  await sql`alter table tasks drop column ball_contact_id, drop column ball_company_id`.execute(db)
}
