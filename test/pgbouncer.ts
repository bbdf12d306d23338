import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { accountFor, giveTo } from '../embedded/account.js'
import { freePort } from '../embedded/port.js'

/** The part of a tap test that is needed here. */
interface Teardown { teardown (handler: () => Promise<void>): void }

/** Where Debian and others put it. */
const places = ['/usr/sbin/pgbouncer', '/usr/local/sbin/pgbouncer', '/usr/local/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer', '/usr/bin/pgbouncer']

/** @returns the program, or undefined where it is not installed */
export async function findPgBouncer (): Promise<string | undefined> {
  for (const place of places) if (await access(place).then(() => true, () => false)) return place
  return undefined
}

/** What a test says that is skipped because there is none. */
export const noPgBouncer = 'pgbouncer is not installed: apt-get install pgbouncer'

/**
 * A PgBouncer in front of a test database, on a port of its own; gone when the test ends. It refuses root, so root lends it
 * another account.
 * @param url of the database, with the user and the password that the pooler uses
 * @returns the URL through it; whoever comes is let in
 */
export async function startPgBouncer (t: Teardown, url: string, { mode, settings = {} }: { mode: 'session' | 'transaction', settings?: Record<string, string> }): Promise<string> {
  const program = await findPgBouncer()
  if (program === undefined) throw new Error(noPgBouncer)
  const account = await accountFor()
  const { hostname, port: serverPort, pathname, username, password } = new URL(url)
  const database = pathname.slice(1)
  const folder = await mkdtemp(join(tmpdir(), 'eden-test-pgbouncer-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (let attempt = 0; ; attempt++) {
    const port = await freePort()
    const file = join(folder, 'pgbouncer.ini')
    await writeFile(file, [
      '[databases]',
      `${database} = host=${hostname} port=${serverPort || 5432} dbname=${database} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      `pool_mode = ${mode}`,
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
    ].join('\n') + '\n')
    await chmod(file, 0o600)
    await giveTo(account, folder)
    await giveTo(account, file)
    const child = spawn(program, [file], { uid: account.uid, gid: account.gid, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text })
    const ended = once(child, 'close')
    if (await answers(port, () => child.exitCode === null)) {
      t.teardown(async () => {
        child.kill('SIGTERM')
        await ended
      })
      const through = new URL(url)
      through.host = `127.0.0.1:${port}`
      return through.href
    }
    await ended
    // The port may have been taken in the meantime.
    if (attempt === 4) throw new Error(`pgbouncer did not start: ${said}`)
  }
}

async function answers (port: number, isAlive: () => boolean): Promise<boolean> {
  while (isAlive()) {
    const socket = connect({ host: '127.0.0.1', port })
    const open = await once(socket, 'connect').then(() => true, () => false)
    socket.destroy()
    if (open) return true
    await delay(20)
  }
  return false
}
