import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { WHOLE_COMPANY } from './scope.js'

/** A number that the ledger has otherwise than the tasks have it. */
export interface WrongCount {
  /** Null: all projects together. */
  project_id: string | null
  dim: 'status' | 'priority' | 'holder' | 'created'
  department: string
  key: string
  /** By totals and ledger. */
  counted: number
  /** By the tasks. */
  actual: number
}

/**
 * Counts all tasks again and compares with totals and ledger: one statement, so that all is of one snapshot and writers and
 * folders may go on. Reads every task: some seconds for a million.
 * @returns what differs, at most 100; nothing when the books balance
 */
export async function verifyCounts (db: Db): Promise<WrongCount[]> {
  const { rows } = await sql<WrongCount>`
    with facts as materialized (
      select project_id, coalesce(department, '') as department, status, priority, stat_holder(ball_in_court, ball_company_id) as holder, stat_bucket(created_at) as bucket, 0 as counted, count(*) as actual
      from tasks where deleted_at is null group by 1, 2, 3, 4, 5, 6
      union all
      select *, 0 from stat_ledger
    ), numbers (project_id, dim, department, key, counted, actual) as (
      select scope.id, d.dim, department, d.key, counted, actual
      from facts
      cross join lateral (values ('status', status), ('priority', priority), ('holder', case when status not in ('done', 'closed') then holder end)) d (dim, key)
      cross join lateral (values (project_id), (${WHOLE_COMPANY})) scope (id)
      where d.key is not null
      union all
      select project_id, dim, department, key, count, 0 from stat_totals
      union all
      select ${WHOLE_COMPANY}, 'created', department, to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'), counted, actual from facts
      union all
      select ${WHOLE_COMPANY}, 'created', department, to_char(bucket at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'), count, 0 from stat_created
    )
    select nullif(project_id, ${WHOLE_COMPANY}) as project_id, dim, department, key, sum(counted) as counted, sum(actual) as actual
    from numbers group by numbers.project_id, dim, department, key having sum(counted) <> sum(actual)
    order by 1 nulls first, 2, 3, 4 limit 100`.execute(db)
  return rows
}
