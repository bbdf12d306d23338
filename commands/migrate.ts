import { createMigrator, migrateToLatest, withMigrationConnection } from '../plugins/database/migrator.js'

export { migrateToLatest }

/** `npm run db:push`: applies pending migrations and says which. */
export async function push (connectionString: string): Promise<void> {
  const applied = await migrateToLatest(connectionString)
  for (const { migrationName } of applied) console.log(`applied ${migrationName}`)
  console.log(applied.length === 0 ? 'nothing to apply: the database is up to date' : `${applied.length} migrations applied`)
}

/** `npm run db:status`: every migration, and when it was applied. */
export async function status (connectionString: string): Promise<void> {
  const migrations = await withMigrationConnection(connectionString, (db) => createMigrator(db).getMigrations())
  for (const { name, executedAt } of migrations) {
    console.log(`${executedAt === undefined ? 'pending' : `applied ${executedAt.toISOString()}`}  ${name}`)
  }
}

/** `npm run db:rollback`: takes back the newest migration. */
export async function rollback (connectionString: string): Promise<void> {
  const { error, results } = await withMigrationConnection(connectionString, (db) => createMigrator(db).migrateDown())
  if (error !== undefined) throw error
  const [undone] = results ?? []
  console.log(undone === undefined ? 'nothing to take back' : `took back ${undone.migrationName}`)
}
