import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { sql, type Kysely } from 'kysely'
import { withMigrationConnection } from '../../plugins/database/migrator.js'
import { formatBytes } from '../table.js'
import { fingerprint, manifestFile, type Manifest } from './manifest.js'
import { connectionEnvironment, findProgram, interruptible, runProgram } from './programs.js'
import { countRows, exportSnapshot, readExtensions, readTables, schemas, serverMajor, type BackedUpTable } from './queries.js'

const usage = `usage: npm run db:backup -- [--file PATH] [--tables users,projects,tasks] [--schema-only] [--force]

  Writes PATH (default: backups/eden-TIME.dump), an archive of pg_dump in its custom format, and PATH.json, which says how many
  rows of each table are in it. All is of one moment, while the service goes on. Files of tasks are not in the database: back
  up FILES_DIR, or the bucket, too, after the database.
  --tables       only these tables; db:restore puts back rows of them that are missing
  --schema-only  no rows: to look at, or to compare
  --force        write over a file that is there`

/** The name that a table has in the archive's own words. */
export const qualified = (name: string): string => name.includes('.') ? name : `public.${name}`

/**
 * `npm run db:backup`: writes the database, or some tables, into a file. A backup that breaks off leaves no file.
 * @throws TypeError for a wrong argument; RangeError for a table that is not there; ProgramNotFound; what pg_dump says
 */
export async function backup (connectionString: string, argv: string[], print: (line: string) => void): Promise<void> {
  const { values } = parseArgs({ args: argv, options: { file: { type: 'string' }, tables: { type: 'string' }, 'schema-only': { type: 'boolean', default: false }, force: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } })
  if (values.help) return print(usage)
  const file = path.resolve(values.file ?? path.join('backups', `eden-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}.dump`))
  if (!values.force && await stat(file).then(() => true, () => false)) throw new Error(`${file} is there already: choose another --file, or --force`)
  await mkdir(path.dirname(file), { recursive: true })
  const manifest = await withMigrationConnection(connectionString, (db) => interruptible((signal) => write(connectionString, db, {
    file, tables: values.tables?.split(',').map(qualified), schemaOnly: values['schema-only'], signal
  })))
  const rows = Object.values(manifest.rows).reduce((sum, count) => sum + count, 0)
  print(`${file}: ${formatBytes(manifest.bytes)}, ${manifest.contents === 'schema' ? 'the schema only' : `${rows.toLocaleString('en')} rows of ${Object.keys(manifest.rows).length} tables`}, by pg_dump ${manifest.pg_dump}`)
  print(`${manifestFile(file)}: what must be there again after npm run db:restore -- --file ${path.relative(process.cwd(), file)}`)
}

interface Wanted { file: string, tables: string[] | undefined, schemaOnly: boolean, signal: AbortSignal }

async function write (connectionString: string, db: Kysely<any>, { file, tables, schemaOnly, signal }: Wanted): Promise<Manifest> {
  const major = await serverMajor(db)
  const program = await findProgram('pg_dump', major)
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(async (trx) => {
    const snapshot = await exportSnapshot(trx)
    const all = await readTables(trx)
    const wanted = tables === undefined ? all : tables.map((name) => find(all, name))
    const partial = `${file}.partial-${process.pid}`
    try {
      await (await open(partial, 'wx', 0o600)).close() // nobody else reads it, from the first byte on
      await runProgram(program.file, [
        '--format=custom', '--load-via-partition-root', '--no-password', `--snapshot=${snapshot}`, `--file=${partial}`,
        ...schemaOnly ? ['--schema-only'] : [],
        // Extensions belong to no schema, and one of them that is not ours may be in the way.
        ...tables === undefined ? [...schemas.map((name) => `--schema=${name}`), ...(await readExtensions(trx)).filter((name) => ours.has(name)).map((name) => `--extension=${name}`)] : wanted.flatMap(({ name, partitions }) => [name, ...partitions].map((part) => `--table=${part}`))
      ], connectionEnvironment(connectionString), { signal })
      const { stdout: contents } = await runProgram((await findProgram('pg_restore', program.major)).file, ['--list', partial], {}, { signal })
      const missing = schemaOnly ? [] : wanted.filter(({ name, partitions }) => partitions.length === 0 && !contents.includes(` TABLE DATA ${name.replace('.', ' ')} `))
      if (missing.length > 0) throw new Error(`the archive lacks ${missing.map(({ name }) => name).join(', ')}`)
      const { rows: migrations } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(trx)
      const manifest: Manifest = {
        created_at: new Date().toISOString(),
        contents: schemaOnly ? 'schema' : tables === undefined ? 'everything' : 'tables',
        server_version: major,
        pg_dump: program.version,
        ...await fingerprint(partial),
        migrations: migrations.map(({ name }) => name),
        rows: schemaOnly ? {} : await countRows(trx, wanted.map(({ name }) => name)),
        partitions: Object.fromEntries(wanted.filter(({ partitions }) => partitions.length > 0).map(({ name, partitions }) => [name, partitions]))
      }
      await writeFile(`${partial}.json`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 })
      signal.throwIfAborted()
      // A manifest of another archive must at no moment stand beside this one.
      await rm(manifestFile(file), { force: true })
      await rename(partial, file)
      await rename(`${partial}.json`, manifestFile(file))
      return manifest
    } finally {
      await rm(partial, { force: true })
      await rm(`${partial}.json`, { force: true })
    }
  })
}

/** The extensions that the migrations make. */
const ours = new Set(['citext', 'pgcrypto', 'btree_gist'])

function find (all: readonly BackedUpTable[], name: string): BackedUpTable {
  const table = all.find((table) => table.name === name)
  if (table === undefined) throw new RangeError(`there is no table "${name}"`)
  return table
}
