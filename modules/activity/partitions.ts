import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'

/** What is waited for readers and writers of the log, per month; whoever runs this tries again later. */
const LOCK_TIMEOUT = '5s'

/**
 * Makes the partitions of the activity log for this month (UTC) and the months ahead; those that are there stay. Events
 * that came while there was no partition for their month move into it from the default one. Each month is a transaction of
 * its own, in which writers wait.
 * @returns the names of the partitions that were made, oldest first
 * @throws the database's error when a lock is not had in time; months before that one are done
 */
export async function ensureActivityPartitions (db: Db, monthsAhead: number): Promise<string[]> {
  const made: string[] = []
  for (let ahead = 0; ahead <= monthsAhead; ahead++) {
    await db.transaction().execute(async (trx) => {
      await sql`set local lock_timeout = ${sql.lit(LOCK_TIMEOUT)}`.execute(trx)
      const { rows: [month] } = await sql<{ day: string, name: string, is_there: boolean }>`
        select m::date as day, to_char(m, '"activity_log_"YYYY_MM') as name, to_regclass(to_char(m, '"activity_log_"YYYY_MM')) is not null as is_there
        from (select date_trunc('month', now() at time zone 'UTC') + make_interval(months => ${ahead}::int)) x (m)`.execute(trx)
      if (month === undefined || month.is_there) return
      await sql`select create_activity_partition(${month.day}::date)`.execute(trx)
      made.push(month.name)
    })
  }
  return made
}
