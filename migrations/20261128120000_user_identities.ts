import { sql, type Kysely } from 'kysely'

/**
 * Who of us someone is whom another issuer signs in: linked at their first sign-in by a verified address, and from then on
 * by the issuer's own name for them alone. One person is one subject of an issuer: who could make a second account with
 * the same address there does not get in by it.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table user_identities (
      issuer text not null,
      subject text not null,
      user_id uuid not null constraint user_identities_user_id_fkey references users on delete cascade,
      email citext not null,
      linked_at timestamptz not null default clock_timestamp(),
      constraint user_identities_pkey primary key (issuer, subject),
      constraint user_identities_one_of_an_issuer unique (user_id, issuer),
      constraint user_identities_issuer_length check (length(issuer) between 1 and 500),
      constraint user_identities_subject_length check (length(subject) between 1 and 255)
    )`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`drop table user_identities`.execute(db)
}
