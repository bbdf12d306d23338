import { createHash } from 'node:crypto'
import { readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { findBinaries } from './binaries.js'
import { clusterVersion, createCluster, startServer, type Cluster } from './cluster.js'
import { ClusterUnusable, ServerFailed } from './errors.js'
import { connect, takeLock } from './lock.js'
import type { Place } from './place.js'
import { freePort } from './port.js'
import { readPostmaster, removeStaleLock } from './postmaster.js'

/** A cluster with its data folder: all that is needed to own it. */
export interface Home extends Place, Cluster {}

/** The running server, and the connection that makes it ours. */
export interface Session { client: pg.Client, port: number }

/** How long a server may take to go away, to recover or to let go of its files. */
const patience = 30_000

/** @throws PostgresNotFound; ClusterUnusable when another version made the cluster */
export async function furnish (place: Place, env: NodeJS.ProcessEnv): Promise<Home> {
  const binaries = await findBinaries(place.account, env)
  const made = await clusterVersion(place.folder)
  if (made !== undefined && made !== binaries.major) {
    throw new ClusterUnusable(`PostgreSQL ${made} made the database in ${place.folder} and this is ${binaries.version}: ` +
      `set PG_BIN to the bin folder of PostgreSQL ${made}, or npm run demo:reset to start over`)
  }
  return { ...place, binaries }
}

/**
 * Becomes the owner of the cluster: makes it if need be, starts its server or adopts the one that a killed owner left
 * running, and takes the lock.
 * @param options.port the one port that will do: others know it already
 * @param options.signal gives up when aborted
 * @throws DataFolderInUse, ClusterUnusable; ServerFailed at once, or after 30 s of what usually passes
 */
export async function acquire (home: Home, { port, signal }: { port?: number, signal?: AbortSignal } = {}): Promise<Session> {
  const deadline = Date.now() + patience
  for (;;) {
    const outcome = await attempt(home, port)
    if (typeof outcome !== 'string') return outcome
    if (signal?.aborted || Date.now() > deadline) throw new ServerFailed(`PostgreSQL in ${home.folder} is not to be had: ${outcome}`)
    await sleep(100)
  }
}

/** @returns the session, or why there is none yet */
async function attempt (home: Home, port?: number): Promise<Session | string> {
  const running = await readPostmaster(home.folder)
  if (running === undefined) {
    const failure = await start(home, port)
    if (failure !== undefined) {
      if (passes.some((text) => failure.includes(text))) return failure
      throw new ServerFailed(`PostgreSQL did not start in ${home.folder}: ${failure}`)
    }
  }
  const server = running ?? await readPostmaster(home.folder)
  return server?.port === undefined ? 'it has no port yet' : joinServer(home, server.port)
}

/** What the server says when another start or the last server is in the way, for now. */
const passes = ['lock file', 'already exists', 'Address already in use', 'shared memory block', 'starting up', 'did not start in time']

async function start (home: Home, port?: number): Promise<string | undefined> {
  if (await clusterVersion(home.folder) === undefined) {
    await createCluster(home, { password: home.secrets.superuserPassword })
  }
  await removeStaleLock(home.folder)
  const last = Number(await readFile(join(home.dataDir, 'port'), 'utf8').catch(() => '')) || firstPort(home.dataDir)
  const chosen = port ?? await freePort([last, ...Array.from({ length: 20 }, (_, i) => last + 1 + i)])
  return startServer(home, chosen)
}

/**
 * Between 15000 and 25000, by the folder's path: several checkouts keep to ports of their own, and Linux gives none of
 * these to outgoing connections.
 */
function firstPort (dataDir: string): number {
  return 15_000 + createHash('sha256').update(dataDir).digest().readUInt16BE() % 10_000
}

async function joinServer (home: Home, port: number): Promise<Session | string> {
  let client: pg.Client | undefined
  try {
    client = await connect(port, home.secrets.superuserPassword)
    const { rows: [at] } = await client.query<{ folder: string }>("select current_setting('data_directory') as folder")
    if (at?.folder !== await realpath(home.folder)) throw new ClusterUnusable(`port ${port} answers for ${at?.folder}, not for ${home.folder}`)
    if (await takeLock(client, home.dataDir)) {
      await writeFile(join(home.dataDir, 'port'), `${port}\n`) // the next start tries it first
      return { client, port }
    }
    await client.end()
    return 'the server has not noticed yet that its last owner is gone'
  } catch (err) {
    await client?.end().catch(() => {})
    const { code, message } = err as NodeJS.ErrnoException
    if (code === '28P01') throw new ClusterUnusable(`the password in ${join(home.dataDir, 'secrets.json')} is not the one of ${home.folder}: restore that file, or npm run demo:reset`)
    // Starting up, shutting down, out of connections for a moment, or gone since its file was read.
    if (code !== undefined && /^(57P0[1-3]|53300|ECONN\w+|EPIPE)$/.test(code)) return message
    if (/terminated unexpectedly|timeout/i.test(message)) return message
    throw err
  }
}
