import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import type { Storage, StoredFile } from '../../../plugins/storage/index.js'

/** How many objects are removed from the storage at a time. */
const AT_ONCE = 8

/** How many files a statement claims. */
const PORTION = 500

export interface Collected {
  /** How many files are gone from the storage. */
  removed: number
  /** How many are still there, and tried again when `before` comes to this moment. */
  failed: number
  /** Why, of one of them. */
  error?: unknown
}

/**
 * Removes the bytes of files that were given up before a moment, and of uploads that were announced before it and never
 * came to an end. Meant to be called now and then, by whatever instance; several at once remove each file once or twice,
 * which is the same. A storage that fails, or a process that is killed, leaves a file for a later call.
 * @param options.before not within the last hour, or so: an upload that goes on may be taken for one that was killed
 * @param options.limit how many files at most; as many came back when there are more
 */
export async function collectFiles (db: Db, storage: Pick<Storage, 'remove' | 'sweep'>, { before, limit = PORTION }: { before: Date, limit?: number }): Promise<Collected> {
  await storage.sweep(before)
  // Claimed first: an upload that was announced cannot be completed from here on. `since` is when it was tried last.
  const { rows: files } = await sql<StoredFile>`
    with due as materialized (
      select id from stored_files where state <> 'kept' and since < ${before.toISOString()}::timestamptz order by since limit ${limit} for update skip locked
    )
    update stored_files f set state = 'dropped', since = clock_timestamp() from due where f.id = due.id returning f.id, f.storage`.execute(db)
  return removeFiles(db, storage, files)
}

/** Collects portion by portion until there are no more, or `signal` says that the service ends. @returns how many files went and how many did not */
export async function collectAll ({ storage, log }: Pick<FastifyInstance, 'storage' | 'log'>, { db, before, signal }: { db: Db, before: Date, signal?: AbortSignal }): Promise<{ removed: number, failed: number }> {
  const total = { removed: 0, failed: 0 }
  for (let found = PORTION; found === PORTION && signal?.aborted !== true;) {
    const { removed, failed, error } = await collectFiles(db, storage, { before, limit: PORTION })
    if (error !== undefined) log.warn({ err: error, failed }, 'files that were given up are still in the storage')
    total.removed += removed
    total.failed += failed
    found = removed + failed
  }
  return total
}

/**
 * Gives up one file that was announced and not completed, and removes its bytes. Whether it was completed is the
 * database's to say: a commit whose answer was lost is waited for, and its file stays.
 */
export async function giveUp (db: Db, storage: Pick<Storage, 'remove'>, file: StoredFile): Promise<Collected> {
  const { rows: files } = await sql<StoredFile>`
    update stored_files set state = 'dropped', since = clock_timestamp() where id = ${file.id} and state = 'pending' returning id, storage`.execute(db)
  return removeFiles(db, storage, files)
}

async function removeFiles (db: Db, storage: Pick<Storage, 'remove'>, files: StoredFile[]): Promise<Collected> {
  const queue = files.values()
  const gone: string[] = []
  let error: unknown
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, files.length) }, async () => {
    for (const file of queue) {
      try {
        await storage.remove(file)
        gone.push(file.id)
      } catch (reason) {
        error = reason
      }
    }
  }))
  if (gone.length > 0) await sql`delete from stored_files where id = any(${gone}::uuid[]) and state = 'dropped'`.execute(db)
  return { removed: gone.length, failed: files.length - gone.length, ...error === undefined ? {} : { error } }
}
