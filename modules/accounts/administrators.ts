import { sql } from 'kysely'
import { insertAudit } from '../../plugins/audit/record.js'
import type { Db } from '../../plugins/database/index.js'
import { listPermissions, setUserRole } from '../roles/index.js'
import { newId } from '../shared/ids.js'
import { inTransaction } from '../shared/transaction.js'
import { createUser } from '../users/index.js'
import { findAccount } from './sign-in/queries.js'

export type Administrator = { id: string, email: string, name: string, wasThere: boolean, wasAdministrator: boolean }

const COMMAND = 'user:create-admin'

/**
 * Makes somebody an administrator, and first of all a person where nobody has the address. A second time changes nothing. The
 * events are in their own name, for the log knows no operator; the audit log says that it was one.
 * @param passwordHash is set where they have no password; one that they have stays
 * @returns undefined when the person has left
 */
export function makeAdministrator (db: Db, { email, name, passwordHash }: { email: string, name: string, passwordHash?: string }): Promise<Administrator | undefined> {
  return inTransaction(db, async (trx) => {
    // Of two operators at once the second finds what the first did.
    await sql`select pg_advisory_xact_lock(hashtextextended(${COMMAND}, 0))`.execute(trx)
    const before = await findAccount(trx, { email })
    if (before?.is_active === false) return undefined
    const person = before ?? { id: newId(), email, name }
    const origin = { actorId: person.id, requestId: COMMAND }
    if (before === undefined) await createUser(trx, { id: person.id, values: { email, name }, origin, record: async () => {} })
    let wasAdministrator = true
    await setUserRole(trx, {
      userId: person.id,
      role: 'admin',
      held: true,
      own: (await listPermissions(trx)).map(({ code }) => code),
      origin,
      record: async (trx) => {
        wasAdministrator = false
        await insertAudit(trx, [{ event: 'administrator_made', actorId: null, targetType: 'user', targetId: person.id, details: { command: COMMAND, is_new: before === undefined } }])
      }
    })
    if (passwordHash !== undefined) await sql`insert into user_credentials (user_id, password_hash) values (${person.id}, ${passwordHash}) on conflict do nothing`.execute(trx)
    return { id: person.id, email: person.email, name: person.name, wasThere: before !== undefined, wasAdministrator }
  })
}
