import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** How much of a file its type is told from. */
export const HEAD_BYTES = 65_536

/** A file that has come in whole and is on the local disk, but not kept yet. */
export interface Incoming {
  path: string
  /** In bytes. */
  size: number
  sha256: Buffer
  /** The first 64 KiB, or all of a smaller file. */
  head: Buffer
}

/** What may stop a file that comes in. */
export interface Checks {
  /** Called with the number of bytes so far, at each piece; throws to refuse. */
  size: (bytes: number) => void
  /** Called once with the first bytes; rejects to refuse. */
  head: (head: Buffer) => Promise<void>
}

/** Where files are while they come in: a folder of the local disk. */
export function incomingFolder (folder: string) {
  async function receive (source: Readable, checks: Checks): Promise<Incoming> {
    await mkdir(folder, { recursive: true })
    const file = path.join(folder, randomUUID())
    const hash = createHash('sha256')
    let size = 0
    let pieces: Buffer[] | undefined = []
    let head = Buffer.alloc(0)
    async function look () {
      head = Buffer.concat(pieces ?? []).subarray(0, HEAD_BYTES)
      pieces = undefined
      await checks.head(head)
    }
    const meter = new Transform({
      transform (chunk: Buffer, _encoding, done) {
        (async () => {
          size += chunk.length
          checks.size(size)
          hash.update(chunk)
          pieces?.push(chunk)
          if (pieces !== undefined && size >= HEAD_BYTES) await look()
        })().then(() => done(null, chunk), done)
      },
      flush (done) {
        (pieces === undefined ? Promise.resolve() : look()).then(() => done(), done)
      }
    })
    try {
      // `flush`: on the disk, not only on its way there, before anybody is told that it was taken.
      await pipeline(source, meter, createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }))
    } catch (error) {
      await rm(file, { force: true })
      throw error
    }
    return { path: file, size, sha256: hash.digest(), head }
  }

  /** Removes what a killed process left: files that nothing was written to since. @returns how many */
  async function sweep (since: Date): Promise<number> {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const removed = await Promise.all(names.map(async (name) => {
      const file = path.join(folder, name)
      const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Infinity })) // gone meanwhile
      if (mtimeMs >= since.getTime()) return 0
      await rm(file, { force: true })
      return 1
    }))
    return removed.reduce((sum: number, one) => sum + one, 0)
  }

  return { receive, sweep }
}
