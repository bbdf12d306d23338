import { sql, type Expression, type SqlBool } from 'kysely'
import { Type } from 'typebox'
import type { Actor } from '../../plugins/auth/index.js'
import { Id } from '../shared/schemas.js'
import { visibleProject } from '../shared/visibility.js'
import { Department } from '../users/index.js'
import { formatParameter } from './answer.js'

const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))

/** The query parameters of every report; `what` is what `from` and `to` bound. */
export const filtersOn = (what: string) => ({
  project: Type.Optional(Type.Array(Id, { maxItems: 50 })),
  department: Type.Optional(Type.Array(Department, { description: 'of the tasks' })),
  from: time(`${what} at this time or later`),
  to: time(`${what} before this time`),
  ...formatParameter
})

/** The person that a report can be narrowed to; `whose` says what they are to a task. */
export const personFilter = (whose: string) => ({
  person: Type.Optional(Type.Array(Type.String({ pattern: '^(me|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$', maxLength: 36 }), { maxItems: 50, description: `${whose}: user ids, me` }))
})

/** What every report can be narrowed to. */
export interface ReportFilter { project?: string[], department?: string[], from?: string, to?: string }

/** The ids that a `person` filter means. */
export const peopleOf = (person: string[] | undefined, { id }: Actor): string[] | undefined => person?.map((one) => one === 'me' ? id : one)

/** The tasks `t` of visible projects `p` that a filter leaves; `from` and `to` bound when a task was created. */
export function conditions (actor: Actor, { project, department, from, to }: ReportFilter): Expression<SqlBool> {
  return sql<SqlBool>`t.deleted_at is null and ${visibleProject(actor)}
    ${project === undefined ? sql`` : sql`and t.project_id = any(${project}::uuid[])`}
    ${department === undefined ? sql`` : sql`and t.department = any(${department}::text[])`}
    ${from === undefined ? sql`` : sql`and t.created_at >= ${from}`}
    ${to === undefined ? sql`` : sql`and t.created_at < ${to}`}`
}

/** Whether the ball of the task `t` is in anybody's court, ours or outside. */
export const isHeld = sql<SqlBool>`(t.ball_in_court is not null or t.ball_company_id is not null)`

/** Who asks, when, and where their days begin. */
export interface Asking { actor: Actor, now: Date }
