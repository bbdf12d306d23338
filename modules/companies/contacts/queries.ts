import { sql, type SqlBool } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../../shared/pagination.js'
import { setDeleted } from '../../shared/soft-delete.js'
import { inTransaction } from '../../shared/transaction.js'
import { refuseWhileItHolds } from '../queries.js'
import { addRecord, changeRecord, type Kept } from '../records.js'
import type { Contact, CreateContact, UpdateContact } from '../schemas.js'

export type ContactRow = Static<typeof Contact>

const columns = ['c.id', 'c.company_id', 'c.name', 'c.email', 'c.phone', 'c.title', 'c.version', 'c.created_at', 'c.updated_at'] as const
const contact: Kept = { table: 'contacts', entityType: 'contact', fields: { name: 'text', email: 'citext', phone: 'text', title: 'text' } }
const orders: Record<string, Order> = { name: { by: sql`lower(c.name)`, type: 'text' } }

/** A contact of a company that is deleted is out of sight with it. */
const live = (db: Db) => db.selectFrom('contacts as c').innerJoin('companies as o', 'o.id', 'c.company_id').where('c.deleted_at', 'is', null).where('o.deleted_at', 'is', null)

/** One page of a company's contacts, and one row more when there is a next page. */
export function listContacts (db: Db, { companyId, page }: { companyId: string, page: PageRequest }) {
  return keyset(live(db).where('c.company_id', '=', companyId).select(columns), orders, sql`c.id`, page).$castTo<ContactRow & Keyed>().execute()
}

export async function countContacts (db: Db, companyId: string): Promise<number> {
  const { total } = await live(db).where('c.company_id', '=', companyId).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export function findContact (db: Db, id: string) {
  return live(db).where('c.id', '=', id).select(columns).$castTo<ContactRow>().executeTakeFirst()
}

/** @returns the contact, or undefined when there is no such company */
export async function createContact (db: Db, { companyId, values, origin }: { companyId: string, values: CreateContact, origin: Origin }): Promise<ContactRow | undefined> {
  const id = await addRecord(db, contact, { values, companyId, origin })
  return id === undefined ? undefined : findContact(db, id)
}

export const updateContact = (db: Db, change: { id: string, set: UpdateContact, versions?: number[], origin: Origin }) => changeRecord(db, contact, change)

/** Deletes a contact softly, unless they have a ball, or brings it back, and records the event. */
export function setContactDeleted (db: Db, { id, deleted, versions, origin }: { id: string, deleted: boolean, versions?: number[], origin: Origin }): Promise<void> {
  return inTransaction(db, async (trx) => {
    if (deleted) await refuseWhileItHolds(trx, 'contacts', id, sql`t.ball_company_id = x.company_id and t.ball_contact_id = x.id`)
    await setDeleted(trx, { table: 'contacts', entityType: 'contact', joins: sql`join companies o on o.id = x.company_id`, projectId: sql`null::uuid`, taskId: sql`null::uuid` },
      { id, deleted, versions, actorId: origin.actorId, visible: sql<SqlBool>`o.deleted_at is null`, record: recordEvents(origin) })
  })
}
