import { sql, type RawBuilder } from 'kysely'
import type { Actor } from '../../../plugins/auth/index.js'
import { conditions, type ReportFilter } from '../filters.js'
import { anyDepartment, scope, WHOLE_COMPANY } from './scope.js'

/** What tasks are counted by. `holder` counts open tasks, and is `user:<id>`, `company:<id>` or `nobody`. */
export type Dimension = 'status' | 'priority' | 'holder'

/** Each dimension as a row of the ledger, and of the tasks, has it. */
const inLedger: Record<Dimension, { key: RawBuilder<unknown>, only: RawBuilder<unknown> }> = {
  status: { key: sql`l.status`, only: sql`` },
  priority: { key: sql`l.priority`, only: sql`` },
  holder: { key: sql`l.holder`, only: sql`and l.status not in ('done', 'closed')` }
}
const inTasks: Record<Dimension, { key: RawBuilder<unknown>, only: RawBuilder<unknown> }> = {
  status: { key: sql`t.status`, only: sql`` },
  priority: { key: sql`t.priority`, only: sql`` },
  holder: { key: sql`stat_holder(t.ball_in_court, t.ball_company_id)`, only: sql`and t.is_open` }
}

/**
 * Rows of `key` and `count`, to be put in parentheses: totals and what is not folded into them yet. Where the caller sees
 * most projects, that is the company's totals less those of the projects not counted; else the totals of the projects counted.
 */
export function countsFromLedger (actor: Actor, dimension: Dimension, filter: ReportFilter): RawBuilder<unknown> {
  const { key, only } = inLedger[dimension]
  return sql`
    with ${scope(actor, filter)}
    select key, sum(n) as count from (
      select s.key, s.count from stat_totals s
      where (select is_wide from side) and s.project_id = ${WHOLE_COMPANY} and s.dim = ${dimension} ${anyDepartment('s', filter)}
      union all
      select s.key, case when side.is_wide then -s.count else s.count end
      from side join scope on scope.is_counted <> side.is_wide join stat_totals s on s.project_id = scope.id
      where s.dim = ${dimension} ${anyDepartment('s', filter)}
      union all
      select ${key}, l.delta from stat_ledger l join scope on scope.id = l.project_id
      where scope.is_counted ${only} ${anyDepartment('l', filter)}
    ) parts (key, n) group by key`
}

/** The same as `countsFromLedger` for each project; rows of `project_id`, `key` and `count`. */
export function countsPerProjectFromLedger (actor: Actor, dimension: Dimension, filter: ReportFilter): RawBuilder<unknown> {
  const { key, only } = inLedger[dimension]
  return sql`
    with ${scope(actor, filter)}
    select project_id, key, sum(n) as count from (
      select s.project_id, s.key, s.count as n from scope join stat_totals s on s.project_id = scope.id
      where scope.is_counted and s.dim = ${dimension} ${anyDepartment('s', filter)}
      union all
      select l.project_id, ${key}, l.delta from stat_ledger l join scope on scope.id = l.project_id
      where scope.is_counted ${only} ${anyDepartment('l', filter)}
    ) parts (project_id, key, n) group by 1, 2`
}

/** The same rows from the tasks, by their indexes, for what the ledger has no dimension for. */
export function countsFromTasks (actor: Actor, dimension: Dimension, filter: ReportFilter, perProject = false): RawBuilder<unknown> {
  const { key, only } = inTasks[dimension]
  return sql`
    select ${perProject ? sql`t.project_id,` : sql``} ${key} as key, count(*) from tasks t join projects p on p.id = t.project_id
    where ${conditions(actor, filter)} ${only} group by ${perProject ? sql`1, 2` : sql`1`}`
}

/** The ledger knows no dates of tasks but the quarter in which they were created: those filters go to the tasks. */
const isOfDates = ({ from, to }: ReportFilter) => from !== undefined || to !== undefined

/** How many of the tasks that a caller sees there are of each key; rows of `key` and `count`, to be put in parentheses. */
export const counts = (actor: Actor, dimension: Dimension, filter: ReportFilter): RawBuilder<unknown> =>
  isOfDates(filter) ? countsFromTasks(actor, dimension, filter) : countsFromLedger(actor, dimension, filter)

/** The same for each project; rows of `project_id`, `key` and `count`. */
export const countsPerProject = (actor: Actor, dimension: Dimension, filter: ReportFilter): RawBuilder<unknown> =>
  isOfDates(filter) ? countsFromTasks(actor, dimension, filter, true) : countsPerProjectFromLedger(actor, dimension, filter)
