import { sql } from 'kysely'
import { insertAudit } from '../../plugins/audit/record.js'
import type { Db } from '../../plugins/database/index.js'
import { newId } from '../shared/ids.js'
import { inTransaction } from '../shared/transaction.js'

export type Administrator = { id: string, email: string, name: string, wasThere: boolean, wasAdministrator: boolean }

/**
 * Makes somebody an administrator, and first of all a person where nobody has the address. A second time changes nothing.
 * @param passwordHash is set where they have no password; one that they have stays
 * @returns undefined when the person has left
 */
export function makeAdministrator (db: Db, { email, name, passwordHash }: { email: string, name: string, passwordHash?: string }): Promise<Administrator | undefined> {
  return inTransaction(db, async (trx) => {
    await sql`insert into users (id, email, name) values (${newId()}, ${email}, ${name}) on conflict (email) do nothing`.execute(trx)
    const { rows: [person] } = await sql<Omit<Administrator, 'wasThere'> & { is_active: boolean, is_new: boolean }>`
      with person as (
        select id, email::text, name, is_active, xmin = pg_current_xact_id()::xid as is_new from users where email = ${email}::citext for update
      ), role as (
        insert into user_roles (user_id, role_id) select p.id, r.id from person p, roles r where p.is_active and r.slug = 'admin' and r.is_system on conflict do nothing returning user_id
      ), credential as (
        insert into user_credentials (user_id, password_hash) select id, ${passwordHash ?? null}::text from person where is_active and ${passwordHash !== undefined} on conflict do nothing
      )
      select id, email, name, is_active, is_new, not exists (select from role) as "wasAdministrator" from person`.execute(trx)
    if (person === undefined || !person.is_active) return undefined
    const { is_active: _active, is_new: isNew, ...administrator } = person
    if (!person.wasAdministrator) await insertAudit(trx, [{ event: 'administrator_made', actorId: null, targetType: 'user', targetId: person.id, details: { command: 'user:create-admin', is_new: isNew } }])
    return { ...administrator, wasThere: !isNew }
  })
}
