import { sql, type SqlBool } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { setDeleted } from '../shared/soft-delete.js'
import { isAny, planEachTime } from '../shared/sql.js'
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

/** Deletes a company softly, with its contacts out of sight, or brings it back, and records the event. */
export function setCompanyDeleted (db: Db, { id, deleted, versions, origin }: { id: string, deleted: boolean, versions?: number[], origin: Origin }): Promise<void> {
  return setDeleted(db, { table: 'companies', entityType: 'company', joins: sql``, projectId: sql`null::uuid`, taskId: sql`null::uuid` },
    { id, deleted, versions, actorId: origin.actorId, visible: sql<SqlBool>`true`, record: recordEvents(origin) })
}
