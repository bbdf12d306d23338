import { sql, type RawBuilder } from 'kysely'
import type { Actor } from '../../../plugins/auth/index.js'
import { visibleProject } from '../../shared/visibility.js'
import type { ReportFilter } from '../filters.js'

/** The totals of all projects together, deleted and hidden ones too, are kept as those of this one. */
export const WHOLE_COMPANY = sql`uuid '00000000-0000-0000-0000-000000000000'`

/**
 * CTEs that say whose numbers count. `scope` has each project's `id` and whether it `is_counted` for this caller and filter;
 * `side` has one row: `is_wide` when most are, so that the company's numbers less those of the others are nearer.
 */
export const scope = (actor: Actor, { project }: ReportFilter): RawBuilder<unknown> => sql`
  scope as materialized (
    select p.id, ${visibleProject(actor)} ${project === undefined ? sql`` : sql`and p.id = any(${project}::uuid[])`} as is_counted from projects p
  ), side as materialized (
    select count(*) filter (where is_counted) * 2 > count(*) as is_wide from scope
  )`

/** Of the rows `alias` of totals or ledger, those of the departments asked for. */
export const anyDepartment = (alias: string, { department }: ReportFilter): RawBuilder<unknown> => department === undefined
  ? sql``
  : sql`and ${sql.ref(`${alias}.department`)} = any(${department}::text[])`
