import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely'
import { rolesThatAllow, type Actor } from '../../plugins/auth/index.js'

const isMember = (userId: unknown): RawBuilder<unknown> => sql`exists (
    select from project_members m where m.project_id = p.id and m.user_id = ${userId})`

/** One's role in the project allows it. */
const allowedByRole = (userId: unknown, permission: string): RawBuilder<unknown> => sql`exists (
    select from project_members m where m.project_id = p.id and m.user_id = ${userId} and m.role in ${rolesThatAllow(permission)})`

/**
 * Whether the person may see the project `p` of the query: the one place that says so, for every list, report and
 * search. Expects the table `projects` under the alias `p`. For a request that only roles in projects allow, these projects are all
 * that there is.
 * @param options.deletedToo for what outlives a project: its deltas, its log, its restoration
 */
export function visibleProject ({ id, permissions, seesOpenProjects, byProjectRole }: Pick<Actor, 'id' | 'permissions' | 'seesOpenProjects' | 'byProjectRole'>, { deletedToo = false } = {}): Expression<SqlBool> {
  const live = deletedToo ? sql`true` : sql`p.deleted_at is null`
  if (byProjectRole !== undefined) return sql<SqlBool>`(${live} and ${allowedByRole(id, byProjectRole)})`
  if (permissions.includes('projects:read_all')) return sql<SqlBool>`${live}`
  return seesOpenProjects ? sql<SqlBool>`(${live} and (p.visibility = 'company' or ${isMember(id)}))` : sql<SqlBool>`(${live} and ${isMember(id)})`
}

/** Whether somebody sees the projects that they are on and no others, which may be few of many: lists go by these then. */
export const seesOnlyOwnProjects = ({ permissions, seesOpenProjects, byProjectRole }: Actor): boolean =>
  byProjectRole !== undefined || !(seesOpenProjects || permissions.includes('projects:read_all'))

/** The ids of the projects that the person may see. */
export const visibleProjects = (actor: Actor, options?: { deletedToo?: boolean }): RawBuilder<unknown> => sql`select p.id from projects p where ${visibleProject(actor, options)}`

/** Whether the person may do something more in the project `p` of the query than see it. */
export function mayInProject ({ id, permissions, scopes }: Actor, permission: string): Expression<SqlBool> {
  if (permissions.includes(permission)) return sql<SqlBool>`true`
  if (scopes?.includes(permission) === false) return sql<SqlBool>`false`
  return sql<SqlBool>`${allowedByRole(id, permission)}`
}

/**
 * The same for a person of the query, who did not ask: what they are told must be theirs to see.
 * @param userId a column, like `sql.ref('n.user_id')`
 */
export function projectVisibleTo (userId: RawBuilder<unknown>): Expression<SqlBool> {
  return sql<SqlBool>`(${isMember(userId)} or exists (select from user_roles r join role_permissions rp on rp.role_id = r.role_id
    where r.user_id = ${userId} and (rp.permission_code = 'projects:read_all' or (p.visibility = 'company' and rp.permission_code = 'projects:read'))))`
}

/**
 * Whether a person of the query, who did not ask, may do something in the project `p` now, by a role in the company or there:
 * for what goes on in somebody's name after them.
 * @param userId a column, like `sql.ref('g.created_by')`
 */
export function projectAllows (userId: RawBuilder<unknown>, permission: string): Expression<SqlBool> {
  return sql<SqlBool>`(${allowedByRole(userId, permission)} or (${projectVisibleTo(userId)}
    and exists (select from user_roles r join role_permissions rp on rp.role_id = r.role_id where r.user_id = ${userId} and rp.permission_code = ${permission})))`
}
