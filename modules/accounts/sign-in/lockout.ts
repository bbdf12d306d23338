import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { BATCH, inBatches } from '../../../plugins/jobs/batches.js'

/** Failures that cost nothing: from one network, and from all together from which the owner never signed in. */
export const FREE_OF_NETWORK = 5
export const FREE_OF_STRANGERS = 10
/** The longest that one has to wait: the delay doubles with each failure up to this. */
export const MOST_SECONDS = 900
/** Without another failure for so long, those before are forgotten. */
const FORGET = sql.raw("interval '24 hours'")
/** A network from which the owner signed in is theirs for so long. */
const KNOWN = sql.raw("interval '90 days'")

/** All networks from which the owner never signed in, as one. */
const STRANGERS = sql.raw("'0.0.0.0/0'::cidr")
/** As the unique index on addresses of people compares them. */
const hashed = (email: string) => sql`sha256(convert_to(lower(${email}::text), 'UTF8'))`
/** A person's provider gives them an address out of a network: of IPv4 the /24 counts, of IPv6 the /64. */
const networkOf = (ip: string) => {
  const address = ip.replace(/^::ffff:(?=\d+\.)/i, '')
  return sql`network(set_masklen(${address}::inet, case family(${address}::inet) when 4 then 24 else 64 end))::cidr`
}

/** A password that is tried: for whose address, from where, and when by the clock of the instance. */
export interface Attempt { email: string, ip: string, now: Date }

/** How an attempt may go on: at once, or not before so many seconds. */
export type Leave = { mayTry: true } | { mayTry: false, seconds: number }

/**
 * Asks leave to try a password, and counts the attempt as failed until it is forgiven: of many at once no more are let
 * through than of one after the other. While one has to wait nothing is counted, so that trying does not prolong it.
 *
 * Whoever comes from a network from which the owner signed in before is counted by that network alone: strangers, however
 * many, do not make the owner wait.
 */
export async function askLeave (db: Db, attempt: Attempt): Promise<Leave> {
  const first = await countAttempt(db, attempt)
  if (first !== undefined) return first
  // Only a row that is there can be locked, and only what is locked is counted right.
  await sql`
    insert into sign_in_throttles (address_hash, network, failed_at)
    select ${hashed(attempt.email)}, network, ${attempt.now}::timestamptz from (values (${networkOf(attempt.ip)}), (${STRANGERS})) n (network) order by network
    on conflict do nothing`.execute(db)
  return await countAttempt(db, attempt) ?? { mayTry: false, seconds: 1 } // the clean-up took them at this moment
}

/** @returns undefined when there are no rows to count in */
async function countAttempt (db: Db, { email, ip, now }: Attempt): Promise<Leave | undefined> {
  const { rows: [row] } = await sql<{ rows: number, seconds: number | null }>`
    with locked as materialized (
      select *, ${now}::timestamptz as at, network <> ${STRANGERS} as own from sign_in_throttles
      where address_hash = ${hashed(email)} and network in (${networkOf(ip)}, ${STRANGERS}) order by network for update
    ), counting as materialized (
      select l.*, case when l.failed_at < l.at - ${FORGET} then 1 else l.failures + 1 end as count from locked l
      where own or not exists (select from locked k where k.own and k.known_until > k.at)
    ), wait as materialized (
      select (select count(*)::int from locked) as rows, (select ceil(extract(epoch from max(blocked_until - at)))::int from counting where blocked_until > at) as seconds
    ), counted as (
      update sign_in_throttles t set failures = c.count, failed_at = c.at,
        blocked_until = case when c.count <= c.free then t.blocked_until else c.at + least(${MOST_SECONDS}::int, 2 ^ least(c.count - c.free - 1, 20)) * interval '1 second' end
      from (select *, case when own then ${FREE_OF_NETWORK}::int else ${FREE_OF_STRANGERS}::int end as free from counting) c, wait w
      where w.rows = 2 and w.seconds is null and t.address_hash = c.address_hash and t.network = c.network
    )
    select rows, seconds from wait`.execute(db)
  if (row === undefined || row.rows < 2) return undefined
  return row.seconds === null ? { mayTry: true } : { mayTry: false, seconds: row.seconds }
}

/** Notes that the owner signed in: the network is theirs now, its failures are forgotten, and this attempt was none. */
export async function welcomeOwner (db: Db, { email, ip, now }: Attempt): Promise<void> {
  await sql`
    with locked as materialized (
      select * from sign_in_throttles where address_hash = ${hashed(email)} and network in (${networkOf(ip)}, ${STRANGERS}) order by network for update
    ), theirs as (
      insert into sign_in_throttles (address_hash, network, failed_at, known_until) values (${hashed(email)}, ${networkOf(ip)}, ${now}::timestamptz, ${now}::timestamptz + ${KNOWN})
      on conflict (address_hash, network) do update set failures = 0, blocked_until = '-infinity', known_until = excluded.known_until
    )
    update sign_in_throttles t set failures = greatest(t.failures - 1, 0), blocked_until = case when t.failures > ${FREE_OF_STRANGERS}::int then ${now}::timestamptz else t.blocked_until end
    from locked l where l.network = ${STRANGERS} and t.address_hash = l.address_hash and t.network = l.network
      and not exists (select from locked k where k.network <> ${STRANGERS} and k.known_until > ${now}::timestamptz)`.execute(db)
}

/** Takes an attempt back that came to no verdict: no password was looked at. */
export async function takeBack (db: Db, { email, ip, now }: Attempt): Promise<void> {
  await sql`
    with locked as materialized (
      select * from sign_in_throttles where address_hash = ${hashed(email)} and network in (${networkOf(ip)}, ${STRANGERS}) order by network for update
    )
    update sign_in_throttles t set failures = greatest(t.failures - 1, 0), blocked_until = least(t.blocked_until, ${now}::timestamptz)
    from locked l where t.address_hash = l.address_hash and t.network = l.network
      and (l.network <> ${STRANGERS} or not exists (select from locked k where k.network <> ${STRANGERS} and k.known_until > ${now}::timestamptz))`.execute(db)
}

/** Forgets failures that count no more. @returns how many */
export const expireThrottles = (db: Db, now: Date, signal?: AbortSignal): Promise<number> => inBatches(async () => {
  const { numAffectedRows } = await sql`
    delete from sign_in_throttles where ctid = any(array(
      select ctid from sign_in_throttles where failed_at < ${now}::timestamptz - ${FORGET} and known_until < ${now}::timestamptz and blocked_until < ${now}::timestamptz limit ${BATCH} for update skip locked))`.execute(db)
  return Number(numAffectedRows)
}, signal)
