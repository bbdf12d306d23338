import { sql, type Kysely } from 'kysely'

/**
 * Failed sign-ins, by the hash of the address that was typed and the network that it came from; whether there is such an
 * address plays no part. The network 0.0.0.0/0 stands for all those from which its owner never signed in.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table sign_in_throttles (
      address_hash bytea not null,
      network cidr not null,
      failures integer not null default 0,
      failed_at timestamptz not null default clock_timestamp(),
      blocked_until timestamptz not null default '-infinity',
      known_until timestamptz not null default '-infinity',
      constraint sign_in_throttles_pkey primary key (address_hash, network),
      constraint sign_in_throttles_failures_counted check (failures >= 0)
    )`.execute(db)
  await sql`create index sign_in_throttles_by_age on sign_in_throttles (failed_at)`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table sign_in_throttles`.execute(db)
}
