import { sql, type Kysely } from 'kysely'

/**
 * How often one asked within a minute, where instances add that up. Unlogged: it is written every second, is worth nothing after
 * a minute, and a crash of the database may well forget it. `bucket` is a hash of whom, by what policy, and which minute.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create unlogged table rate_buckets (
      bucket text not null constraint rate_buckets_pkey primary key,
      count integer not null,
      expires_at timestamptz not null,
      constraint rate_buckets_count_positive check (count > 0)
    ) with (fillfactor = 50)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table rate_buckets`.execute(db)
}
