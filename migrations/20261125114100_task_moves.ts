import { sql, type Kysely } from 'kysely'

/** The keys that tasks had before they were moved to another project: a key that is written down somewhere still finds its task. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table task_former_keys (
      project_id uuid not null constraint task_former_keys_project_id_fkey references projects on delete restrict,
      number integer not null,
      task_id uuid not null constraint task_former_keys_task_id_fkey references tasks on delete cascade,
      created_at timestamptz not null,
      constraint task_former_keys_pkey primary key (project_id, number)
    )`.execute(db)
  await sql`create index task_former_keys_by_task on task_former_keys (task_id)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table task_former_keys`.execute(db)
}
