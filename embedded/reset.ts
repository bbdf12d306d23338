import { mkdtemp, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { stopServer } from './cluster.js'
import { ClusterUnusable, DataFolderInUse } from './errors.js'
import { acquire, furnish } from './owner.js'
import { exists, findPlace, linkTarget } from './place.js'
import { readPostmaster } from './postmaster.js'
import { readSecrets } from './secrets.js'
import { urlOf, type Options } from './supervisor.js'

/**
 * Removes the database of a data folder, and stops the server that a killed owner may have left. The secrets stay: the
 * next database has the same URL, and tokens stay valid.
 * @returns whether there was one
 * @throws DataFolderInUse when a process owns it; nothing is touched then
 */
export async function resetEmbeddedDatabase ({ dataDir, env = process.env, log = () => {} }: Options): Promise<boolean> {
  const path = join(resolve(dataDir), 'postgres')
  if (!await exists(path)) return false
  const target = await linkTarget(path) ?? path
  const server = await readPostmaster(target)
  if (server !== undefined) {
    if (await readSecrets(resolve(dataDir)) === undefined) {
      throw new ClusterUnusable(`PostgreSQL runs in ${target} and its password is lost: end process ${server.pid} first`)
    }
    const home = await furnish(await findPlace(dataDir, log), env)
    const { client } = await acquire(home)
    await stopServer(home)
    await client.end().catch(() => {})
  }
  if (await exists(target)) {
    const aside = await mkdtemp(`${target}.old-${process.pid}-`)
    await rename(target, aside)
    if (await readPostmaster(aside) !== undefined) {
      await rename(aside, target) // someone started at this very moment
      throw new DataFolderInUse(resolve(dataDir))
    }
    await rm(aside, { recursive: true })
  }
  await rm(path, { force: true })
  return true
}

/**
 * The database of a data folder whose server runs, for a command beside the process that owns it.
 * @returns undefined when there is none, or it does not run
 */
export async function findEmbeddedDatabase (dataDir: string): Promise<{ url: string, jwtSecret: string } | undefined> {
  const path = join(resolve(dataDir), 'postgres')
  const secrets = await readSecrets(resolve(dataDir))
  const server = await readPostmaster(await linkTarget(path) ?? path)
  if (secrets === undefined || server?.port === undefined) return undefined
  return { url: urlOf(secrets.password, server.port), jwtSecret: secrets.jwtSecret }
}
