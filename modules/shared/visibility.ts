import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely'
import type { Actor } from '../../plugins/auth/index.js'

/** Open to the company, or one is a member. */
const openTo = (userId: RawBuilder<unknown>): RawBuilder<unknown> => sql`(p.visibility = 'company' or exists (
    select from project_members m where m.project_id = p.id and m.user_id = ${userId}))`

/**
 * Whether the person may see the project `p` of the query: the one place that says so, for every list, report and
 * search. Expects the table `projects` under the alias `p`.
 * @param options.deletedToo for what outlives a project: its deltas, its log, its restoration
 */
export function visibleProject ({ id, permissions }: Pick<Actor, 'id' | 'permissions'>, { deletedToo = false } = {}): Expression<SqlBool> {
  const live = deletedToo ? sql`true` : sql`p.deleted_at is null`
  if (permissions.includes('projects:read_all')) return sql<SqlBool>`${live}`
  return sql<SqlBool>`(${live} and ${openTo(sql`${id}`)})`
}

/**
 * The same for a person of the query, who did not ask: what they are told must be theirs to see.
 * @param userId a column, like `sql.ref('n.user_id')`
 */
export function projectVisibleTo (userId: RawBuilder<unknown>): Expression<SqlBool> {
  return sql<SqlBool>`(${openTo(userId)} or exists (select from user_roles r join role_permissions rp on rp.role_id = r.role_id
    where r.user_id = ${userId} and rp.permission_code = 'projects:read_all'))`
}
