import { readFileSync } from 'node:fs'
import { link, readFile, readlink, realpath, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.js'

/** What `postmaster.pid` says: the server's process, and its port once it has one. */
export interface Postmaster { pid: number, port: number | undefined }

/** Whether a process with this id runs, ours or another's. */
export function isAlive (pid: number): boolean {
  if (!isKnown(pid)) return false
  try {
    // In a container that nobody tidies up, a dead process keeps its number as a zombie (Z) for ever.
    return !/^ [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1) ?? '')
  } catch {
    return isKnown(pid)
  }
}

/** Whether the system still counts a process of this number: what PostgreSQL goes by. */
function isKnown (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** @returns undefined without a server: no such file, its process gone, or its number now another program's */
export async function readPostmaster (folder: string): Promise<Postmaster | undefined> {
  const lines = (await lockFile(folder)).split('\n')
  const pid = Number(lines[0])
  if (!pid || !isAlive(pid) || !await isPostgres(pid, folder)) return undefined
  return { pid, port: Number(lines[3]) || undefined }
}

/**
 * Removes a lock file that outlived its server when its process number is taken: by another program, as after a power
 * cut, or by the server's own zombie. PostgreSQL would refuse to start; any other stale lock file it removes itself.
 */
export async function removeStaleLock (folder: string): Promise<void> {
  const text = await lockFile(folder)
  const pid = Number(text.split('\n')[0])
  if (!pid || !isKnown(pid) || await hasOrphans(text)) return
  if (isAlive(pid) && await isPostgres(pid, folder)) return
  const path = join(folder, 'postmaster.pid')
  const aside = `${path}.stale-${process.pid}`
  // Moved first and read again, so that the lock of a server that starts at this moment is put back.
  await rename(path, aside).catch(() => {})
  if (await readFile(aside, 'utf8').catch(() => text) !== text) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}

function lockFile (folder: string): Promise<string> {
  return readFile(join(folder, 'postmaster.pid'), 'utf8').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT' || err.code === 'ENOTDIR') return ''
    throw err
  })
}

/** A server works inside its data directory, which Linux shows; elsewhere its name has to do. */
async function isPostgres (pid: number, folder: string): Promise<boolean> {
  try {
    return await readlink(`/proc/${pid}/cwd`) === await realpath(folder)
  } catch { /* not Linux, or not ours to see */ }
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(async () => (await run('ps', ['-p', String(pid), '-o', 'comm='])).stdout)
  return name.trim() === '' || name.includes('postgres')
}

/** Whether children of the dead server still use its shared memory: then the lock must stand. True when it cannot be known. */
async function hasOrphans (lock: string): Promise<boolean> {
  const id = lock.split('\n')[6]?.trim().split(/\s+/)[1]
  const table = await readFile('/proc/sysvipc/shm', 'utf8').catch(() => undefined)
  if (id === undefined || table === undefined) return true
  const segment = table.split('\n').slice(1).map((line) => line.trim().split(/\s+/)).find((columns) => columns[1] === id)
  return segment !== undefined && segment[6] !== '0' // the seventh column is the number of processes attached
}
