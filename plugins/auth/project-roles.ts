import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../database/index.js'
import type { Actor } from './actor.js'

/** The slugs of the roles that allow something to whoever has them in a project, in SQL. */
export const rolesThatAllow = (permission: string): RawBuilder<unknown> => sql`(
  select r.slug from roles r join role_permissions rp on rp.role_id = r.id join permissions c on c.code = rp.permission_code
  where c.code = ${permission} and c.in_projects)`

/**
 * Everything that the roles of a person in projects allow there, in SQL.
 * @param userId a column or a value
 * @param where a condition on the membership `m`: all of them when left out
 */
export const allowedInProjects = (userId: unknown, where: RawBuilder<unknown> = sql`true`): RawBuilder<unknown> => sql`
  select rp.permission_code from project_members m join roles r on r.slug = m.role join role_permissions rp on rp.role_id = r.id
    join permissions c on c.code = rp.permission_code
  where m.user_id = ${userId} and c.in_projects and ${where}`

/** Whether a person may do something in some project at least, by a role that they have there, and by their token. */
export async function maySomewhere (db: Db, { id, scopes }: Actor, permission: string): Promise<boolean> {
  if (scopes?.includes(permission) === false) return false
  const { rows } = await sql`select from project_members m where m.user_id = ${id} and m.role in ${rolesThatAllow(permission)} limit 1`.execute(db)
  return rows.length > 0
}
