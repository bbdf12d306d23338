import { parseArgs } from 'node:util'
import { seedDatabase, type SeedProgress } from '../demo/index.js'
import type { Config } from '../plugins/config.js'
import { schemaState } from '../plugins/database/apply.js'
import { releaseMigrations, withMigrationConnection } from '../plugins/database/migrator.js'
import { localFilesFolder } from '../plugins/storage/index.js'
import { DEMO_PASSWORD, demoPasswordHash } from './demo-password.js'

const usage = 'usage: npm run seed -- [--tasks 1..20000000] [--seed N]'

/**
 * Fills the database with the demo company at any scale, and says how far it is.
 * @param argv the words after the command's name
 * @throws TypeError or RangeError for a wrong argument; Error where migrations are pending; DatabaseHoldsRealData
 */
export async function seed (connectionString: string, argv: string[], config: Config): Promise<void> {
  const { values } = parseArgs({ args: argv, options: { tasks: { type: 'string', default: '600' }, seed: { type: 'string', default: '1' } } })
  const tasks = wholeNumber('--tasks', values.tasks, 1, 20_000_000)
  const number = wholeNumber('--seed', values.seed, 0, Number.MAX_SAFE_INTEGER)

  const { pending } = await withMigrationConnection(connectionString, (db) => schemaState(db, releaseMigrations))
  if (pending.length > 0) throw new Error(`${pending.length} ${pending.length === 1 ? 'migration is' : 'migrations are'} pending: npm run db:push`)
  const started = performance.now()
  const onProgress = createProgressLine(process.stdout, started)
  const counts = await seedDatabase(connectionString, { tasks, seed: number, passwordHash: await demoPasswordHash(config), filesFolder: localFilesFolder(config), onProgress })
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K')
  const rows = Object.values(counts).reduce((sum, count) => sum + count)
  console.log(`${rows.toLocaleString('en')} rows in ${seconds((performance.now() - started) / 1000)}`)
  for (const [table, count] of Object.entries(counts)) console.log(`  ${table.padEnd(18)} ${count.toLocaleString('en').padStart(12)}`)
  if (config.NODE_ENV !== 'production') console.log(`everybody signs in with the password "${DEMO_PASSWORD}"`)
}

function wholeNumber (name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) throw new RangeError(`${name} is a whole number from ${min} to ${max}, not "${text}"\n${usage}`)
  return value
}

/** One line that is written over on a terminal; elsewhere a line every few seconds. */
function createProgressLine (output: NodeJS.WriteStream, started: number): (progress: SeedProgress) => void {
  const every = output.isTTY ? 200 : 5000
  let last = -Infinity
  return (progress) => {
    const now = performance.now()
    if (now - last < every) return
    last = now
    const line = describe(progress, (now - started) / 1000)
    output.write(output.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
  }
}

function describe ({ phase, done, total, rows, share }: SeedProgress, elapsed: number): string {
  const step = phase === 'loading' ? `${done.toLocaleString('en')} of ${total.toLocaleString('en')} tasks` : phase === 'indexing' ? `index ${done + 1} of ${total}` : phase === 'numbering' ? 'events in order' : 'statistics'
  const rate = Math.round(rows / Math.max(elapsed, 0.001)).toLocaleString('en')
  const left = share > 0.01 ? `, about ${seconds(elapsed / share - elapsed)} left` : ''
  return `${phase}: ${step}, ${rows.toLocaleString('en')} rows, ${rate} rows/s${left}`
}

function seconds (value: number): string {
  const whole = Math.round(value)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}
