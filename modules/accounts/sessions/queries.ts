import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { BATCH, inBatches } from '../../../plugins/jobs/batches.js'
import { newId } from '../../shared/ids.js'
import { hashOf, newSalt, newToken, successorOf } from '../tokens.js'

/** How long a session lasts: without use, and at all. */
export interface Lifetimes { idleHours: number, mostHours: number, graceSeconds: number }

/** Of one person's sessions; the one that was not used for longest ends when there would be another. */
export const MOST_SESSIONS = 50

export type EndReason = 'signed_out' | 'signed_out_everywhere' | 'password_changed' | 'password_reset'

/** `hasEnded`: another session ended for it, because there were too many. */
export interface Opened { sessionId: string, refreshToken: string, refreshExpiresAt: string, hasEnded: boolean }

const LONGEST_USER_AGENT = 300

/**
 * Opens a session for an active person.
 * @param passwordHash of the password that was checked: whoever changes it meanwhile ends this session too
 * @returns undefined when the person is not active any more, or has another password
 */
export async function openSession (db: Db, { userId, passwordHash, ip, userAgent, lifetimes }: { userId: string, passwordHash: string, ip: string, userAgent?: string, lifetimes: Lifetimes }): Promise<Opened | undefined> {
  const [sessionId, refreshToken] = [newId(), newToken()]
  const { rows: [row] } = await sql<{ expires_at: string, has_ended: boolean }>`
    with superfluous as (
      select id from sessions where user_id = ${userId} and ended_at is null and expires_at > now() order by last_used_at desc offset ${MOST_SESSIONS - 1}
    ), locked as materialized (
      select id from sessions where id in (select id from superfluous) and ended_at is null order by id for no key update
    ), ended as (
      update sessions s set ended_at = clock_timestamp(), end_reason = 'too_many' from locked l where s.id = l.id
    ), opened as (
      insert into sessions (id, user_id, ip, user_agent, expires_at, must_end_at)
      select ${sessionId}::uuid, id, ${ip}::inet, ${userAgent?.slice(0, LONGEST_USER_AGENT) ?? null}::text,
        now() + least(${lifetimes.idleHours}::int, ${lifetimes.mostHours}::int) * interval '1 hour', now() + ${lifetimes.mostHours}::int * interval '1 hour'
      from (
        select u.id from users u join user_credentials c on c.user_id = u.id
        where u.id = ${userId} and u.is_active and c.password_hash = ${passwordHash} for share of c
      ) person
      returning id, expires_at
    ), token as (
      insert into refresh_tokens (token_hash, session_id) select ${hashOf(refreshToken)}::bytea, id from opened
    )
    select expires_at, exists (select from superfluous) as has_ended from opened`.execute(db)
  return row === undefined ? undefined : { sessionId, refreshToken, refreshExpiresAt: row.expires_at, hasEnded: row.has_ended }
}

export type Refreshed =
  | { outcome: 'rotated', sessionId: string, refreshToken: string, refreshExpiresAt: string, user: { id: string, email: string, name: string } }
  | { outcome: 'reused', sessionId: string, user: { id: string } }
  | { outcome: 'refused' }

interface Given {
  verdict: 'rotated' | 'again' | 'reused' | 'over'
  session_id: string
  salt: Buffer | null
  expires_at: string
  user: { id: string, email: string, name: string }
  /** What was rotated lately: hash -> salt, both in hex. */
  recent: Record<string, string>
}

/**
 * Takes a refresh token for its successor, in one statement. One that was taken before is taken again for a few seconds, for
 * the same successor; after that somebody else has it, and the session ends for both.
 */
export async function refreshSession (db: Db, token: string, { idleHours, graceSeconds }: Lifetimes): Promise<Refreshed> {
  const salt = newSalt()
  const { rows: [given] } = await sql<Given>`
    with session as materialized (
      -- Before its tokens, as by who deletes it with them.
      select * from sessions where id = (select session_id from refresh_tokens where token_hash = ${hashOf(token)}) for update
    ), given as materialized (
      select r.token_hash, r.rotated_at, r.salt, s.id as session_id, s.ended_at, s.expires_at, s.must_end_at, u.id as user_id, u.email::text, u.name, u.is_active
      from session s join refresh_tokens r on r.session_id = s.id join users u on u.id = s.user_id
      where r.token_hash = ${hashOf(token)} for update of r
    ), judged as materialized (
      select *, case
        when ended_at is not null or expires_at <= clock_timestamp() or not is_active then 'over'
        when rotated_at is null then 'rotated'
        when rotated_at > clock_timestamp() - ${graceSeconds}::int * interval '1 second' then 'again'
        else 'reused' end as verdict
      from given
    ), rotated as (
      update refresh_tokens r set rotated_at = clock_timestamp(), salt = ${salt} from judged j where j.verdict = 'rotated' and r.token_hash = j.token_hash
    ), successor as (
      insert into refresh_tokens (token_hash, session_id) select ${hashOf(successorOf(token, salt))}::bytea, session_id from judged where verdict = 'rotated'
    ), used as (
      update sessions s set last_used_at = clock_timestamp(), expires_at = least(clock_timestamp() + ${idleHours}::int * interval '1 hour', s.must_end_at)
      from judged j where j.verdict in ('rotated', 'again') and s.id = j.session_id returning s.expires_at
    ), ended as (
      update sessions s set ended_at = clock_timestamp(), end_reason = 'refresh_reused' from judged j where j.verdict = 'reused' and s.id = j.session_id
    )
    select verdict, session_id, salt, coalesce((select expires_at from used), expires_at) as expires_at,
      json_build_object('id', user_id, 'email', email, 'name', name) as user,
      (select coalesce(json_object_agg(encode(r.token_hash, 'hex'), encode(r.salt, 'hex')), '{}') from refresh_tokens r
       where verdict = 'again' and r.session_id = j.session_id and r.rotated_at > clock_timestamp() - ${graceSeconds}::int * interval '1 second') as recent
    from judged j`.execute(db)
  if (given === undefined || given.verdict === 'over') return { outcome: 'refused' }
  const { session_id: sessionId, user } = given
  if (given.verdict === 'reused') return { outcome: 'reused', sessionId, user }
  const refreshToken = given.verdict === 'rotated' ? successorOf(token, salt) : latestAfter(token, given.salt as Buffer, given.recent)
  return { outcome: 'rotated', sessionId, refreshToken, refreshExpiresAt: given.expires_at, user }
}

/** The end of the line that follows a token: its successor, or the successor's where that was taken too in the meantime. */
function latestAfter (token: string, salt: Buffer, recent: Given['recent']): string {
  let latest = successorOf(token, salt)
  for (let next = recent[hashOf(latest).toString('hex')]; next !== undefined; next = recent[hashOf(latest).toString('hex')]) {
    latest = successorOf(latest, Buffer.from(next, 'hex'))
  }
  return latest
}

/** Ends one session of a person. @returns whether it was there and had not ended */
export async function endSession (db: Db, { id, userId, reason }: { id: string, userId: string, reason: EndReason }): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('sessions').set({ ended_at: sql<string>`clock_timestamp()`, end_reason: reason })
    .where('id', '=', id).where('user_id', '=', userId).where('ended_at', 'is', null).where('expires_at', '>', sql<string>`now()`).executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Ends the session that a refresh token belongs to, be it the newest one or not. @returns whose it was */
export async function endSessionOf (db: Db, refreshToken: string): Promise<{ id: string, user_id: string } | undefined> {
  return db.updateTable('sessions').from('refresh_tokens').set({ ended_at: sql<string>`clock_timestamp()`, end_reason: 'signed_out' })
    .whereRef('refresh_tokens.session_id', '=', 'sessions.id').where('token_hash', '=', hashOf(refreshToken)).where('ended_at', 'is', null).where('expires_at', '>', sql<string>`now()`)
    .returning(['sessions.id', 'sessions.user_id']).executeTakeFirst()
}

/** Ends all sessions of a person, or all but one, locked in the order of their ids: as by who opens one too many. @returns how many */
export async function endSessions (db: Db, { userId, but, reason }: { userId: string, but?: string, reason: EndReason }): Promise<number> {
  const { numUpdatedRows } = await db
    .with('locked', (cte) => cte.selectFrom('sessions').select('id')
      .where('user_id', '=', userId).where('ended_at', 'is', null).where('expires_at', '>', sql<string>`now()`)
      .$if(but !== undefined, (qb) => qb.where('id', '<>', but as string)).orderBy('id').forNoKeyUpdate())
    .updateTable('sessions').from('locked').set({ ended_at: sql<string>`clock_timestamp()`, end_reason: reason })
    .whereRef('sessions.id', '=', 'locked.id').executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Where a person is signed in, the last used first. */
export async function listSessions (db: Db, userId: string) {
  return db.selectFrom('sessions').select(['id', 'created_at', 'last_used_at', 'expires_at', 'user_agent']).select(sql<string>`host(ip)`.as('ip'))
    .where('user_id', '=', userId).where('ended_at', 'is', null).where('expires_at', '>', sql<string>`now()`)
    .orderBy('last_used_at', 'desc').orderBy('id').limit(MOST_SESSIONS).execute()
}

/** Forgets sessions that are over, and their tokens, after so many days. @returns how many */
export const expireSessions = (db: Db, days: number, signal?: AbortSignal): Promise<number> => inBatches(async () => {
  const { numAffectedRows } = await sql`
    delete from sessions where id = any(array(
      select id from sessions where expires_at < now() - ${days}::int * interval '1 day' or ended_at < now() - ${days}::int * interval '1 day' limit ${BATCH} for update skip locked))`.execute(db)
  return Number(numAffectedRows)
}, signal)
