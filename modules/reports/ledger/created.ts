import { sql, type RawBuilder } from 'kysely'
import type { Actor } from '../../../plugins/auth/index.js'
import { conditions, type ReportFilter } from '../filters.js'
import { anyDepartment, scope } from './scope.js'

/** From when on, and before when, tasks were created. */
export interface Window { from: RawBuilder<unknown>, until: RawBuilder<unknown> }

/**
 * Rows of `at` and `count`, to be put in parentheses: how many of the tasks that a caller sees were created in a quarter of
 * an hour that begins at `at`, or, where the window begins or ends within one, at the time itself. Days of a time zone are
 * sums of them.
 *
 * Only the company's quarters are kept: by project nearly every quarter has one task or none. Where the caller sees most
 * projects the others are taken away, else those seen are counted, by the index of a project's tasks by creation.
 */
export function createdFromLedger (actor: Actor, filter: ReportFilter, window: Window): RawBuilder<unknown> {
  const from = sql`greatest(${window.from}, ${filter.from ?? null}::timestamptz)`
  const until = sql`least(${window.until}, ${filter.to ?? null}::timestamptz)`
  // The quarters that lie in the window whole. Written out at each place, so that the planner knows how few they are.
  const first = sql`stat_bucket(${from} + interval '15 minutes' - interval '1 microsecond')`
  const beyond = sql`stat_bucket(${until})`
  return sql`
    with ${scope(actor, filter)}
    select at, sum(n) as count from (
      select c.bucket, c.count from stat_created c
      where (select is_wide from side) and c.bucket >= ${first} and c.bucket < ${beyond} ${anyDepartment('c', filter)}
      union all
      select l.created_bucket, l.delta from stat_ledger l
      where (select is_wide from side) and l.created_bucket >= ${first} and l.created_bucket < ${beyond} ${anyDepartment('l', filter)}
      union all
      select stat_bucket(t.created_at), case when side.is_wide then -1 else 1 end
      from side join scope on scope.is_counted <> side.is_wide join tasks t on t.project_id = scope.id
      where t.deleted_at is null and t.created_at >= ${first} and t.created_at < ${beyond} ${anyDepartment('t', filter)}
      union all
      select t.created_at, 1 from tasks t join scope on scope.id = t.project_id
      where scope.is_counted and t.deleted_at is null and t.created_at >= ${from} and t.created_at < least(${first}, ${until}) ${anyDepartment('t', filter)}
      union all
      select t.created_at, 1 from tasks t join scope on scope.id = t.project_id
      where scope.is_counted and t.deleted_at is null and t.created_at >= greatest(${first}, ${beyond}) and t.created_at < ${until} ${anyDepartment('t', filter)}
    ) parts (at, n) group by at having sum(n) <> 0`
}

/** The same from the tasks, for filters that the ledger has no dimension for and for zones whose days are made of other quarters. */
export const createdFromTasks = (actor: Actor, filter: ReportFilter, { from, until }: Window, assignees?: string[]): RawBuilder<unknown> => sql`
  select t.created_at as at, 1 as count from tasks t join projects p on p.id = t.project_id
  where t.created_at >= ${from} and t.created_at < ${until} and ${conditions(actor, filter)} ${assignees === undefined ? sql`` : sql`and t.assignee_id = any(${assignees}::uuid[])`}`

/** Whether a zone's midnights are at a whole quarter of an hour of UTC: so are those of every zone that has a name. */
export const hasWholeQuarters = (zone: string): boolean => /^[A-Za-z]+(\/[A-Za-z]|$)/.test(zone)

/** How many tasks were created when; rows of `at` and `count`, to be put in parentheses. */
export function created (actor: Actor, filter: ReportFilter, window: Window, assignees?: string[]): RawBuilder<unknown> {
  if (assignees === undefined && hasWholeQuarters(actor.timezone)) return createdFromLedger(actor, filter, window)
  return createdFromTasks(actor, filter, window, assignees)
}
