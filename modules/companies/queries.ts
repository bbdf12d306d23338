import createError from '@fastify/error'
import { sql, type RawBuilder, type SqlBool } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { setDeleted } from '../shared/soft-delete.js'
import { isAny, planEachTime } from '../shared/sql.js'
import { inTransaction } from '../shared/transaction.js'
import { addRecord, changeRecord, type Kept } from './records.js'
import type { Company, CreateCompany, UpdateCompany } from './schemas.js'

export type CompanyRow = Static<typeof Company>

export interface CompanyFilter { kind?: string[], q?: string }

const columns = ['id', 'name', 'kind', 'phone', 'version', 'created_at', 'updated_at'] as const
const company: Kept = { table: 'companies', entityType: 'company', fields: { name: 'text', kind: 'text', phone: 'text' } }
const orders: Record<string, Order> = { name: { by: sql`lower(name)`, type: 'text' } }

/** A pattern for what begins with a text, which stands for itself: nothing in it is a wildcard. */
const beginsWith = (text: string): string => `${text.replaceAll(/[\\%_]/g, '\\$&')}%`

const filtered = (db: Db, { kind, q }: CompanyFilter) => db.selectFrom('companies').where('deleted_at', 'is', null)
  .$if(kind !== undefined, (qb) => qb.where(isAny('kind', 'text', kind ?? [])))
  .$if(q !== undefined, (qb) => qb.where(sql<SqlBool>`${planEachTime} lower(name) like lower(${beginsWith(q ?? '')})`))

/** One page of the companies, and one row more when there is a next page. */
export function listCompanies (db: Db, { filter, page }: { filter: CompanyFilter, page: PageRequest }) {
  return keyset(filtered(db, filter).select(columns), orders, sql`id`, page).$castTo<CompanyRow & Keyed>().execute()
}

export async function countCompanies (db: Db, filter: CompanyFilter): Promise<number> {
  const { total } = await filtered(db, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export function findCompany (db: Db, id: string) {
  return db.selectFrom('companies').select(columns).where('id', '=', id).where('deleted_at', 'is', null).$castTo<CompanyRow>().executeTakeFirst()
}

export async function createCompany (db: Db, { values, origin }: { values: CreateCompany, origin: Origin }): Promise<CompanyRow | undefined> {
  const id = await addRecord(db, company, { values, origin })
  return id === undefined ? undefined : findCompany(db, id)
}

export const updateCompany = (db: Db, change: { id: string, set: UpdateCompany, versions?: number[], origin: Origin }) => changeRecord(db, company, change)

const HoldsBall = createError<[string]>('EDEN_HOLDS_BALL', 'the ball of %s open tasks is there: hand them over first', 409)

/**
 * Locks an outside party whose deletion is to follow. A handover locks it too, so that none comes in between; whatever
 * was handed over before is seen by the second statement.
 * @param whose the condition that a task `t` has its ball there; the party is `x`
 */
export async function refuseWhileItHolds (trx: Db, kept: Kept['table'], id: string, whose: RawBuilder<unknown>): Promise<void> {
  await sql`select from ${sql.table(kept)} x where x.id = ${id} for update`.execute(trx)
  const { rows: [row] } = await sql<{ count: number }>`
    select count(*) from ${sql.table(kept)} x join tasks t on ${whose} where x.id = ${id} and x.deleted_at is null and t.is_open and t.deleted_at is null`.execute(trx)
  if (row !== undefined && row.count > 0) throw new HoldsBall(`${row.count}`)
}

/** Deletes a company softly, unless it has a ball, with its contacts out of sight, or brings it back, and records the event. */
export function setCompanyDeleted (db: Db, { id, deleted, versions, origin }: { id: string, deleted: boolean, versions?: number[], origin: Origin }): Promise<void> {
  return inTransaction(db, async (trx) => {
    if (deleted) await refuseWhileItHolds(trx, 'companies', id, sql`t.ball_company_id = x.id`)
    await setDeleted(trx, { table: 'companies', entityType: 'company', joins: sql``, projectId: sql`null::uuid`, taskId: sql`null::uuid` },
      { id, deleted, versions, actorId: origin.actorId, visible: sql<SqlBool>`true`, record: recordEvents(origin) })
  })
}
