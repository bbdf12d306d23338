import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { runProgram, type Program } from './programs.js'
import { createStaging, putBackMissing, readTables } from './queries.js'

interface Part {
  file: string
  program: Program
  /** The archive's table of contents. */
  entries: string[]
  tables: string[]
  /** Table -> partitions, under whose names the archive has the rows. */
  partitions: Record<string, string[]>
  signal: AbortSignal
}

/**
 * Puts back the rows of an archive that are missing from tables that are there, in one transaction.
 * @throws Error when a table is not in the archive or not in the database, or a foreign key does not hold: nothing is changed then
 */
export async function recoverRows (url: string, { file, program, entries, tables, partitions, signal }: Part, print: (line: string) => void): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-restore-'))
  const client = new pg.Client(url)
  const db = new Kysely<any>({ dialect: new PostgresDialect({ pool: { connect: async () => Object.assign(client, { release () {} }), end: async () => {} } }) })
  await client.connect()
  try {
    const there = await readTables(db)
    const lost = tables.filter((name) => !there.some((table) => table.name === name))
    if (lost.length > 0) throw new Error(`${lost.join(', ')}: not in the database. A table that was dropped is not made again: see npm run db:restore -- --help`)
    await db.transaction().execute(async (trx) => {
      const filled = []
      for (const [i, name] of tables.entries()) {
        const parts = [name, ...partitions[name] ?? []].filter((part) => entries.some((entry) => entry.includes(` TABLE DATA ${part.replace('.', ' ')} `)))
        if (parts.length === 0) throw new Error(`${name}: the archive has no rows of it`)
        const script = path.join(folder, `${i}.sql`)
        await runProgram(program.file, ['--data-only', ...parts.map((part) => `--table=${part.slice(part.indexOf('.') + 1)}`), `--file=${script}`, file], {}, { signal })
        const staging = `recovered_${i}`
        await createStaging(trx, name, staging)
        filled.push({ name, staging, ...await fill(client, script, staging) })
      }
      const back = await putBackMissing(trx, filled)
      for (const { name, rows } of filled) print(`${name}: ${rows.toLocaleString('en')} rows in the archive, ${back[name]!.toLocaleString('en')} were missing and are back`)
      signal.throwIfAborted()
    })
  } finally {
    await client.end()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Copies the rows of a script of pg_restore into a table. @returns the columns they have, and how many rows there are */
async function fill (client: pg.Client, script: string, staging: string): Promise<{ columns: string[], rows: number }> {
  let columns: string[] = []
  let rows = 0
  async function * rowsOf (file: string): AsyncGenerator<string> {
    let inside = false
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: 0 })) {
      if (inside && line === '\\.') inside = false
      else if (inside) {
        rows++
        yield `${line}\n`
      } else if (line.startsWith('COPY ')) inside = true
    }
  }
  for await (const line of createInterface({ input: createReadStream(script) })) {
    const head = /^COPY \S+ \((.*)\) FROM stdin;$/.exec(line)
    if (head !== null) {
      columns = head[1]!.split(', ').map((name) => name.replace(/^"(.*)"$/, '$1'))
      break
    }
  }
  await pipeline(Readable.from(rowsOf(script)), client.query(copyFrom(`copy "${staging}" (${columns.map((name) => `"${name}"`).join(', ')}) from stdin`)))
  return { columns, rows }
}
