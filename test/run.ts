/**
 * What `npm test` runs: a PostgreSQL for this run only, a migrated template in it, everything compiled once, then tap over the
 * test files.
 *
 *   npm test                                    the whole suite, and the floor for coverage
 *   npm test -- test/modules/tasks.test.ts      some files, or those of a folder
 *
 *   TEST_DATABASE_URL   a server to use instead of starting one; its user may create databases
 *   PG_BIN              the bin folder of another PostgreSQL to start, such as /usr/lib/postgresql/15/bin
 *   EDEN_TEST_JOBS      files at a time; default: the number of processors
 *   EDEN_TEST_SEED      the order of the files, as an earlier run printed it
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { migrateToLatest } from '../commands/migrate.js'
import { startThrowawayCluster } from '../embedded/index.js'
import { isAlive } from '../embedded/postmaster.js'
import { compile } from './compile.js'
import { coverageOf, type CoverageFolders } from './coverage.js'
import { databaseUrl } from './database.js'
import { createReport, type Totals } from './report.js'

/** The least share of lines, in per cent, that the whole suite must run. */
const coverageFloor = 90

const root = join(import.meta.dirname, '..')

/** Says what it found on the last line, for people and for CI; resolves to the exit code. */
async function main (args: string[]): Promise<number> {
  const seed = Number(process.env.EDEN_TEST_SEED || randomInt(1, 1_000_000))
  const files = await filesOf(args)
  const { url, description, stop } = await server()
  try {
    const { template, run, drop } = await prepare(url)
    console.log(`${description}; files in random order, EDEN_TEST_SEED=${seed} repeats it\n`)
    try {
      return await runFiles(shuffled(files, seed), args.length === 0, { EDEN_TEST_ADMIN_URL: url, EDEN_TEST_TEMPLATE: template, EDEN_TEST_RUN: run })
    } finally {
      await drop()
    }
  } finally {
    await stop()
  }
}

async function server (): Promise<{ url: string, description: string, stop: () => Promise<void> }> {
  const given = process.env.TEST_DATABASE_URL
  if (given) return { url: given, description: 'PostgreSQL of TEST_DATABASE_URL', stop: async () => {} }
  const cluster = await startThrowawayCluster()
  return { url: cluster.url, description: `PostgreSQL ${cluster.serverVersion}, started for this run`, stop: cluster.stop }
}

/**
 * Makes the migrated template that each test file clones, after dropping what killed runs left: a run holds one
 * connection named like its databases, so databases without such a connection are nobody's.
 */
async function prepare (url: string) {
  const run = `eden_test_${randomBytes(4).toString('hex')}`
  const template = `${run}_template`
  const client = new pg.Client({ connectionString: url, application_name: run })
  client.on('error', () => { /* the server went away; the tests say so */ })
  await client.connect()
  const dropAll = async (condition: string) => {
    const { rows } = await client.query<{ datname: string }>(`select datname from pg_database where datname ~ '^eden_test_[0-9a-f]+_[a-z0-9]+$' and pg_has_role(datdba, 'member') and ${condition}`)
    for (const { datname } of rows) await client.query(`drop database if exists ${datname} with (force)`)
  }
  const drop = async () => {
    // A server that died must not hide what the tests had to say about it.
    await dropAll(`starts_with(datname, '${run}')`).catch((err: Error) => { console.error(`databases were left behind: ${err.message}`) })
    await client.end().catch(() => {})
  }
  try {
    await dropAll('not exists (select from pg_stat_activity a where starts_with(datname, a.application_name) and a.application_name like \'eden_test_%\')')
    await client.query(`create database ${template} template template0 encoding 'UTF8'`)
    await migrateToLatest(databaseUrl(url, template))
  } catch (err) {
    await drop()
    throw err
  }
  return { run, template, drop }
}

/**
 * The test files that are asked for, as paths below the root.
 * @throws Error when there is none
 */
async function filesOf (args: string[]): Promise<string[]> {
  const all = (await readdir(join(root, 'test'), { recursive: true })).filter((name) => name.endsWith('.test.ts')).map((name) => `test/${name}`).sort()
  if (args.length === 0) return all
  return [...new Set(args.flatMap((arg) => {
    const asked = relative(root, arg)
    const found = all.filter((name) => name === asked || name.startsWith(`${asked}/`))
    if (found.length === 0) throw new Error(`no test file: ${arg}`)
    return found
  }))]
}

/** These take longest. Begun in the second half, one would run alone at the end, with nothing for the other processors to do. */
const long = ['bad-input', 'demo/load', 'deployment/image', 'drills/alerts', 'drills/rolling-restart', 'runbook', 'server'].map((name) => `test/${name}.test.ts`)

/** In an order that the seed decides, but for what is long. */
function shuffled (files: string[], seed: number): string[] {
  let state = seed >>> 0
  const random = () => { // mulberry32
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ state >>> 15, 1 | state)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) / 4294967296
  }
  return files.map((file) => ({ file, at: random() * (long.includes(file) ? 0.5 : 1) })).sort((a, b) => a.at - b.at).map(({ file }) => file)
}

/** A folder of this run only, below the root because packages are found from there; those of runs that were killed are removed first. */
async function runFolder (): Promise<string> {
  const parent = join(root, '.tap')
  await mkdir(parent, { recursive: true })
  for (const name of await readdir(parent)) {
    const pid = Number(/^run-(\d+)-/.exec(name)?.[1])
    if (pid && !isAlive(pid)) await rm(join(parent, name), { recursive: true, force: true })
  }
  return mkdtemp(join(parent, `run-${process.pid}-`))
}

async function runFiles (files: string[], whole: boolean, env: Record<string, string>): Promise<number> {
  const folder = await runFolder()
  try {
    const compiled = join(folder, 'compiled')
    const collected = join(folder, 'coverage')
    await compile(root, compiled)
    await mkdir(collected)
    if (interruption.code !== undefined) throw new Error('interrupted')
    const child = spawn(process.execPath, [join(compiled, 'test/tap.js'), ...files], {
      cwd: root,
      env: { EDEN_TEST_JOBS: String(availableParallelism()), ...process.env, ...env, ...(whole ? { EDEN_TEST_COVERAGE: collected, EDEN_TEST_COMPILED: compiled } : {}) },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true
    })
    interruption.child = child
    const report = createReport((line) => { console.log(line) })
    try {
      const ended = new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)))
      for await (const line of createInterface({ input: child.stdout })) report.line(line)
      const code = interruption.code ?? await ended
      return await summarize(report.totals, code, whole ? { compiled, collected, written: join(folder, 'report') } : undefined)
    } finally {
      killGroup(child)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The verdict; `N passed, N failed` stands alone on the last line. */
async function summarize (totals: Totals, code: number, coverage: CoverageFolders | undefined): Promise<number> {
  const { passed, skipped } = totals
  // A file that crashes or hangs can fail the run without a failed assertion.
  let failed = Math.max(totals.failed, code === 0 ? 0 : 1)
  if (coverage !== undefined && failed === 0) {
    const { percent, lines } = await coverageOf(coverage)
    console.log(`\n${percent.toFixed(1)} % of ${lines} lines run by the tests; the floor is ${coverageFloor} %`)
    if (percent < coverageFloor) failed++
  }
  if (interruption.code !== undefined) console.log('\ninterrupted')
  console.log(`\n${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`)
  return failed === 0 ? 0 : code || 1
}

/**
 * A signal ends the tests, not this process, which has databases to drop and a cluster to stop first.
 * npm and the terminal may both send one; the first counts.
 */
const interruption: { code: number | undefined, child: ChildProcess | undefined } = { code: undefined, child: undefined }

function takeSignals (): void {
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const) {
    process.on(signal, () => {
      if (interruption.code !== undefined) return
      interruption.code = code
      killGroup(interruption.child, 'SIGTERM')
      setTimeout(() => { killGroup(interruption.child) }, 5000).unref()
    })
  }
}

/** Ends whatever runs in tap's process group: test files, and what they left running. */
function killGroup (child: ChildProcess | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    if (child?.pid !== undefined) process.kill(-child.pid, signal)
  } catch { /* nothing is left of it */ }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(await realpath(process.argv[1])).href) {
  takeSignals()
  // `npm test | head` must not cost the cleaning up.
  process.stdout.on('error', () => {})
  process.exitCode = await main(process.argv.slice(2)).catch((err: Error) => {
    console.error(err.message)
    console.log('\n0 passed, 1 failed')
    return interruption.code ?? 1
  })
}
