import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'

/** A program of PostgreSQL: where it is, and its major version. */
export interface Program { file: string, major: number, version: string }

/** The programs that are needed are not here, or too old. `message` says what to install. */
export class ProgramNotFound extends Error {
  override name = 'ProgramNotFound'
}

/**
 * Finds `pg_dump`, `pg_restore` or `psql` in PG_BIN, on PATH and in Debian's folders: the oldest that is new enough. An older one
 * refuses the server; a newer one may write settings into the restore that an older server does not know.
 * @param atLeast the least major version: the server's, or that of what wrote the archive
 * @throws ProgramNotFound
 */
export async function findProgram (name: 'pg_dump' | 'pg_restore' | 'psql', atLeast: number, env: NodeJS.ProcessEnv = process.env): Promise<Program> {
  const debian = '/usr/lib/postgresql'
  const folders = [env.PG_BIN ?? '', ...(env.PATH ?? '').split(path.delimiter), ...(await readdir(debian).catch(() => [])).map((version) => path.join(debian, version, 'bin'))]
  const found: Program[] = []
  for (const folder of new Set(folders.filter(Boolean))) {
    const file = path.resolve(folder, name)
    const { stdout } = await runProgram(file, ['--version'], {}).catch(() => ({ stdout: '' }))
    const [, version, major] = /\(PostgreSQL\) ((\d+)\S*)/.exec(stdout) ?? []
    if (version !== undefined) found.push({ file, major: Number(major), version })
  }
  const fitting = found.filter(({ major }) => major >= atLeast).sort((a, b) => a.major - b.major)[0]
  if (fitting !== undefined) return fitting
  const there = found.length === 0 ? 'there is none in PG_BIN, on PATH or in /usr/lib/postgresql' : `there is ${found.map(({ file, version }) => `${version} (${file})`).join(', ')}`
  throw new ProgramNotFound(`${name} ${atLeast} or later is needed, as new as the server: ${there}. Install postgresql-client-${atLeast} (Debian and Ubuntu: from https://apt.postgresql.org; macOS: brew install libpq), or let PG_BIN name the folder it is in`)
}

/** A URL as the variables that PostgreSQL's programs read: nothing of it is in the list of processes. */
export function connectionEnvironment (connectionString: string): NodeJS.ProcessEnv {
  const url = new URL(connectionString)
  const mode = url.searchParams.get('sslmode') ?? undefined
  const part = (text: string) => text === '' ? undefined : decodeURIComponent(text)
  return {
    PGHOST: part(url.hostname) ?? part(url.searchParams.get('host') ?? ''),
    PGPORT: part(url.port),
    PGUSER: part(url.username),
    PGPASSWORD: part(url.password),
    PGDATABASE: part(url.pathname.slice(1)),
    PGSSLMODE: mode === 'no-verify' ? 'require' : mode, // what Node's driver calls no-verify is all that require asks of them
    PGAPPNAME: 'eden-erp-backup',
    PGCONNECT_TIMEOUT: '15'
  }
}

interface Running {
  /** Ends it early. */
  signal?: AbortSignal
  /** What it writes goes here, which is ended by the caller; else it is the result. */
  output?: Writable
  /** What it reads; when that is destroyed instead of ended, it is killed. */
  input?: Readable
}

/**
 * Runs a program to its end.
 * @throws Error with the end of what it said when it failed
 */
export function runProgram (file: string, args: string[], env: NodeJS.ProcessEnv, { signal, output, input }: Running = {}): Promise<{ stdout: string }> {
  return new Promise((resolve, reject) => {
    const inherited = Object.fromEntries(['PATH', 'HOME', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SSL_CERT_FILE', 'PGSSLROOTCERT'].map((name) => [name, process.env[name]]))
    const child = spawn(file, args, { env: { ...inherited, LC_ALL: 'C', ...env }, stdio: ['pipe', 'pipe', 'pipe'], signal })
    const stdout: Buffer[] = []
    let stderr = ''
    if (output === undefined) child.stdout.on('data', (chunk: Buffer) => { stdout.push(chunk) })
    else child.stdout.pipe(output, { end: false })
    child.stdin.on('error', () => {}) // it ended before it read all; why, its code says
    if (input === undefined) child.stdin.end()
    // What is cut off must not look like an end, which would commit it.
    else input.on('error', () => { child.kill('SIGKILL') }).pipe(child.stdin)
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr = (stderr + text).slice(-4000) })
    child.on('error', reject)
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve({ stdout: Buffer.concat(stdout).toString() })
      else reject(new Error(`${path.basename(file)} ${killedBy === null ? `failed with code ${code}` : `was ended by ${killedBy}`}${stderr === '' ? '' : `:\n${stderr.trim()}`}`))
    })
  })
}

/** Does `work` with a signal that Ctrl-C and SIGTERM set off, so that what it began is cleared away. */
export async function interruptible<T> (work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const abort = () => { controller.abort(new Error('interrupted')) }
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, abort)
  try {
    return await work(controller.signal)
  } finally {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, abort)
  }
}
