import { sql, type Expression, type SqlBool } from 'kysely'
import type { Actor } from '../../plugins/auth.js'

/**
 * Whether the person may see the project `p` of the query: the one place that says so, for every list, report and
 * search. Expects the table `projects` under the alias `p`.
 * @param options.deletedToo for what outlives a project: its deltas, its log, its restoration
 */
export function visibleProject ({ id, permissions }: Pick<Actor, 'id' | 'permissions'>, { deletedToo = false } = {}): Expression<SqlBool> {
  const live = deletedToo ? sql`true` : sql`p.deleted_at is null`
  if (permissions.includes('projects:read_all')) return sql<SqlBool>`${live}`
  return sql<SqlBool>`(${live} and (p.visibility = 'company' or exists (
    select from project_members m where m.project_id = p.id and m.user_id = ${id})))`
}
