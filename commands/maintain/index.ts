import { parseArgs } from 'node:util'
import type { Kysely } from 'kysely'
import { ensureActivityPartitions, MONTHS_AHEAD } from '../../modules/activity/index.js'
import { withMigrationConnection } from '../../plugins/database/migrator.js'
import { analyzePartitioned, dropIndex, readInvalidIndexes, readNeglected, rebuildIndex, takeTurn, vacuum, waitForLocks } from './queries.js'

/** Others wait behind whoever waits for a lock: not for longer than this. */
const LOCK_TIMEOUT = '2s'

/** Building an index waits for the transactions that run, and nobody waits behind it. */
const BUILD_LOCK_TIMEOUT = '60s'

/**
 * `npm run db:maintain`: what a database needs now and then, while the service goes on: drops what failed builds of indexes
 * left, builds invalid indexes again, vacuums and analyzes the tables that need it (`--all`: all), and makes the partitions
 * of the months ahead. Twice at once is safe: the second says so and does nothing.
 * @returns false when a step failed; the others are done
 * @throws TypeError for a wrong argument
 */
export function maintain (connectionString: string, argv: string[], print: (line: string) => void): Promise<boolean> {
  const { values: { all } } = parseArgs({ args: argv, options: { all: { type: 'boolean', default: false } } })
  return withMigrationConnection(connectionString, async (db) => {
    if (!await takeTurn(db)) {
      print('another maintenance is running on this database: nothing to do')
      return true
    }
    await waitForLocks(db, LOCK_TIMEOUT)
    const step = createSteps(print)
    await repairIndexes(db, step)
    const tables = await readNeglected(db, all)
    for (const { name, dead_rows: dead } of tables) await step(`vacuumed and analyzed ${name}, which had ${dead.toLocaleString('en')} dead rows`, () => vacuum(db, name))
    if (tables.length === 0) print('no table needs VACUUM or ANALYZE')
    await step(([...names]: string[]) => names.length === 0 ? undefined : `analyzed ${names.join(', ')} over all partitions`, () => analyzePartitioned(db, tables.map(({ name }) => name)))
    await step((made: string[]) => made.length === 0 ? `partitions of the activity log are there for ${MONTHS_AHEAD} months ahead` : `made ${made.join(', ')}`, () => ensureActivityPartitions(db, MONTHS_AHEAD))
    print(step.failed() === 0 ? 'done' : `${step.failed()} steps failed; the others are done, and it can be run again`)
    return step.failed() === 0
  })
}

type Say<T> = string | ((result: T) => string | undefined)
interface Steps { <T>(say: Say<T>, work: () => Promise<T>): Promise<void>, failed: () => number }

/** Does one thing after the other and says each, with its time; what fails is said and counted. */
function createSteps (print: (line: string) => void): Steps {
  let failures = 0
  const step = async <T>(say: Say<T>, work: () => Promise<T>) => {
    const started = performance.now()
    try {
      const result = await work()
      const line = typeof say === 'string' ? say : say(result)
      if (line !== undefined) print(`${line} (${Math.round(performance.now() - started)} ms)`)
    } catch (error) {
      failures++
      print(`FAILED: ${(error as Error).message}${typeof say === 'string' ? `; not done: ${say}` : ''}`)
    }
  }
  return Object.assign(step, { failed: () => failures })
}

async function repairIndexes (db: Kysely<any>, step: Steps): Promise<void> {
  const dropLeftovers = async () => {
    for (const { name, leftover } of await readInvalidIndexes(db)) {
      if (leftover) await step(`dropped ${name}, left by a build that failed`, () => dropIndex(db, name))
    }
  }
  await dropLeftovers()
  const broken = (await readInvalidIndexes(db)).filter(({ leftover }) => !leftover)
  if (broken.length === 0) return
  await waitForLocks(db, BUILD_LOCK_TIMEOUT)
  for (const { name } of broken) await step(`built the invalid index ${name} again`, () => rebuildIndex(db, name))
  await waitForLocks(db, LOCK_TIMEOUT)
  await dropLeftovers() // of those that failed just now
}
