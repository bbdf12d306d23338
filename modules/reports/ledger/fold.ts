import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { inTransaction } from '../../shared/transaction.js'
import { WHOLE_COMPANY } from './scope.js'

/** How many rows of the ledger are folded in one transaction. */
const BATCH = 20_000

/**
 * Moves what is in the ledger into the totals, so that reports have little to add up. No number depends on whether it ran: a
 * row is in the ledger or in the totals, for every snapshot. Killed anywhere, the batch is as it was. Where another instance
 * is folding, there is nothing to do.
 * @returns how many rows of the ledger were folded
 */
export async function foldLedger (db: Db): Promise<number> {
  let folded = 0
  for (let more = true; more;) {
    const batch = await inTransaction(db, foldBatch)
    folded += batch
    more = batch === BATCH
  }
  return folded
}

async function foldBatch (db: Db): Promise<number> {
  // A statement of its own, before the snapshot that folds: the totals of whoever folded last are then seen.
  const { rows: [lock] } = await sql<{ taken: boolean }>`select pg_try_advisory_xact_lock(hashtextextended('stat ledger', 0)) as taken`.execute(db)
  if (lock?.taken !== true) return 0
  const { rows: [row] } = await sql<{ folded: number }>`
    with gone as (
      delete from stat_ledger where ctid = any(array(select ctid from stat_ledger limit ${BATCH}))
      returning *
    ), totals as (
      insert into stat_totals as s (project_id, dim, department, key, count)
      select scope.id, d.dim, department, d.key, sum(delta)
      from gone
      cross join lateral (values ('status', status), ('priority', priority), ('holder', case when status not in ('done', 'closed') then holder end)) d (dim, key)
      cross join lateral (values (project_id), (${WHOLE_COMPANY})) scope (id)
      where d.key is not null group by 1, 2, 3, 4 having sum(delta) <> 0
      on conflict (project_id, dim, department, key) do update set count = s.count + excluded.count
    ), created as (
      insert into stat_created as s (bucket, department, count)
      select created_bucket, department, sum(delta) from gone group by 1, 2 having sum(delta) <> 0
      on conflict (bucket, department) do update set count = s.count + excluded.count
    )
    select count(*) as folded from gone`.execute(db)
  // What has come to nothing would be added up for ever.
  if (row !== undefined && row.folded > 0) await sql`delete from stat_totals where count = 0`.execute(db)
  return row?.folded ?? 0
}
