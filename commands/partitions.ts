import { parseArgs } from 'node:util'
import { ensureActivityPartitions } from '../modules/activity/index.js'
import { withMigrationConnection } from '../plugins/database/migrator.js'

/**
 * `npm run db:partitions -- --months N`: makes the partitions of the activity log for this month and N ahead, 12 by default.
 * @throws RangeError for a wrong number
 */
export async function makePartitions (connectionString: string, argv: string[]): Promise<void> {
  const { values: { months } } = parseArgs({ args: argv, options: { months: { type: 'string', default: '12' } } })
  if (!/^\d{1,3}$/.test(months) || Number(months) > 120) throw new RangeError(`--months is a whole number from 0 to 120, not "${months}"`)
  const made = await withMigrationConnection(connectionString, (db) => ensureActivityPartitions(db, Number(months)))
  console.log(made.length === 0 ? 'all partitions are there' : `made ${made.join(', ')}`)
}
