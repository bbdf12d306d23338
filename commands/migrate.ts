import { parseArgs } from 'node:util'
import { inTurn, refuseAhead, runMigration, schemaState } from '../plugins/database/apply.js'
import { lossesOf } from '../plugins/database/losses.js'
import { migrateToLatest, releaseMigrations, withMigrationConnection } from '../plugins/database/migrator.js'
import type { Config } from '../plugins/config.js'
import type { MigrationProvider } from 'kysely'

export { migrateToLatest }

type Limits = Pick<Config, 'DB_MIGRATION_LOCK_TIMEOUT_MS' | 'DB_MIGRATION_STATEMENT_TIMEOUT_MS'>

const limitsOf = (config: Limits) => ({ lockTimeoutMs: config.DB_MIGRATION_LOCK_TIMEOUT_MS, statementTimeoutMs: config.DB_MIGRATION_STATEMENT_TIMEOUT_MS })

/**
 * `npm run db:push`: applies pending migrations and says which, as they are applied.
 * @throws DatabaseAhead, MigrationsOutOfOrder, MigrationFailed
 */
export async function push (connectionString: string, _argv: string[], config: Limits): Promise<void> {
  const applied = await migrateToLatest(connectionString, { ...limitsOf(config), print: console.log })
  console.log(applied.length === 0 ? 'nothing to apply: the database is up to date' : `${applied.length} ${applied.length === 1 ? 'migration' : 'migrations'} applied`)
}

/**
 * `npm run db:status`: every migration, and when it was applied; also those that this release does not know.
 * @throws Error with `--check` when anything is pending or unknown
 */
export async function status (connectionString: string, argv: string[]): Promise<void> {
  const { values: { check } } = parseArgs({ args: argv, options: { check: { type: 'boolean', default: false } } })
  const { applied, pending } = await withMigrationConnection(connectionString, (db) => schemaState(db, releaseMigrations))
  for (const { name, at, known } of applied) console.log(`${known ? 'applied' : 'unknown'} ${at}  ${name}`)
  for (const name of pending) console.log(`pending                           ${name}`)
  const unknown = applied.filter(({ known }) => !known).length
  const verdict = [pending.length > 0 && `${pending.length} pending: npm run db:push`, unknown > 0 && `the database is ahead of this release by ${unknown}`].filter((line) => line !== false)
  if (verdict.length === 0) console.log('the database is up to date')
  else if (check) throw new Error(verdict.join('\n'))
  else console.log(verdict.join('\n'))
}

/**
 * `npm run db:rollback`: takes back the newest migration. Where that loses data it says which, and wants `--yes`.
 * @throws DatabaseAhead; MigrationFailed; Error when data would be lost without `--yes`
 */
export async function rollback (connectionString: string, argv: string[], config: Limits, provider: MigrationProvider = releaseMigrations): Promise<void> {
  const { values: { yes } } = parseArgs({ args: argv, options: { yes: { type: 'boolean', default: false } } })
  await withMigrationConnection(connectionString, (db) => inTurn(db, console.log, async () => {
    const state = await schemaState(db, provider)
    refuseAhead(state)
    const name = state.applied.map(({ name }) => name).sort().at(-1)
    if (name === undefined) return console.log('nothing to take back')
    const migration = (await provider.getMigrations())[name]
    const losses = migration === undefined ? [] : await lossesOf(db, migration)
    for (const loss of losses) console.log(`${yes ? 'loses' : 'would lose'} ${loss}`)
    if (losses.length > 0 && !yes) throw new Error(`${name} was not taken back, because that loses what is listed. Make a backup, then: npm run db:rollback -- --yes`)
    await runMigration(db, 'down', name, { provider, ...limitsOf(config) })
    console.log(`took back ${name}`)
  }))
}
