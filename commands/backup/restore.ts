import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { parseArgs } from 'node:util'
import { knownMigrations, withMigrationConnection } from '../../plugins/database/migrator.js'
import { describe, verifyDatabase } from '../verify/index.js'
import { qualified } from './backup.js'
import { fingerprint, readManifest, type Manifest } from './manifest.js'
import { connectionEnvironment, findProgram, interruptible, runProgram, type Program } from './programs.js'
import { countRows, countServiceConnections, dropStatements, readExtensions, readTables, serverMajor } from './queries.js'
import { recoverRows } from './recover.js'

const usage = `usage: npm run db:restore -- --file PATH [--into URL] [--clean | --tables users,projects,tasks]

  Restores what db:backup wrote, in one transaction: whole, or not at all. Then compares the rows of each table with what the
  backup counted, and runs the checks of db:verify.
  --into URL  another database than DATABASE_URL; it must be there, and empty unless --clean or --tables is given
  --clean     drops every table and function of the schema public and the job queue, in the same transaction; extensions
              stay; refused while the service is connected; needs psql
  --tables    puts rows back that are missing from tables that are there, by their keys; no row that is there is changed. For
              rows that were deleted by mistake, while the service goes on. Rows that went with them (ball_holds, comments,
              task_watchers ... of a task) are in tables of their own: name those, too; db:verify says what is still missing.
              A table that was dropped is not made again: restore into an empty database, and take the table from there:
              pg_dump -t tasks URL-OF-THE-COPY | psql URL; then npm run db:introspect says which keys and indexes are
              missing, and prints the statements that put them back.`

type Print = (line: string) => void

/**
 * `npm run db:restore`: puts back what `db:backup` wrote.
 * @returns false when it is restored, and a check of what is there now finds something wrong
 * @throws TypeError for a wrong argument; ProgramNotFound; Error when it is refused or fails, and then nothing is changed
 */
export async function restore (connectionString: string, argv: string[], print: Print): Promise<boolean> {
  const { values } = parseArgs({ args: argv, options: { file: { type: 'string' }, tables: { type: 'string' }, into: { type: 'string' }, clean: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } })
  if (values.help || values.file === undefined) {
    print(usage)
    return values.help
  }
  const url = values.into ?? connectionString
  const archive = { file: path.resolve(values.file), manifest: await readManifest(values.file) }
  await checkArchive(archive.file, archive.manifest)
  if (archive.manifest === undefined) print(`there is no ${values.file}.json: what comes back is not compared with what was there`)

  const program = await withMigrationConnection(url, (db) => serverMajor(db)).then((server) => findProgram('pg_restore', Math.max(server, Number(archive.manifest?.pg_dump.split('.')[0] ?? 0))))
  const entries = (await runProgram(program.file, ['--list', archive.file], {})).stdout.split('\n').filter((line) => /^\d+;/.test(line))
  print(`${archive.file}: ${entries.length} entries${archive.manifest === undefined ? '' : `, ${archive.manifest.contents}, of ${archive.manifest.created_at}`}`)
  if (values.tables !== undefined) {
    const tables = values.tables.split(',').map(qualified)
    await interruptible((signal) => recoverRows(url, { file: archive.file, program, entries, tables, partitions: archive.manifest?.partitions ?? {}, signal }, print))
  } else {
    await interruptible((signal) => restoreAll(url, { file: archive.file, program, entries, clean: values.clean, signal }))
    print('restored, in one transaction')
  }
  return checkRestored(url, archive.manifest, values.tables === undefined, print)
}

/** A file that was cut off or changed is told by its size and its hash. */
async function checkArchive (file: string, manifest: Manifest | undefined): Promise<void> {
  await stat(file)
  if (manifest === undefined) return
  const { bytes, sha256 } = await fingerprint(file)
  if (bytes !== manifest.bytes) throw new Error(`${file} has ${bytes} bytes, and had ${manifest.bytes} when it was written: it is cut off, or another file`)
  if (sha256 !== manifest.sha256) throw new Error(`${file} is not what was written: its SHA-256 is another`)
}

interface Whole { file: string, program: Program, entries: string[], clean: boolean, signal: AbortSignal }

async function restoreAll (url: string, { file, program, entries, clean, signal }: Whole): Promise<void> {
  const { extensions, drops } = await withMigrationConnection(url, async (db) => {
    const tables = await readTables(db)
    if (tables.length > 0 && !clean) throw new Error(`the database is not empty: it has ${tables.length} tables, such as ${tables[0]!.name}. Restore into an empty one (createdb, then --into URL), or replace what is there with --clean`)
    const connections = clean ? await countServiceConnections(db) : 0
    if (connections > 0) throw new Error(`the service is connected (${connections} connections): stop it first, or what it writes meanwhile is lost`)
    return { extensions: await readExtensions(db), drops: clean ? await dropStatements(db) : [] }
  })
  // The schema public is there in every database; an extension that is there may be someone else's.
  const list = entries.filter((entry) => !/^\d+; \d+ \d+ (SCHEMA - public |(COMMENT|ACL) - (SCHEMA public|EXTENSION) )/.test(entry))
    .filter((entry) => !extensions.some((name) => entry.includes(` EXTENSION - ${name} `)))
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-restore-'))
  const listFile = path.join(folder, 'contents.list')
  const how = ['--no-owner', '--no-privileges', `--use-list=${listFile}`]
  try {
    await writeFile(listFile, `${list.join('\n')}\n`)
    if (clean) await replace(url, { file, program, how, drops, folder, signal })
    else {
      await runProgram(program.file, [
        '--single-transaction', '--exit-on-error', '--no-password', ...how, `--dbname=${databaseOf(url)}`, file
      ], connectionEnvironment(url), { signal })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const databaseOf = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1))

/**
 * Drops what is there and restores, in one transaction of psql. `pg_restore --clean` would not do: it stumbles over the keys
 * of partitions, and over what is there and not in the archive.
 */
async function replace (url: string, { file, program, how, drops, folder, signal }: Pick<Whole, 'file' | 'program' | 'signal'> & { how: string[], drops: string[], folder: string }): Promise<void> {
  const psql = await findProgram('psql', program.major)
  const dropFile = path.join(folder, 'drop.sql')
  await writeFile(dropFile, `set client_min_messages = warning;\nset lock_timeout = '30s';\n${drops.map((statement) => `${statement};\n`).join('')}`)
  const script = new PassThrough()
  const reading = runProgram(psql.file, ['--no-psqlrc', '--quiet', '--no-password', '--single-transaction', '--set=ON_ERROR_STOP=1', '--output=/dev/null', `--file=${dropFile}`, '--file=-'], connectionEnvironment(url), { signal, input: script })
  const writing = runProgram(program.file, [...how, '--file=-', file], {}, { signal, output: script }).then(() => { script.end() }, (error: Error) => {
    script.destroy(error)
    throw error
  })
  // Where psql refuses a statement, pg_restore would wait for ever for a reader.
  const stop = reading.finally(() => { script.resume() })
  const [written, read] = await Promise.allSettled([writing, stop])
  if (written.status === 'rejected') throw written.reason
  if (read.status === 'rejected') throw read.reason
}

async function checkRestored (url: string, manifest: Manifest | undefined, whole: boolean, print: Print): Promise<boolean> {
  if (manifest?.contents === 'schema') {
    print('a schema only: it has no rows and no record of its migrations, and is to be looked at, not to be served')
    return true
  }
  let good = true
  if (whole && manifest !== undefined) {
    const counts = await withMigrationConnection(url, (db) => countRows(db, Object.keys(manifest.rows)))
    const wrong = Object.entries(manifest.rows).filter(([name, rows]) => counts[name] !== rows)
    for (const [name, rows] of wrong) print(`WRONG: ${name} has ${counts[name]} rows, not ${rows}`)
    if (wrong.length === 0) print(`each of ${Object.keys(counts).length} tables has as many rows as were backed up: ${Object.values(counts).reduce((sum, count) => sum + count, 0).toLocaleString('en')} in all`)
    good = wrong.length === 0
    const known = new Set(await knownMigrations())
    const later = manifest.migrations.filter((name) => !known.has(name))
    if (later.length > 0) print(`the backup is of a later release, with ${later.length} migrations that this one does not know`)
    else if (manifest.migrations.length < known.size) print('the backup is of an earlier release: npm run db:push brings it up to date')
    if (manifest.contents === 'tables') return good
  }
  const wrong = (await verifyDatabase(url)).filter(({ ok }) => !ok)
  for (const verdict of wrong) describe(verdict).forEach((line) => print(line))
  print(wrong.length === 0 ? 'all checks of db:verify are ok' : `${wrong.length} checks of db:verify found something wrong`)
  return good && wrong.length === 0
}
