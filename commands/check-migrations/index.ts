import type { Migration, MigrationProvider } from 'kysely'
import { startThrowawayCluster } from '../../embedded/index.js'
import type { ReleaseMigration } from '../../plugins/database/apply.js'
import { migrateToLatest, releaseMigrations } from '../../plugins/database/migrator.js'
import { observe } from './observe.js'
import { judge, type Refusal } from './rules.js'

/** Up to here the migrations are the first release: no other ran before it. What is newer is checked. */
export const firstRelease = '20261125120200_task_notices'

/** What the check has to say of one migration. */
export interface Verdict { name: string, refusals: Refusal[], contracts?: string }

/**
 * Applies the migrations to an empty database, and looks at each that is newer than the first release: could the release
 * that runs live with it? Rules and the safe ways: docs/decisions/releases.md.
 * @param base the last migration that is not checked
 * @throws the error of a migration that fails
 */
export async function checkMigrations (connectionString: string, provider: MigrationProvider = releaseMigrations, base = firstRelease): Promise<Verdict[]> {
  const all: Record<string, Migration & ReleaseMigration> = await provider.getMigrations()
  const released = Object.fromEntries(Object.entries(all).filter(([name]) => name <= base))
  await migrateToLatest(connectionString, { provider: { getMigrations: async () => released } })
  const verdicts: Verdict[] = []
  for (const [name, migration] of Object.entries(all).sort(([a], [b]) => a < b ? -1 : 1)) {
    if (name <= base) continue
    const refusals = judge(await observe(connectionString, migration), migration.transaction !== false)
    if (migration.down === undefined) refusals.push({ what: 'it has no way down', instead: 'write `down`', contracts: false })
    const { contracts } = migration
    const said = contracts !== undefined && contracts.trim() !== ''
    verdicts.push({ name, refusals: refusals.filter((refusal) => !(refusal.contracts && said)), ...(said ? { contracts } : {}) })
  }
  return verdicts
}

/**
 * `npm run check:migrations`: checks the migrations of this release on a PostgreSQL of its own.
 * @throws Error with every refusal and the safe way
 */
export async function checkReleaseMigrations (): Promise<void> {
  const cluster = await startThrowawayCluster()
  try {
    const verdicts = await checkMigrations(cluster.url)
    for (const { name, refusals, contracts } of verdicts) {
      if (refusals.length === 0) console.log(contracts === undefined ? `ok ${name}` : `ok ${name}, which contracts: ${contracts}`)
    }
    const lines = verdicts.flatMap(({ name, refusals }) => refusals.map(({ what, instead }) => `${name} ${what}\n  instead: ${instead}`))
    if (lines.length > 0) throw new Error(lines.join('\n'))
    console.log(verdicts.length === 0 ? 'no migration is newer than the first release' : `the release that runs can live with ${verdicts.length === 1 ? 'the migration that is' : `the ${verdicts.length} migrations that are`} newer than the first release`)
  } finally {
    await cluster.stop()
  }
}
