import { CompiledQuery } from 'kysely'
import type { Execute, Intercept } from './statements.js'

/** The statements that work beside readers and writers, and cannot be in a transaction (PostgreSQL manual, CREATE INDEX). */
const concurrently = /^\s*(create\s+(unique\s+)?index|drop\s+index|reindex\s*(\([^)]*\)\s*)?(index|table))\s+concurrently\b/i
const created = /^\s*create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|[a-z_]\w*)\s/i

/** Whether a statement builds or drops an index beside those who read and write. PostgreSQL refuses it together with others. */
export function isConcurrent (text: string): boolean {
  return concurrently.test(text)
}

/**
 * Lets concurrent statements take their time: they wait for old transactions, and nobody waits for them, so they are the only
 * ones without time-outs. A build that was cut off leaves an invalid index, which `if not exists` would take for
 * the real one: it is removed before the next try, and at once where the build fails.
 */
export const patiently: Intercept = async (query, execute) => {
  if (!isConcurrent(query.sql)) return execute(query)
  const { rows: [{ locks, statements }] } = await execute(CompiledQuery.raw("select current_setting('lock_timeout') as locks, current_setting('statement_timeout') as statements"))
  const limit = (locks: string, statements: string) => execute(CompiledQuery.raw("select set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false)", [locks, statements]))
  await limit('0', '0')
  try {
    const index = created.exec(query.sql)?.[1]
    if (index !== undefined) await dropInvalid(index, execute)
    try {
      return await execute(query)
    } catch (error) {
      if (index !== undefined) await dropInvalid(index, execute).catch(() => {}) // a lost connection is the next try's to clean up
      throw error
    }
  } finally {
    await limit(locks, statements).catch(() => {}) // a lost connection has no settings to restore
  }
}

async function dropInvalid (index: string, execute: Execute): Promise<void> {
  const { rows } = await execute(CompiledQuery.raw('select from pg_index where indexrelid = to_regclass($1) and not indisvalid', [index]))
  if (rows.length > 0) await execute(CompiledQuery.raw(`drop index concurrently ${index}`))
}
