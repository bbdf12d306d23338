import { timingSafeEqual } from 'node:crypto'
import { sql, type SqlBool } from 'kysely'
import type { Db } from '../database/index.js'

/** Who asks: a person who exists and is active, and what they may do now. */
export interface Actor {
  id: string
  email: string
  name: string
  timezone: string
  /** What their roles allow in the whole company, and no more than their token does. */
  permissions: string[]
  /** Whether their roles in the company show them the projects that are open to it, whatever their token is for. */
  seesOpenProjects: boolean
  /** What their personal access token allows, where they came with one. */
  scopes?: string[]
  /** What the request is about to do, when only their roles in projects allow it: queries see no project but those. */
  byProjectRole?: string
  /** When what signed them in is no longer good, where the proof does not say so itself: nobody is remembered for longer. */
  until?: string
}

/** Someone as another issuer knows them. */
export interface Identity { issuer: string, subject: string }

/** Whom a request speaks for, as far as what it carries proves it. Equal proofs are of the same person, so that whoever looks them up may remember. */
export interface Proof {
  /** The person: by id, by address where nothing else is known, as another issuer knows them, or as the holder of a personal access token. */
  by: { id: string } | { email: string } | { identity: Identity } | { tokenHash: string }
  /** The address that the other issuer has checked: it links them to one of us at their first sign-in. */
  verifiedEmail?: string
  /** The session that the token was given to: when it ends, so does the token. */
  sessionId?: string
  /** The personal access token that was sent. */
  apiTokenId?: string
}

/** The condition on `users` that a proof is of. */
function whom ({ by, apiTokenId }: Proof) {
  if ('email' in by) return sql<SqlBool>`users.email = ${by.email}::citext`
  if ('identity' in by) return sql<SqlBool>`users.id = (select user_id from user_identities where issuer = ${by.identity.issuer} and subject = ${by.identity.subject})`
  if ('tokenHash' in by) return sql<SqlBool>`users.id = (select user_id from api_tokens where id = ${apiTokenId}::uuid)`
  return sql<SqlBool>`users.id = ${by.id}::uuid`
}

/** The active person whom a proof names, with what they may do, as long as the session or token lasts that was sent. @returns undefined when there is none */
export async function findActor (db: Db, proof: Proof): Promise<Actor | undefined> {
  const actor = await db.selectFrom('users')
    .select(['users.id', 'users.email', 'users.name', 'users.timezone'])
    .select((eb) => eb.fn<string[]>('array', [
      eb.selectFrom('user_roles').innerJoin('role_permissions', 'role_permissions.role_id', 'user_roles.role_id')
        .whereRef('user_roles.user_id', '=', 'users.id').select('permission_code').distinct()
    ]).as('permissions'))
    .where('is_active', '=', true)
    .where(whom(proof))
    .$if(proof.sessionId !== undefined, (qb) => qb
      .innerJoin('sessions as s', (join) => join.onRef('s.user_id', '=', 'users.id').on('s.id', '=', proof.sessionId as string).on('s.ended_at', 'is', null).on('s.expires_at', '>', sql<string>`now()`))
      .select('s.expires_at as until'))
    .$if('tokenHash' in proof.by, (qb) => qb
      .innerJoin('api_tokens as t', (join) => join.on('t.id', '=', proof.apiTokenId as string).on('t.revoked_at', 'is', null).on('t.expires_at', '>', sql<string>`now()`))
      .select(['t.secret_hash', 't.scopes', 't.expires_at as until']))
    .executeTakeFirst()
  if (actor === undefined) return undefined
  const { secret_hash: hash, scopes, ...row } = actor
  const person = { ...row, seesOpenProjects: row.permissions.includes('projects:read') }
  if ('tokenHash' in proof.by && (hash === undefined || !timingSafeEqual(hash, Buffer.from(proof.by.tokenHash, 'hex')))) return undefined
  return scopes === undefined ? person : { ...person, scopes, permissions: person.permissions.filter((code) => scopes.includes(code)) }
}
