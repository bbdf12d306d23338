import { parseArgs } from 'node:util'
import { verifyAudit, type KnownRoot, type Verification } from '../plugins/audit/verify.js'
import { withMigrationConnection } from '../plugins/database/migrator.js'

const usage = 'usage: npm run audit:verify -- [--root BLOCK:ROOT ...] [--json]'

function knownRoot (text: string): KnownRoot {
  const [, no, root] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text) ?? []
  if (no === undefined || root === undefined) throw new TypeError(`a root is the number of its block and 64 hexadecimal digits, 12:ab..., not ${JSON.stringify(text)}\n${usage}`)
  return { no: Number(no), root: root.toLowerCase() }
}

function describe ({ blocks, events, problems, newest, unsealed }: Verification): string[] {
  const counted = `${blocks.toLocaleString('en')} blocks, ${events.toLocaleString('en')} entries`
  return [
    ...problems.map((problem) => `WRONG  ${problem}`),
    ...problems.length > 0 ? [''] : [],
    `${problems.length === 0 ? 'the audit log is as it was sealed' : 'the audit log is not as it was sealed'}: ${counted}`,
    ...unsealed.events > 0 ? [`not sealed yet: ${unsealed.events.toLocaleString('en')}, the oldest of ${unsealed.oldest}`] : [],
    newest === undefined ? 'nothing is sealed yet' : `newest root, to be kept elsewhere: ${newest.no}:${newest.root.toString('hex')}`
  ]
}

/**
 * `npm run audit:verify`: whether the audit log is as it was sealed, by the database alone; the service need not run. With
 * roots that were kept elsewhere (`--root`) it is also whether its end is still there.
 * @returns false when it is not
 * @throws TypeError for a wrong argument
 */
export async function auditVerify (connectionString: string, argv: string[], key: string | undefined, print: (line: string) => void): Promise<boolean> {
  const { values } = parseArgs({ args: argv, options: { root: { type: 'string', multiple: true, default: [] }, json: { type: 'boolean', default: false } } })
  const known = values.root.map(knownRoot)
  const verification = await withMigrationConnection(connectionString, (db) =>
    db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute((trx) => verifyAudit(trx as never, { known, key })))
  if (values.json) {
    const { newest, ...rest } = verification
    print(JSON.stringify({ ...rest, newest: newest === undefined ? null : `${newest.no}:${newest.root.toString('hex')}` }, null, 2))
  } else {
    for (const line of describe(verification)) print(line)
  }
  return verification.problems.length === 0
}
