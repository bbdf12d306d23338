import { CompiledQuery, Kysely } from 'kysely'
import pg from 'pg'
import type { ReleaseMigration } from '../../plugins/database/apply.js'
import { isConcurrent } from '../../plugins/database/concurrently.js'
import { InterceptingDialect, type Execute } from '../../plugins/database/statements.js'
import { readCatalogue, readLocks, type Catalogue, type Lock } from './catalogue.js'

/** One transaction of a migration, or one statement that is outside of any: what it changed, and what it held locked. */
export interface Unit { before: Catalogue, after: Catalogue, locks: Lock[], concurrent: boolean, statements: string[] }

/** What a migration did. `repeats`: why it cannot be run again, if it must be and cannot. */
export interface Observed { units: Unit[], repeats?: string }

/**
 * Runs a migration and looks at what it does, whichever way it says it: in SQL, in a function or in a DO block. At the end of
 * each of its transactions the catalogue is compared with the one before, and the locks that it holds are read.
 * @param connectionString a database that has had everything before it
 * @throws the error of a migration that fails
 */
export async function observe (connectionString: string, migration: ReleaseMigration): Promise<Observed> {
  const units: Unit[] = []
  let statements: string[] = []
  let open = false
  let before: Catalogue | undefined
  const look = async (execute: Execute, concurrent: boolean) => {
    const [after, locks] = [await readCatalogue(execute), await readLocks(execute)]
    if (before !== undefined) units.push({ before, after, locks, concurrent, statements })
    before = after
    statements = []
  }
  const pool = new pg.Pool({ connectionString, max: 1 })
  const db = new Kysely<any>({
    dialect: new InterceptingDialect({ pool }, async (query, execute) => {
      before ??= await readCatalogue(execute)
      const text = query.sql.trim().toLowerCase()
      if (/^(begin|start transaction)\b/.test(text)) {
        open = true
        return execute(query)
      }
      if (text === 'commit') {
        await look(execute, false)
        open = false
        return execute(query)
      }
      statements.push(query.sql)
      if (open) return execute(query)
      if (isConcurrent(query.sql)) {
        const result = await execute(query)
        await look(execute, true)
        return result
      }
      await execute(CompiledQuery.raw('begin')) // of its own it would be one too, and its locks would be gone before they are seen
      const result = await execute(query)
      await look(execute, false)
      await execute(CompiledQuery.raw('commit'))
      return result
    })
  })
  try {
    if (migration.transaction !== false) {
      await db.transaction().execute((trx) => migration.up(trx))
      return { units }
    }
    await migration.up(db)
    const once = [...units]
    const repeats = await migration.up(db).then(() => undefined, (error: Error) => error.message)
    return repeats === undefined ? { units: once } : { units: once, repeats }
  } finally {
    await db.destroy()
  }
}
