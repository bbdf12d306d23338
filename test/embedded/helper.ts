import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { openEmbeddedDatabase, type EmbeddedDatabase } from '../../embedded/index.js'
import { linkTarget } from '../../embedded/place.js'
import { isAlive, readPostmaster } from '../../embedded/postmaster.js'

export interface Test { teardown (handler: () => Promise<void> | void): void }

export const isRoot = process.getuid?.() === 0

/** Memory where there is a memory file system: initdb waits for the disk, and no test here cuts the power. */
const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** A folder that every account can enter, gone after the test with the server that may run in `.data` below it. */
export async function temporaryFolder (t: Test, mode = 0o755): Promise<string> {
  const folder = await mkdtemp(join(parent, 'eden-embedded-'))
  await chmod(folder, mode)
  t.teardown(async () => {
    const path = join(folder, '.data/postgres')
    const cluster = await linkTarget(path) ?? path
    await killServer(cluster, 'SIGQUIT') // so that it takes its shared memory along
    await rm(cluster, { recursive: true, force: true })
    await rm(folder, { recursive: true, force: true })
  })
  return folder
}

/** Opens the data folder in this process; it is stopped after the test. */
export async function open (t: Test, dataDir: string, log?: (message: string) => void): Promise<EmbeddedDatabase> {
  const database = await openEmbeddedDatabase({ dataDir, log })
  t.teardown(() => database.stop())
  return database
}

/** Ends a server as a crash would, and waits until none of its processes is left. */
export async function killServer (cluster: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  const server = await readPostmaster(cluster)
  const pids = await processesIn(cluster)
  if (server !== undefined) process.kill(server.pid, signal)
  await until(() => !pids.some(isAlive))
}

/** Process ids whose working directory is `folder`, which is where a PostgreSQL server has it. Linux only, else none. */
export async function processesIn (folder: string): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => undefined)))
  return pids.filter((_, i) => folders[i] === folder).map(Number)
}

/** Polls until `condition` holds; at most 20 seconds. */
export async function until (condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`still not so after 20 s: ${condition.toString()}`)
    await sleep(20)
  }
}

/** The rows of one statement, on a connection of its own. */
export async function query (url: string, text: string): Promise<Array<Record<string, unknown>>> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

export interface Opened { pid: number, url: string, port: number, created: boolean, jwtSecret: string }

export interface Owner {
  child: ChildProcess
  /** What it printed when it was open; rejects when it ended instead. */
  opened: Promise<Opened>
  /** The lines it printed after that. */
  lines: string[]
  /** How it ended, with all of its stderr. */
  ended: Promise<{ code: number | null, stderr: string }>
}

/** Starts owner.ts as another process; it is stopped after the test. */
export function startOwner (t: Test, dataDir: string, { mode = '', env = {} }: { mode?: string, env?: NodeJS.ProcessEnv } = {}): Owner {
  // A strict umask, as careful people set it.
  const child = spawn('/bin/sh', ['-c', 'umask 077; exec "$@"', 'sh', process.execPath, '--import=tsx', join(import.meta.dirname, 'owner.ts'), dataDir, mode], {
    env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe']
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
  const lines: string[] = []
  const ended = new Promise<{ code: number | null, stderr: string }>((resolve) => {
    child.on('close', (code) => { resolve({ code, stderr }) })
  })
  const opened = new Promise<Opened>((resolve, reject) => {
    const reader = createInterface({ input: child.stdout })
    reader.once('line', (first) => {
      resolve(JSON.parse(first) as Opened)
      reader.on('line', (line) => { lines.push(line) })
    })
    ended.then(({ code }) => { reject(new Error(`ended with ${code}: ${stderr}`)) }, reject)
  })
  opened.catch(() => {})
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  return { child, opened, lines, ended }
}
