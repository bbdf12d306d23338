import { sql } from 'kysely'
import type { Db } from '../database/index.js'

/** Who asks: a person who exists and is active, and what they may do now. */
export interface Actor {
  id: string
  email: string
  name: string
  timezone: string
  /** What their roles allow, and no more than their token does. */
  permissions: string[]
}

/** Whom a request speaks for, as far as what it carries proves it. */
export interface Proof {
  /** The person: by id, or by address where nothing else is known. */
  by: { id: string } | { email: string }
  /** The session that the token was given to: when it ends, so does the token. */
  sessionId?: string
  /** The personal access token that was sent. */
  apiTokenId?: string
  /** The permissions that the token is limited to; all of the person's when left out. */
  scopes?: string[]
}

/** The active person whom a proof names, with what they may do, as long as the session lasts that it was given to. @returns undefined when there is none */
export async function findActor (db: Db, { by, sessionId, scopes }: Proof): Promise<Actor | undefined> {
  const actor = await db.selectFrom('users')
    .select(['id', 'email', 'name', 'timezone'])
    .select((eb) => eb.fn<string[]>('array', [
      eb.selectFrom('user_roles').innerJoin('role_permissions', 'role_permissions.role_id', 'user_roles.role_id')
        .whereRef('user_roles.user_id', '=', 'users.id').select('permission_code').distinct()
    ]).as('permissions'))
    .where('is_active', '=', true)
    .$call((qb) => 'email' in by ? qb.where('email', '=', sql<string>`${by.email}::citext`) : qb.where('id', '=', by.id))
    .$if(sessionId !== undefined, (qb) => qb.where((eb) => eb.exists(eb.selectFrom('sessions').select('sessions.id')
      .where('sessions.id', '=', sessionId as string).whereRef('sessions.user_id', '=', 'users.id').where('ended_at', 'is', null).where('expires_at', '>', sql<string>`now()`))))
    .executeTakeFirst()
  if (actor === undefined || scopes === undefined) return actor
  return { ...actor, permissions: actor.permissions.filter((code) => scopes.includes(code)) }
}
