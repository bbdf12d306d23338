import createError from '@fastify/error'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { sql, type RawBuilder } from 'kysely'
import { allowedInProjects } from '../../plugins/auth/index.js'
import { recordAudit, type AuditEntry } from '../../plugins/audit/record.js'
import type { Db } from '../../plugins/database/index.js'

/** Nobody can give, or take, what they do not hold themselves; nor get hold of who holds it. */
export const GrantExceedsOwn = createError<[string]>('EDEN_GRANT_EXCEEDS_OWN', 'this is beyond what you hold yourself: it needs %s', 403)

/** What is asked for and not held: nobody can give, or take, what they do not hold. @throws GrantExceedsOwn */
export function refuseBeyond (own: readonly string[], asked: readonly string[]): void {
  const beyond = asked.filter((code) => !own.includes(code))
  if (beyond.length > 0) throw new GrantExceedsOwn([...new Set(beyond)].sort().join(', '))
}

/**
 * What the roles of a person allow beyond some permissions, anywhere, in SQL, whether the person is active or not.
 * @param userId a column of the query
 * @returns an expression of type text[]
 */
export const heldBeyond = (userId: RawBuilder<unknown>, permissions: readonly string[]): RawBuilder<string[]> => sql<string[]>`array(
  select h.permission_code from (
    select rp.permission_code from user_roles ur join role_permissions rp on rp.role_id = ur.role_id where ur.user_id = ${userId}
    union ${allowedInProjects(userId)}
  ) h where h.permission_code <> all(${permissions}::text[]) order by 1)`

/** Puts a change of rights on record, in the transaction of the change. */
export type OnRecord = (db: Db, entry: Pick<AuditEntry, 'event' | 'targetType' | 'targetId' | 'details'>) => Promise<void>
export const onRecord = (request: FastifyRequest): OnRecord => (db, entry) => recordAudit(db, request, entry)

/** Tells whoever watches over security of each grant that is refused. */
export function watchRefusedGrants (app: FastifyInstance): void {
  app.addHook('onError', async (request, _reply, error) => {
    if (error.code === 'EDEN_GRANT_EXCEEDS_OWN') app.security(request, 'grant_refused', { detail: error.message })
  })
}

/**
 * For the routes of a module that change what is remembered of people: a change is answered when all instances have heard of
 * it, so that the next request finds it done.
 */
export function watchGrants (app: FastifyInstance): void {
  watchRefusedGrants(app)
  app.addHook('onSend', async (request, reply) => {
    if (request.method !== 'GET' && reply.statusCode < 300) await app.actors.settled()
  })
}
