import { sql } from 'kysely'
import type { Db } from '../database/index.js'
import { inBatches, BATCH } from '../jobs/batches.js'
import type { Store } from './store.js'

/** Counts in the table `rate_buckets`: one statement for all buckets, in one order, so that instances never wait in a circle. */
export function postgresStore (db: Db): Store {
  return {
    async add (hits) {
      const { rows } = await sql<{ bucket: string, count: number }>`
        insert into rate_buckets as known (bucket, count, expires_at)
        select * from unnest(${hits.map(({ bucket }) => bucket)}::text[], ${hits.map(({ count }) => count)}::int[], ${hits.map(({ expiresAt }) => expiresAt.toISOString())}::timestamptz[]) as hits (bucket, count, expires_at)
        order by bucket
        on conflict (bucket) do update set count = known.count + excluded.count
        returning bucket, count`.execute(db)
      return new Map(rows.map(({ bucket, count }) => [bucket, count]))
    },
    async close () {} // the pool is the service's
  }
}

/** Forgets windows that are over. @returns how many buckets */
export async function expireBuckets (db: Db, now: Date, signal?: AbortSignal): Promise<number> {
  return inBatches(async () => {
    const { numAffectedRows } = await sql`
      delete from rate_buckets where bucket = any(array(
        select bucket from rate_buckets where expires_at < ${now.toISOString()}::timestamptz limit ${BATCH} for update skip locked))`.execute(db)
    return Number(numAffectedRows ?? 0)
  }, signal)
}
