import type { Db } from '../../plugins/database/index.js'

/** Runs statements as one transaction: that of the caller where there is one, such as an idempotent POST's, else its own. */
export function inTransaction<T> (db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work)
}

const LOOKS = 5

/**
 * Looks again for what was not found. A statement that waited for the row of a task which was moved to another project
 * meanwhile finds it in neither: its snapshot has the old project beside the new row. The next one finds it, unless the task
 * is moved once more just then.
 */
export async function lookAgain<T> (look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let looks = 1; looks < LOOKS; looks++) {
    const found = await look()
    if (found !== undefined) return found
  }
  return look()
}
