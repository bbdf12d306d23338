import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { BATCH, inBatches } from '../../plugins/jobs/batches.js'

/**
 * Forgets what was revoked, or expired, so many days ago, some rows at a time.
 * @param table one with `revoked_at` and `expires_at`, and an index of the least of both
 * @returns how many
 */
export const forgetExpired = (db: Db, table: 'api_tokens' | 'guest_links', { days, signal }: { days: number, signal?: AbortSignal }): Promise<number> => inBatches(async () => {
  const { numAffectedRows } = await sql`
    delete from ${sql.table(table)} where ctid = any(array(
      select ctid from ${sql.table(table)} where least(revoked_at, expires_at) < now() - ${days} * interval '1 day' limit ${BATCH} for update skip locked))`.execute(db)
  return Number(numAffectedRows)
}, signal)
