import pg from 'pg'
import { loadCompany } from './copy.js'
import { createCompany } from './generate.js'
import { removeFiles, writeFiles } from './files.js'
import { refuseRealData } from './guard.js'
import { dropIndexes } from './indexes.js'
import type { TableName } from './records.js'

export { DatabaseHoldsRealData, isEmptyDatabase } from './guard.js'
export { isSeedId, seedIdPattern } from './ids.js'

/** How far a load is. `done` of `total` counts tasks while loading, and indexes and constraints while indexing. */
export interface SeedProgress {
  phase: 'loading' | 'numbering' | 'indexing' | 'analysing'
  done: number
  total: number
  /** Rows loaded so far, of all tables. */
  rows: number
  /** The estimated share of the whole work that is done, 0 to 1. */
  share: number
}

export interface SeedOptions {
  /** How many tasks; people and projects grow with them. 600 by default. */
  tasks?: number
  /** The same seed and the same `now` make the same rows. 1 by default. */
  seed?: number
  /** The moment after which nothing has happened. */
  now?: Date
  /** The hash of a password that everybody in the demo company has. Without it nobody has one. */
  passwordHash?: string
  /** The local folder of files. Without it tasks have none. */
  filesFolder?: string
  onProgress?: (progress: SeedProgress) => void
  /**
   * True: the database checks every row as it comes. By default so only for small loads; bulk loads take away indexes
   * and, as a superuser, silence referential triggers (anyone else drops the foreign keys and has them checked at the end).
   */
  checked?: boolean
}

/** How many rows each table has now. */
export type SeedSummary = Record<TableName | 'event_positions', number>

/** From here on it pays to build indexes after the load instead of with it. */
const BULK = 20_000
const bigTables = ['tasks', 'ball_holds', 'comments', 'comment_mentions', 'activity_log', 'notifications', 'event_positions']

/**
 * Fills a migrated database with the demo company, in place of earlier demo data. All in one transaction: a load that is
 * stopped, however rudely, leaves the database as it was, and readers wait until it ends.
 * @throws DatabaseHoldsRealData when there is any row that is not demo data
 */
export async function seedDatabase (connectionString: string, { tasks = 600, seed = 1, now = new Date(), passwordHash, filesFolder, onProgress = () => {}, checked = tasks < BULK }: SeedOptions = {}): Promise<SeedSummary> {
  const client = new pg.Client({ connectionString, application_name: 'eden-seed' })
  // A connection that is lost while nothing is asked of it; the next query says so.
  client.on('error', () => {})
  await client.connect()
  try {
    // Looked at without locks first, so that a refusal does not make a real service wait.
    const tables = await refuseRealData(client)
    const names = tables.map(pg.escapeIdentifier).join(', ')
    await client.query('begin')
    await prepare(client)
    await client.query(`lock table ${names} in access exclusive mode`)
    await refuseRealData(client)
    const { rows: earlier } = await client.query<{ id: string }>('select id from stored_files')
    await client.query(`truncate ${names}`)

    const canSilence = !checked && await attempt(client, 'set local session_replication_role = replica')
    const company = createCompany({ tasks, seed, now: now.getTime(), withFiles: filesFolder !== undefined })
    for (const month of company.months) await client.query('select create_activity_partition($1)', [month])
    const rebuild = checked ? [] : await dropIndexes(client, bigTables, canSilence ? 'keep foreign keys' : 'drop foreign keys')
    const frozen = new Set(tables.filter((table) => table !== 'activity_log'))
    let rows = 0
    const counts = await loadCompany(client, company, frozen, (done, loaded) => {
      rows = loaded
      onProgress({ phase: 'loading', done, total: tasks, rows, share: 0.58 * done / tasks })
    })

    if (passwordHash !== undefined) await client.query('insert into user_credentials (user_id, password_hash, changed_at) select id, $1, created_at from users', [passwordHash])

    onProgress({ phase: 'numbering', done: 0, total: 1, rows, share: 0.58 })
    const positions = await numberEvents(client)
    await remindOfAll(client)
    rows += positions
    for (const [i, { create }] of rebuild.entries()) {
      onProgress({ phase: 'indexing', done: i, total: rebuild.length, rows, share: 0.62 + 0.35 * i / rebuild.length })
      await client.query(create)
    }
    // The triggers that count were silent, or have filled the ledger for nothing.
    await client.query('select rebuild_stats()')
    if (filesFolder !== undefined) await writeFiles(filesFolder, company.files) // before anybody sees the rows
    await client.query('commit')
    if (filesFolder !== undefined) await removeFiles(filesFolder, earlier.map(({ id }) => id).filter((id) => !company.files.has(id)))

    onProgress({ phase: 'analysing', done: 0, total: 1, rows, share: 0.97 })
    await client.query('set statement_timeout = 0')
    // Freezing waits for a page that is just being written out, instead of passing over it.
    await client.query(`vacuum (freeze, analyze) ${names}`)
    await client.query('reset statement_timeout')
    return { ...counts, event_positions: positions }
  } finally {
    // Ends a transaction that is still open: the server rolls back.
    await client.end().catch(() => {})
  }
}

async function prepare (client: pg.ClientBase): Promise<void> {
  await client.query(`
    set local timezone = 'UTC';
    set local eden.replaces_all_data = 'yes'; -- the log refuses TRUNCATE otherwise
    set local statement_timeout = 0;
    set local idle_in_transaction_session_timeout = 0;
    set local lock_timeout = '60s';
    set local work_mem = '128MB';
    set local maintenance_work_mem = '512MB'`)
  // So that the server gives up soon after a killed client, in the middle of an index too. Not on every system.
  await attempt(client, "set local client_connection_check_interval = '1s'")
}

/** Runs a statement that this server or this user may refuse, without losing the transaction. @returns whether it was taken */
async function attempt (client: pg.ClientBase, statement: string): Promise<boolean> {
  await client.query('savepoint attempt')
  try {
    await client.query(statement)
    return true
  } catch {
    await client.query('rollback to savepoint attempt')
    return false
  } finally {
    await client.query('release savepoint attempt')
  }
}

/** Of what is open now people were reminded already: the service does not begin its life with thousands of reminders. */
async function remindOfAll (client: pg.ClientBase): Promise<void> {
  await client.query(`
    insert into ball_reminders (task_id, hold_no, stage, recorded_at)
    select h.task_id, h.no, s.stage, h.started_at from ball_holds h cross join unnest(array['ball_unacknowledged', 'ball_overdue']) s (stage)
    where h.ended_at is null and h.user_id is not null`)
  await client.query(`
    insert into task_notices (task_id, kind, since, recorded_at)
    select id, kind, since, since from tasks, lateral (values ('task_overdue', due_at), ('task_idle', last_activity_at)) n (kind, since)
    where is_open and deleted_at is null and since < now()`)
}

/** Positions in the order of time and id, as the sequencer would have given them, and all of them told of. */
async function numberEvents (client: pg.ClientBase): Promise<number> {
  const { rowCount } = await client.query(`
    insert into event_positions (position, event_id, event_at, project_id)
    select row_number() over (order by created_at, id), id, created_at, project_id from activity_log order by created_at, id`)
  await client.query('update event_sequencer set last_position = $1', [rowCount])
  await client.query("insert into event_cursors (consumer, position) values ('notifications', $1)", [rowCount])
  return rowCount ?? 0
}
