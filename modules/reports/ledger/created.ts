import { sql, type RawBuilder } from 'kysely'
import type { Actor } from '../../../plugins/auth.js'
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
export const createdFromLedger = (actor: Actor, filter: ReportFilter, { from, until }: Window): RawBuilder<unknown> => sql`
  with ${scope(actor, filter)}, asked as materialized (
    select a as from_time, b as until_time, stat_bucket(a + interval '15 minutes' - interval '1 microsecond') as first, stat_bucket(b) as beyond
    from (select greatest(${from}, ${filter.from ?? null}::timestamptz), least(${until}, ${filter.to ?? null}::timestamptz)) w (a, b)
  )
  select at, sum(n) as count from (
    select c.bucket, c.count from asked join stat_created c on c.bucket >= asked.first and c.bucket < asked.beyond
    where (select is_wide from side) ${anyDepartment('c', filter)}
    union all
    select l.created_bucket, l.delta from asked join stat_ledger l on l.created_bucket >= asked.first and l.created_bucket < asked.beyond
    where (select is_wide from side) ${anyDepartment('l', filter)}
    union all
    select stat_bucket(t.created_at), case when side.is_wide then -1 else 1 end
    from side cross join asked join scope on scope.is_counted <> side.is_wide
    join tasks t on t.project_id = scope.id and t.created_at >= asked.first and t.created_at < asked.beyond
    where t.deleted_at is null ${anyDepartment('t', filter)}
    union all
    select t.created_at, 1 from asked join tasks t on t.created_at >= asked.from_time and t.created_at < least(asked.first, asked.until_time) join scope on scope.id = t.project_id
    where scope.is_counted and t.deleted_at is null ${anyDepartment('t', filter)}
    union all
    select t.created_at, 1 from asked join tasks t on t.created_at >= greatest(asked.first, asked.beyond) and t.created_at < asked.until_time join scope on scope.id = t.project_id
    where scope.is_counted and t.deleted_at is null ${anyDepartment('t', filter)}
  ) parts (at, n) group by at having sum(n) <> 0`

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
