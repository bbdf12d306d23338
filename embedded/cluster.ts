import { appendFile, mkdtemp, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { giveTo, type Account } from './account.js'
import type { Binaries } from './binaries.js'
import { ServerFailed } from './errors.js'
import { readPostmaster } from './postmaster.js'
import { run } from './run.js'

/** A data directory of PostgreSQL, and with what and as whom it is run. */
export interface Cluster { folder: string, account: Account, binaries: Binaries }

/** The superuser of every cluster we make; the application itself is not one. */
export const superuser = 'postgres'

const logFile = 'server.log'

/** TCP on this machine only: a socket's path would have to be short, and a folder both accounts can use. */
const common = [
  "cluster_name = 'eden'",
  "listen_addresses = '127.0.0.1'",
  "unix_socket_directories = ''",
  "timezone = 'UTC'",
  "log_timezone = 'UTC'",
  'log_checkpoints = off'
]

/**
 * Makes the cluster, whole or not at all: a kill at any line leaves at most a `.new-<pid>-` folder, which the next
 * start removes. When two processes do this at once the first to finish wins, and the other's work is dropped.
 * @param options.password the superuser's
 * @param options.settings lines for postgresql.conf
 * @param options.sync false leaves the files to the operating system: for throwaway clusters
 */
export async function createCluster (
  { folder, account, binaries }: Cluster,
  { password, settings = [], sync = true }: { password: string, settings?: string[], sync?: boolean }
): Promise<void> {
  const work = await mkdtemp(`${folder}.new-${process.pid}-`)
  try {
    const passwordFile = join(work, 'password')
    await writeFile(passwordFile, password, { mode: 0o600 })
    await giveTo(account, passwordFile)
    await giveTo(account, work)
    const locale = binaries.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'] : ['--locale=C']
    const made = await run(join(binaries.bin, 'initdb'), [
      '-D', 'cluster', '-U', superuser, '-E', 'UTF8', ...locale, '--auth=scram-sha-256', '--pwfile=password',
      ...(sync ? [] : ['--no-sync'])
    ], { account, cwd: work })
    if (made.code !== 0) throw new ServerFailed(`initdb could not make ${folder}: ${lastLines(made.stderr || made.stdout)}`)
    const conf = join(work, 'cluster', 'postgresql.conf')
    await appendFile(conf, `\n# Eden ERP\n${[...common, ...settings].join('\n')}\n`, { flush: sync })
    await rename(join(work, 'cluster'), folder).catch((err: NodeJS.ErrnoException) => {
      if (err.code !== 'ENOTEMPTY' && err.code !== 'EEXIST') throw err
    })
    if (sync) await syncFolder(dirname(folder))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Whether the cluster is there; it is made whole, so its version file stands for all of it. */
export async function clusterVersion (folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, 'PG_VERSION'), 'utf8').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return undefined
    throw err
  })
  return text === undefined ? undefined : Number(text)
}

/**
 * Starts the server and waits until it takes connections. `pg_ctl` puts it in a session of its own, so that Ctrl-C
 * reaches the application only, which drains and then stops it.
 * @returns undefined when it runs, else the end of what it logged
 */
export async function startServer ({ folder, account, binaries }: Cluster, port: number): Promise<string | undefined> {
  const log = join(folder, logFile)
  const size = await stat(log).then((stats) => stats.size, () => 0)
  if (size > 10_000_000) await rename(log, `${log}.old`)
  // Relative to its own folder: pg_ctl hands these to a shell, whatever characters the path has.
  const started = await run(join(binaries.bin, 'pg_ctl'),
    ['-D', '.', '-l', logFile, '-w', '-t', '120', '-o', `-p ${port}`, 'start'], { account, cwd: folder })
  if (started.code === 0) return undefined
  const text = await readFile(log, 'utf8').catch(() => '')
  return lastLines(text.slice(size > 10_000_000 ? 0 : size) || started.stderr || started.stdout)
}

/**
 * Stops the server: open transactions are rolled back, everything committed is on disk.
 * @param mode `immediate` skips the checkpoint: for throwaway clusters
 * @throws ServerFailed when it is still there after two minutes
 */
export async function stopServer ({ folder, account, binaries }: Cluster, mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
  const stop = (how: string) => run(join(binaries.bin, 'pg_ctl'), ['-D', '.', '-w', '-t', '60', '-m', how, 'stop'], { account, cwd: folder })
  let stopped = await stop(mode)
  if (stopped.code !== 0 && await readPostmaster(folder)) stopped = await stop('immediate')
  if (stopped.code !== 0 && await readPostmaster(folder)) {
    throw new ServerFailed(`PostgreSQL in ${folder} did not stop: ${lastLines(stopped.stderr || stopped.stdout)}`)
  }
}

/** A rename survives a power cut only once its folder is on disk too. */
async function syncFolder (folder: string): Promise<void> {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}

/** The end of a program's output, on one line. */
export function lastLines (text: string): string {
  return text.trim().split('\n').slice(-6).map((line) => line.trim()).join(' | ')
}
