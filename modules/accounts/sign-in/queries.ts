import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'

/** A person, and how they sign in. */
export interface Account { id: string, email: string, name: string, is_active: boolean, password_hash: string | null }

/** Whose address this is, whether active or not. */
export function findAccount (db: Db, by: { email: string } | { id: string }): Promise<Account | undefined> {
  return db.selectFrom('users').leftJoin('user_credentials', 'user_credentials.user_id', 'users.id')
    .select(['users.id', 'email', 'name', 'is_active', 'password_hash'])
    .$call((qb) => 'email' in by ? qb.where('email', '=', sql<string>`${by.email}::citext`) : qb.where('users.id', '=', by.id))
    .executeTakeFirst()
}

/** Keeps the same password under a new hash. @returns false when it has another one meanwhile */
export async function renewHash (db: Db, { userId, from, to }: { userId: string, from: string, to: string }): Promise<boolean> {
  const { numUpdatedRows } = await db.updateTable('user_credentials').set({ password_hash: to }).where('user_id', '=', userId).where('password_hash', '=', from).executeTakeFirst()
  return numUpdatedRows > 0n
}
