import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Company, Emit } from './generate.js'
import type { TableName } from './records.js'
import { columnList, copyLine, tableNames } from './rows.js'

/** Rows by table, as chunks of the text that COPY takes. */
type Batch = Map<TableName, { rows: number, chunks: Buffer[] }>

/** Tasks in one batch: some 6 MB, so that a load of any size needs the memory of two batches. */
const BATCH = 2000
/** Tasks made between two turns of the event loop, so that the batch before keeps flowing to the server meanwhile. */
const SLICE = 50

/**
 * Loads a company table by table with COPY, batch by batch, while the next batch is made: one process and one
 * connection, and both cores of a small machine are busy.
 * @param frozen the tables whose rows may be written as already visible to all (they are emptied in this transaction)
 * @param onBatch told how many tasks and rows are loaded
 * @returns how many rows were loaded into each table
 */
export async function loadCompany (client: pg.ClientBase, company: Company, frozen: ReadonlySet<string>, onBatch: (tasks: number, rows: number) => void): Promise<Record<TableName, number>> {
  const counts = Object.fromEntries(tableNames.map((table) => [table, 0])) as Record<TableName, number>
  let tasks = 0
  const send = async (batch: Batch, batchTasks: number) => {
    for (const [table, { rows, chunks }] of batch) {
      await copy(client, table, chunks, frozen.has(table))
      counts[table] += rows
    }
    tasks += batchTasks
    onBatch(tasks, Object.values(counts).reduce((sum, count) => sum + count))
  }

  await send(write((emit) => company.makePeopleAndProjects(emit)), 0)
  let next = await makeBatch(company)
  while (next.tasks > 0) {
    const [following] = await Promise.all([makeBatch(company), send(next.batch, next.tasks)])
    next = following
  }
  await send(write((emit) => company.makeCounters(emit)), 0)
  return counts
}

async function makeBatch (company: Company): Promise<{ batch: Batch, tasks: number }> {
  const batch: Batch = new Map()
  let tasks = 0
  for (let made = 1; made > 0 && tasks < BATCH; tasks += made) {
    write((emit) => { made = company.makeTasks(Math.min(SLICE, BATCH - tasks), emit) }, batch)
    await turn()
  }
  return { batch, tasks }
}

/** Adds to a batch what `make` emits; as bytes, because a long string is not kept in one piece before it is. */
function write (make: (emit: Emit) => void, batch: Batch = new Map()): Batch {
  const texts = new Map<TableName, { rows: number, text: string }>(tableNames.map((table) => [table, { rows: 0, text: '' }]))
  make((table, row) => {
    const entry = texts.get(table)!
    entry.rows++
    entry.text += copyLine(table, row)
  })
  // In the order of the foreign keys, whatever came first.
  for (const [table, { rows, text }] of texts) {
    const entry = batch.get(table) ?? { rows: 0, chunks: [] }
    batch.set(table, entry)
    entry.rows += rows
    if (rows > 0) entry.chunks.push(Buffer.from(text))
  }
  return batch
}

async function copy (client: pg.ClientBase, table: TableName, chunks: Buffer[], isFrozen: boolean): Promise<void> {
  if (chunks.length === 0) return
  const statement = `copy ${table} (${columnList(table)}) from stdin${isFrozen ? ' with (freeze)' : ''}`
  await pipeline(Readable.from(chunks), client.query(copyFrom(statement)))
}
