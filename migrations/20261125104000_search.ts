import { sql, type Kysely } from 'kysely'

/** Projects and comments are searched as tasks are: the same words, an inverted index each. */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table projects add column search tsvector generated always as (
      setweight(to_tsvector('english', code::text || ' ' || name), 'A') || setweight(to_tsvector('english', description), 'B')
    ) stored`.execute(db)
  await sql`create index projects_by_text on projects using gin (search)`.execute(db)
  await sql`alter table comments add column search tsvector generated always as (setweight(to_tsvector('english', body), 'C')) stored`.execute(db)
  await sql`create index comments_by_text on comments using gin (search)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`alter table comments drop column search`.execute(db)
  await sql`alter table projects drop column search`.execute(db)
}
