import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../plugins/database/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { isAny } from '../shared/sql.js'
import type { AuditEvent } from './schemas.js'

const orders: Record<string, Order> = { at: { by: sql`a.at`, type: 'timestamptz' } }

export interface AuditFilter { event?: string[], actor?: string, target?: string, ip?: string, from?: string, to?: string }

const filtered = (db: Db, { event, actor, target, ip, from, to }: AuditFilter) => db.selectFrom('audit_events as a')
  .$if(event !== undefined, (qb) => qb.where(isAny('a.event', 'text', event ?? [])))
  .$if(actor !== undefined, (qb) => qb.where('a.actor_id', '=', actor as string))
  .$if(target !== undefined, (qb) => qb.where('a.target_id', '=', target as string))
  .$if(ip !== undefined, (qb) => qb.where('a.ip', '=', ip as string))
  .$if(from !== undefined, (qb) => qb.where('a.at', '>=', from as string))
  .$if(to !== undefined, (qb) => qb.where('a.at', '<', to as string))

/** One page of the audit log, and one row more when there is a next page. One statement. */
export function listAudit (db: Db, filter: AuditFilter, page: PageRequest) {
  return keyset(filtered(db, filter).select(['a.id', 'a.at', 'a.event', 'a.times', 'a.actor_id', 'a.target_type', 'a.target_id', 'a.user_agent', 'a.request_id', 'a.details'])
    .select(sql<string | null>`case when masklen(a.ip) in (32, 128) then host(a.ip) else a.ip::text end`.as('ip')), orders, sql`a.id`, page)
    .$castTo<Static<typeof AuditEvent> & Keyed>().execute()
}

export async function countAudit (db: Db, filter: AuditFilter): Promise<number> {
  const { total } = await filtered(db, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}
