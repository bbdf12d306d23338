import { sql } from 'kysely'
import { v7 as newId } from 'uuid'
import type { FastifyRequest } from 'fastify'
import type { Db } from '../database/index.js'
import type { SecurityEvent } from '../security.js'
import { addressOf } from '../proxies.js'

/** Something that is on record for ever. `details` hold no secrets. */
export interface AuditEntry {
  event: SecurityEvent
  /** Who did it; null when that is not known. */
  actorId: string | null
  /** To what it was done. */
  targetType?: string
  targetId?: string
  ip?: string
  userAgent?: string
  requestId?: string
  /** How many such things the entry stands for. */
  times?: number
  /** When, as an RFC 3339 timestamp; by the database's clock when left out. */
  at?: string
  details?: Record<string, unknown>
}

const LONGEST = 300
/** What came from outside need not be readable, or short: PostgreSQL's text has no NUL and no half characters. */
const storable = (_key: string, value: unknown) => typeof value === 'string' ? Buffer.from(value.slice(0, LONGEST).replaceAll('\0', '')).toString() : value

/** Puts entries on record, in one statement. */
export async function insertAudit (db: Db, entries: AuditEntry[]): Promise<void> {
  const rows = entries.map(({ event, actorId, targetType, targetId, ip, userAgent, requestId, times = 1, at, details = {} }) => ({
    id: newId(), at, event, times, actor_id: actorId, target_type: targetType, target_id: targetId, ip, user_agent: userAgent, request_id: requestId, details
  }))
  await sql`
    insert into audit_events (id, at, event, times, actor_id, target_type, target_id, ip, user_agent, request_id, details)
    select id, coalesce(at, clock_timestamp()), event, times, actor_id, target_type, target_id, ip, user_agent, request_id, details
    from jsonb_to_recordset(${JSON.stringify(rows, storable)}::jsonb) as r (id uuid, at timestamptz, event text, times integer, actor_id uuid, target_type text, target_id text,
      ip inet, user_agent text, request_id text, details jsonb)`.execute(db)
}

/** What a request says of who makes it and from where. */
export function auditOrigin (request: FastifyRequest): Pick<AuditEntry, 'actorId' | 'ip' | 'userAgent' | 'requestId'> {
  return { actorId: request.actor?.id ?? null, ip: addressOf(request), userAgent: request.headers['user-agent'], requestId: request.id }
}

/**
 * Puts a change on record, in its own transaction: both happen or neither. Also counts it, and tells the log.
 * @param db the transaction of the change
 * @param entry what happened; `actorId` when it is not the signed-in person
 */
export async function recordAudit (db: Db, request: FastifyRequest, entry: Pick<AuditEntry, 'event' | 'targetType' | 'targetId' | 'details'> & { actorId?: string }): Promise<void> {
  await insertAudit(db, [{ ...auditOrigin(request), ...entry }])
  request.server.tellSecurity(request, entry.event, { ...entry.details, target: entry.targetId, actor: entry.actorId })
}
