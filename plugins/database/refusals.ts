import pg from 'pg'

/** What a client is told when the database refuses. */
export interface Refusal { status: number, code: string, detail: string, errors?: { path: string, message: string }[] }

const refuse = (status: number, code: string, path: string, message: string): Refusal => ({ status, code, detail: `${path} ${message}`, errors: [{ path, message }] })
const unknownPerson = (path: string, code: string) => refuse(422, code, path, 'names nobody')

/** Constraint names are the one place where a database refusal gets its public code. */
const byConstraint: Record<string, Refusal> = {
  users_email_key: refuse(409, 'EDEN_EMAIL_TAKEN', 'email', 'belongs to someone already'),
  users_timezone_known: refuse(422, 'EDEN_UNKNOWN_TIMEZONE', 'timezone', 'is not a known time zone'),
  users_last_administrator: { status: 409, code: 'EDEN_LAST_ADMINISTRATOR', detail: 'somebody must be able to do everything: the last active administrator stays' },
  roles_slug_key: refuse(409, 'EDEN_SLUG_TAKEN', 'slug', 'is taken by another role'),
  user_roles_role_id_fkey: { status: 409, code: 'EDEN_ROLE_HELD', detail: 'people hold this role: take it from them first' },
  project_members_role_fkey: { status: 409, code: 'EDEN_ROLE_HELD', detail: 'people have this role in projects: give them another one first' },
  projects_code_key: refuse(409, 'EDEN_CODE_TAKEN', 'code', 'is taken by another project'),
  companies_name_key: refuse(409, 'EDEN_COMPANY_NAME_TAKEN', 'name', 'belongs to another company'),
  contacts_email_key: refuse(409, 'EDEN_EMAIL_TAKEN', 'email', 'belongs to another contact of the company'),
  project_members_user_id_fkey: unknownPerson('user_id', 'EDEN_UNKNOWN_USER'),
  tasks_project_id_fkey: refuse(422, 'EDEN_UNKNOWN_PROJECT', 'project_id', 'names no project'),
  tasks_assignee_id_fkey: unknownPerson('assignee_id', 'EDEN_UNKNOWN_ASSIGNEE'),
  tasks_ball_in_court_fkey: unknownPerson('ball_in_court', 'EDEN_UNKNOWN_BALL_IN_COURT'),
  ball_holds_user_id_fkey: unknownPerson('ball_in_court', 'EDEN_UNKNOWN_BALL_IN_COURT'),
  tasks_ball_company_id_fkey: unknownPerson('to_company_id', 'EDEN_UNKNOWN_BALL_IN_COURT'),
  task_dependencies_pair_key: refuse(409, 'EDEN_DEPENDENCY_EXISTS', 'blocks_id', 'waits for this task already'),
  task_dependencies_not_self: refuse(409, 'EDEN_DEPENDENCY_CYCLE', 'blocks_id', 'would let a task wait for itself'),
  task_dependencies_cycle: refuse(409, 'EDEN_DEPENDENCY_CYCLE', 'blocks_id', 'would let a task wait for itself'),
  checklist_items_few: { status: 422, code: 'EDEN_CHECKLIST_FULL', detail: 'a checklist has 200 steps at most' },
  guest_links_expires_later: refuse(400, 'EDEN_VALIDATION', 'expires_at', 'must be in the future'),
  tasks_parent_id_fkey: refuse(422, 'EDEN_UNKNOWN_PARENT', 'parent_id', 'names no task of this project'),
  tasks_parent_not_self: refuse(422, 'EDEN_PARENT_CYCLE', 'parent_id', 'would make the task its own ancestor'),
  tasks_parent_cycle: refuse(422, 'EDEN_PARENT_CYCLE', 'parent_id', 'would make the task its own ancestor'),
  tasks_parent_depth: refuse(422, 'EDEN_TOO_DEEP', 'parent_id', 'would make tasks more than ten levels deep')
}

/** The constraints that have a public answer. */
export const constraintNames = Object.keys(byConstraint)

/** SQLSTATE codes and classes (PostgreSQL manual, appendix A) for what has no name of its own. */
const bySqlState: Record<string, Refusal> = {
  23505: { status: 409, code: 'EDEN_CONFLICT', detail: 'something like this exists already' },
  23503: { status: 422, code: 'EDEN_UNKNOWN_REFERENCE', detail: 'this refers to something that is not there' },
  23514: { status: 422, code: 'EDEN_REFUSED', detail: 'a value is outside what is allowed' },
  25006: { status: 503, code: 'EDEN_DATABASE_UNAVAILABLE', detail: 'the database takes no changes at the moment: try again shortly' },
  22: { status: 400, code: 'EDEN_VALIDATION', detail: 'a value cannot be stored' },
  55: { status: 503, code: 'EDEN_BUSY', detail: 'others are changing this: try again shortly' },
  40: { status: 503, code: 'EDEN_BUSY', detail: 'others are changing this: try again shortly' },
  57014: { status: 503, code: 'EDEN_TOO_SLOW', detail: 'this took too long and was stopped' }
}

/** The public answer to a refusal by PostgreSQL, or undefined when it is not one that a client can do something about. */
export function refusalOf (error: unknown): Refusal | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined
  return byConstraint[error.constraint ?? ''] ?? bySqlState[error.code ?? ''] ?? bySqlState[error.code?.slice(0, 2) ?? '']
}
