import { sql, type Kysely } from 'kysely'

/**
 * Files of tasks. The bytes are in a storage outside the database; `stored_files` says which objects may be there, from
 * before the first byte is put until after the last one is gone, so that whatever a killed process leaves can be found.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table stored_files (
      id uuid constraint stored_files_pkey primary key,
      storage text not null,
      state text not null,
      since timestamptz not null,
      constraint stored_files_storage_known check (storage in ('local', 's3')),
      constraint stored_files_state_known check (state in ('pending', 'kept', 'dropped'))
    )`.execute(db)
  await sql`create index stored_files_to_collect on stored_files (since) where state <> 'kept'`.execute(db)

  // No cascade from tasks: it would remove rows without telling stored_files that their bytes may go.
  await sql`
    create table attachments (
      id uuid constraint attachments_pkey primary key constraint attachments_id_fkey references stored_files on delete restrict,
      task_id uuid not null constraint attachments_task_id_fkey references tasks on delete restrict,
      name text not null,
      content_type text not null,
      size_bytes bigint not null,
      sha256 bytea not null,
      uploaded_by uuid not null constraint attachments_uploaded_by_fkey references users on delete restrict,
      version integer not null default 1,
      created_at timestamptz not null,
      constraint attachments_name_length check (octet_length(name) between 1 and 255),
      constraint attachments_content_type_length check (length(content_type) between 3 and 255),
      constraint attachments_size_positive check (size_bytes > 0),
      constraint attachments_sha256_length check (octet_length(sha256) = 32)
    )`.execute(db)
  await sql`create index attachments_by_task on attachments (task_id, created_at, id)`.execute(db)
  await sql`create index attachments_by_uploader on attachments (uploaded_by, created_at)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table attachments, stored_files`.execute(db)
}
