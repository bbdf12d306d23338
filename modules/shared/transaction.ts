import type { Db } from '../../plugins/database/index.js'

/** Runs statements as one transaction: that of the caller where there is one, such as an idempotent POST's, else its own. */
export function inTransaction<T> (db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work)
}
