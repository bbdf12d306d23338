import { randomBytes } from 'node:crypto'
import { access, chmod, constants, mkdtemp, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountFor, canEnter, type Account } from './account.js'
import { findBinaries, type Binaries } from './binaries.js'
import { createCluster, startServer, stopServer, superuser, type Cluster } from './cluster.js'
import { ServerFailed } from './errors.js'
import { freePort } from './port.js'
import { isAlive, readPostmaster } from './postmaster.js'

export interface ThrowawayCluster {
  /** As superuser, database `postgres`. */
  url: string
  /** Such as `17.10`. */
  serverVersion: string
  /** Stops it and removes its folder; calling it again does nothing. */
  stop (): Promise<void>
}

const prefix = 'eden-throwaway-'

/** Nothing in it outlives the run, so nothing is waited for on disk; and removing its folder removes all of it, even after a kill. */
const settings = [
  // Commits stay synchronous, which without fsync is as fast: VACUUM marks no rows as visible to all whose commit's log was not written yet.
  "cluster_name = 'eden-throwaway'", 'fsync = off', 'full_page_writes = off',
  'dynamic_shared_memory_type = mmap',
  // It comes when it likes, and its snapshot keeps a test's own VACUUM from marking what was just loaded as visible to all.
  'autovacuum = off',
  'max_connections = 300', 'max_wal_size = 256MB'
]

/**
 * A PostgreSQL for one run of tests or benchmarks, in memory where there is a memory file system.
 * Clusters left by runs that were killed are removed first.
 * @throws PostgresNotFound, ServerFailed
 */
export async function startThrowawayCluster ({ env = process.env }: { env?: NodeJS.ProcessEnv } = {}): Promise<ThrowawayCluster> {
  const account = await accountFor()
  const binaries = await findBinaries(account, env)
  const parent = await parentFolder(account)
  for (const folder of ['/dev/shm', tmpdir()]) await removeLeftovers(folder, binaries)
  // The owner's pid in the name tells the next run whether this one is still alive.
  const root = await mkdtemp(join(parent, `${prefix}${process.pid}-`))
  await chmod(root, 0o711)
  const cluster: Cluster = { folder: join(root, 'cluster'), account, binaries }
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopServer(cluster, 'immediate').finally(() => rm(root, { recursive: true, force: true }))
    return stopped
  }
  try {
    const password = randomBytes(18).toString('base64url')
    await createCluster(cluster, { password, settings, sync: false })
    const port = await startOnFreePort(cluster)
    const url = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres?sslmode=disable`
    return { url, serverVersion: binaries.version, stop }
  } catch (err) {
    await stop().catch(() => {})
    throw err
  }
}

async function startOnFreePort (cluster: Cluster): Promise<number> {
  let reason: string | undefined = ''
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await freePort()
    reason = await startServer(cluster, port)
    if (reason === undefined) return port
    if (!reason.includes('Address already in use')) break
  }
  throw new ServerFailed(`PostgreSQL did not start in ${cluster.folder}: ${reason}`)
}

/** Shared memory when it has room for a run's databases (containers often get 64 MB), else the folder for temporary files. */
async function parentFolder (account: Account): Promise<string> {
  const shm = '/dev/shm'
  try {
    await access(shm, constants.W_OK | constants.X_OK)
    const { bavail, bsize } = await statfs(shm)
    if (bavail * bsize > 2e9 && await canEnter(account, shm)) return shm
  } catch { /* no such folder here */ }
  return await canEnter(account, tmpdir()) ? tmpdir() : '/tmp'
}

async function removeLeftovers (parent: string, binaries: Binaries): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const pid = name.startsWith(prefix) && Number(/^\d+/.exec(name.slice(prefix.length))?.[0])
    if (!pid || isAlive(pid)) continue
    const root = join(parent, name)
    const folder = join(root, 'cluster')
    // Another user's leftovers stay: they are not ours to remove, and their own next run does it.
    const account = await accountFor(folder)
    if (await readPostmaster(folder)) await stopServer({ folder, account, binaries }, 'immediate').catch(() => {})
    await rm(root, { recursive: true, force: true }).catch(() => {})
  }
}
