import { isEmptyDatabase, seedDatabase } from '../demo/index.js'
import { findEmbeddedDatabase, openEmbeddedDatabase, type EmbeddedDatabase } from '../embedded/index.js'
import { ConfigError, type Config } from '../plugins/config.js'
import { localFilesFolder } from '../plugins/storage/index.js'
import { DEMO_PASSWORD, demoPasswordHash } from './demo-password.js'
import { migrateToLatest } from './migrate.js'

type Print = (line: string) => void

/**
 * Starts the embedded PostgreSQL, brings it up to this release, and loads the demo company when there is nothing in it.
 * @throws DataFolderInUse when another process runs on the folder; PostgresNotFound; ServerFailed
 */
export async function openDevelopmentDatabase (config: Config, print: Print): Promise<EmbeddedDatabase> {
  const { EDEN_DATA_DIR: dataDir } = config
  print(`starting the embedded PostgreSQL in ${dataDir}`)
  const embedded = await openEmbeddedDatabase({ dataDir, log: print })
  try {
    const applied = await migrateToLatest(embedded.url)
    if (applied.length > 0) print(`applied ${applied.length} migrations`)
    if (await isEmptyDatabase(embedded.url)) {
      const { users, projects, tasks } = await seedDatabase(embedded.url, { passwordHash: await demoPasswordHash(config), filesFolder: localFilesFolder(config) })
      print(`loaded the demo company: ${users} people, ${projects} projects, ${tasks} tasks; everybody signs in with the password "${DEMO_PASSWORD}"`)
    }
    return embedded
  } catch (error) {
    await embedded.stop()
    throw error
  }
}

/** Runs a command on the configured database, or on the embedded one: beside the service when that runs, else alone. */
export async function withDatabase<T> (config: Config, print: Print, work: (url: string, jwtSecret: string | undefined) => Promise<T>): Promise<T> {
  if (config.DATABASE_URL !== undefined) return work(config.DATABASE_URL, config.JWT_SECRET)
  if (config.NODE_ENV === 'production') throw new ConfigError('DATABASE_URL must be set in production: the embedded database is for development only')
  const running = await findEmbeddedDatabase(config.EDEN_DATA_DIR)
  if (running !== undefined) return work(running.url, config.JWT_SECRET ?? running.jwtSecret)
  const embedded = await openEmbeddedDatabase({ dataDir: config.EDEN_DATA_DIR, log: print })
  try {
    return await work(embedded.url, config.JWT_SECRET ?? embedded.jwtSecret)
  } finally {
    await embedded.stop()
  }
}
