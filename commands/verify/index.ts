import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { withMigrationConnection } from '../../plugins/database/migrator.js'
import { checks, type Finding } from './checks.js'

/** What a check came to. `error`: it could not be made, such as for a table that is not there. */
export interface Verdict extends Finding { name: string, about: string, ok: boolean, milliseconds: number, error?: string }

/** The longest that one check may take. */
const STATEMENT_TIMEOUT = '30min'

/**
 * Makes all checks in one snapshot that writes nothing, while the service goes on.
 * @param onVerdict called after each check
 */
export function verifyDatabase (connectionString: string, onVerdict: (verdict: Verdict) => void = () => {}): Promise<Verdict[]> {
  return withMigrationConnection(connectionString, (db) => db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(async (trx) => {
    await sql`select set_config('statement_timeout', ${STATEMENT_TIMEOUT}, true), set_config('idle_in_transaction_session_timeout', '0', true)`.execute(trx)
    const verdicts: Verdict[] = []
    for (const { name, about, run } of checks) {
      const started = performance.now()
      await sql`savepoint before_check`.execute(trx)
      const finding = await run(trx).catch(async (error: Error) => {
        await sql`rollback to savepoint before_check`.execute(trx)
        return { count: 0, examples: [], error: error.message }
      })
      const verdict = { name, about, ok: finding.count === 0 && !('error' in finding), milliseconds: Math.round(performance.now() - started), ...finding }
      verdicts.push(verdict)
      onVerdict(verdict)
    }
    return verdicts
  }))
}

/** A verdict as lines of text. */
export function describe ({ name, about, ok, count, examples, milliseconds, error }: Verdict): string[] {
  const line = `${ok ? 'ok   ' : 'WRONG'}  ${name.padEnd(14)} ${`${milliseconds} ms`.padStart(9)}  ${about}`
  if (ok) return [line]
  if (error !== undefined) return [line, `       could not be checked: ${error}`]
  return [line, `       ${count.toLocaleString('en')} wrong, such as`, ...examples.map((example) => `         ${example}`)]
}

/**
 * `npm run db:verify`: whether what is in the database agrees with itself.
 * @returns false when something does not
 * @throws TypeError for a wrong argument
 */
export async function verify (connectionString: string, argv: string[], print: (line: string) => void): Promise<boolean> {
  const { values: { json } } = parseArgs({ args: argv, options: { json: { type: 'boolean', default: false } } })
  const verdicts = await verifyDatabase(connectionString, (verdict) => {
    for (const line of json ? [] : describe(verdict)) print(line)
  })
  const wrong = verdicts.filter(({ ok }) => !ok)
  if (json) print(JSON.stringify(verdicts, null, 2))
  else print(wrong.length === 0 ? `\nall ${verdicts.length} checks are ok` : `\n${wrong.length} of ${verdicts.length} checks found something wrong: ${wrong.map(({ name }) => name).join(', ')}`)
  return wrong.length === 0
}
