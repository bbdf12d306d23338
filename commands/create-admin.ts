import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { buildApp } from '../app.js'
import { createHasher, findAccount, linkOf, makeAdministrator, makeLink, minutesOf, newToken, passwordProblem } from '../modules/accounts/index.js'
import type { Config } from '../plugins/config.js'

const usage = 'usage: npm run user:create-admin -- <email> [name] [--link]'

/** What a command reads and says. */
export interface Terminal { input: NodeJS.ReadStream | NodeJS.ReadableStream, ask: (question: string) => void, print: (line: string) => void }

/** Asks for a password without showing it, twice; from a pipe its first line is taken. @throws Error when there is none */
async function readPassword ({ input, ask }: Terminal): Promise<string> {
  if (!('isTTY' in input) || !input.isTTY) {
    const [line = ''] = (await text(input)).split(/\r?\n/, 1)
    if (line === '') throw new Error('there is no password on the standard input; --link prints a link instead, by which they choose one')
    return line
  }
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input, output: silent, terminal: true })
  try {
    ask('password: ')
    const password = await lines.question('')
    ask('\nthe same again: ')
    if (await lines.question('') !== password) throw new Error('these were two passwords')
    return password
  } finally {
    lines.close()
    ask('\n')
  }
}

/**
 * `npm run user:create-admin -- <email> [name]`: makes the first administrator, or an administrator of somebody. Asks for their
 * password where they have none, or with `--link` prints a link by which they choose it. A second time changes nothing.
 * @throws Error for what is no address, no name or no good password, and for somebody who has left
 */
export async function createAdmin (config: Config, argv: string[], terminal: Terminal = { input: process.stdin, ask: (question) => process.stderr.write(question), print: console.log }): Promise<void> {
  const { values: { link: byLink }, positionals: [email = '', ...names] } = parseArgs({ args: argv, options: { link: { type: 'boolean', default: false } }, allowPositionals: true })
  if (email.length > 254 || !/^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$/u.test(email)) throw new Error(`"${email}" is not an e-mail address\n${usage}`)
  const given = names.join(' ').trim()
  if ([...given].length > 200 || /\p{Cc}/u.test(given)) throw new Error(`a name is a line of 200 characters at most\n${usage}`)
  const name = given === '' ? email.split('@', 1)[0] as string : given

  const app = await buildApp({ ...config, JOBS_ENABLED: false, LOG_LEVEL: 'warn' })
  try {
    await app.ready()
    const before = await findAccount(app.db, { email })
    if (before?.is_active === false) throw new Error(`${before.name} (${before.email}) has left: activate them first`)
    const needsPassword = before?.password_hash == null
    const passwordHash = needsPassword && !byLink ? await hashPassword(await readPassword(terminal), { email, name: before?.name ?? name }) : undefined
    const made = await makeAdministrator(app.db, { email, name, passwordHash })
    if (made === undefined) throw new Error(`${email} has left: activate them first`)
    terminal.print(`${made.name} (${made.email}) ${made.wasAdministrator ? 'is an administrator already' : made.wasThere ? 'is an administrator now' : 'is here now, and an administrator'}`)
    if (!needsPassword) terminal.print('their password stays as it is')
    if (!needsPassword || !byLink) return
    const token = newToken()
    if (await makeLink(app.db, { by: { id: made.id }, purpose: 'invitation', token, minutes: minutesOf('invitation', config) }) === undefined) throw new Error(`${made.email} has a password meanwhile`)
    terminal.print(`They choose their password here, once, within ${config.INVITATION_HOURS} hours: ${linkOf('invitation', token, config.APP_URL)}`)
  } finally {
    await app.close()
  }
}

async function hashPassword (password: string, owner: { email: string, name: string }): Promise<string> {
  const problem = passwordProblem(password, owner)
  if (problem !== undefined) throw new Error(`the password ${problem}`)
  return createHasher({ atOnce: 1, mostWaiting: 0 }).hash(password)
}
