import { setTimeout as delay } from 'node:timers/promises'
import { Migrator, sql, type Kysely, type Migration, type MigrationProvider, type MigrationResultSet } from 'kysely'
import pg from 'pg'

const LOCK_NOT_AVAILABLE = '55P03'
const DEADLOCK = '40P01'
/** How often to ask for the turn, and how long at most. */
const TURN_POLL_MS = 200
const TURN_WAIT_MS = 15 * 60_000

/** What a migration file may export beside `up` and `down`. */
export interface ReleaseMigration extends Migration {
  /** False runs it outside a transaction, as concurrent builds of indexes and backfills in batches need it. It must bear being run again. */
  transaction?: boolean
  /** Why what it takes away or narrows is not used any more, for a migration that contracts on purpose. */
  contracts?: string
}

/** How migrations are run; times in milliseconds. */
export interface ApplyOptions {
  /** The migrations of this release. */
  provider: MigrationProvider
  /** The longest a statement may wait for a lock: whoever comes after it waits as long. */
  lockTimeoutMs?: number
  /** The longest a statement may run, except those that work beside readers and writers. */
  statementTimeoutMs?: number
  /** How often a migration that does not get its locks is tried, and the pause after the first try, which doubles. */
  attempts?: number
  pauseMs?: number
  print?: (line: string) => void
}

/** What a database has had of a release's migrations. */
export interface SchemaState {
  /** Oldest first; `known` is false for one that this release does not have. */
  applied: { name: string, at: string, known: boolean }[]
  pending: string[]
}

/** The database has had migrations of a newer release. */
export class DatabaseAhead extends Error {
  override name = 'DatabaseAhead'
  constructor (unknown: string[]) {
    super(`the database is ahead of this release, which does not know ${unknown.join(', ')}\n` +
      'nothing was changed. Use the release that these came with, or a newer one; to go back, take them back with that release: npm run db:rollback')
  }
}

/** A pending migration is older than one that the database has had: two branches met. */
export class MigrationsOutOfOrder extends Error {
  override name = 'MigrationsOutOfOrder'
  constructor (late: string[], newest: string) {
    super(`${late.join(', ')} came too late: the database has had ${newest}, which is newer\n` +
      'nothing was changed. Give the file a name with a later time, and release again')
  }
}

/** A migration that did not work. What was applied before it stays applied. */
export class MigrationFailed extends Error {
  override name = 'MigrationFailed'
}

/** Compares the migrations of a release with those that the database has had. */
export async function schemaState (db: Kysely<any>, provider: MigrationProvider): Promise<SchemaState> {
  const known = Object.keys(await provider.getMigrations()).sort()
  // Asked first, because an error would end a transaction that this may be part of.
  const { rows: [table] } = await sql<{ is_there: boolean }>`select to_regclass('kysely_migration') is not null as is_there`.execute(db)
  const { rows } = table?.is_there === true ? await sql<{ name: string, at: string }>`select name, timestamp as at from kysely_migration order by timestamp, name`.execute(db) : { rows: [] }
  const applied = rows.map((row) => ({ ...row, known: known.includes(row.name) }))
  const had = new Set(applied.map(({ name }) => name))
  return { applied, pending: known.filter((name) => !had.has(name)) }
}

/**
 * Waits for the turn and then does `work` alone: no other process migrates this database meanwhile. It asks again and
 * again instead of waiting inside PostgreSQL, where a waiting statement would hold up the concurrent build that it waits for.
 */
export async function inTurn<T> (db: Kysely<any>, print: (line: string) => void, work: () => Promise<T>): Promise<T> {
  const turn = async () => (await sql<{ mine: boolean }>`select pg_try_advisory_lock(hashtextextended('migrations', 0)) as mine`.execute(db)).rows[0]?.mine === true
  const late = Date.now() + TURN_WAIT_MS
  for (let asked = 0; !await turn(); asked++) {
    if (asked === 0) print('another process is migrating this database: waiting for it')
    if (Date.now() > late) throw new Error('another process has been migrating this database for too long: look at pg_stat_activity for application eden-migrations')
    await delay(TURN_POLL_MS)
  }
  try {
    return await work()
  } finally {
    await sql`select pg_advisory_unlock(hashtextextended('migrations', 0))`.execute(db).catch(() => {}) // lost with its connection
  }
}

/** @throws DatabaseAhead */
export function refuseAhead ({ applied }: SchemaState): void {
  const unknown = applied.filter(({ known }) => !known).map(({ name }) => name)
  if (unknown.length > 0) throw new DatabaseAhead(unknown)
}

/**
 * Applies the pending migrations one by one. Each is a transaction of its own, so that locks are short and what was said to
 * be applied is; one that does not get its locks in time is tried again, and then given up instead of holding up everybody.
 * @returns the names of what was applied
 * @throws DatabaseAhead, MigrationsOutOfOrder; MigrationFailed with the name and the reason
 */
export async function applyPending (db: Kysely<any>, options: ApplyOptions): Promise<string[]> {
  const { provider, print = () => {} } = options
  return inTurn(db, print, async () => {
    const state = await schemaState(db, provider)
    refuseAhead(state)
    const newest = state.applied.map(({ name }) => name).sort().at(-1)
    const late = state.pending.filter((name) => newest !== undefined && name < newest)
    if (newest !== undefined && late.length > 0) throw new MigrationsOutOfOrder(late, newest)
    const applied: string[] = []
    for (const name of state.pending) {
      const began = performance.now()
      await runMigration(db, 'up', name, options)
      applied.push(name)
      print(`applied ${name} (${Math.round(performance.now() - began)} ms)`)
    }
    return applied
  })
}

/**
 * Runs one migration, which must be the next in its direction, with time-outs.
 * @throws MigrationFailed
 */
export async function runMigration (db: Kysely<any>, direction: 'up' | 'down', name: string, { provider, lockTimeoutMs = 2000, statementTimeoutMs = 60_000, attempts = 6, pauseMs = 500 }: ApplyOptions): Promise<void> {
  const migrations: Record<string, ReleaseMigration> = await provider.getMigrations()
  const disableTransactions = migrations[name]?.transaction === false
  if (direction === 'down' && migrations[name]?.down === undefined) throw new MigrationFailed(`${name} cannot be taken back: it has no way down. Nothing was changed`)
  // One provider for all tries: Kysely reads the folder each time.
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations }, disableTransactions })
  await sql`select set_config('lock_timeout', ${String(lockTimeoutMs)}, false), set_config('statement_timeout', ${String(statementTimeoutMs)}, false)`.execute(db)
  try {
    for (let attempt = 1; ; attempt++) {
      const { error }: MigrationResultSet = direction === 'up' ? await migrator.migrateUp() : await migrator.migrateDown()
      if (error === undefined) return
      const code = error instanceof pg.DatabaseError ? error.code : undefined
      const waited = code === LOCK_NOT_AVAILABLE || code === DEADLOCK
      if (waited && attempt < attempts) {
        await delay(pauseMs * 2 ** (attempt - 1))
        continue
      }
      const reason = waited
        ? `did not get its locks, ${attempt} times within ${lockTimeoutMs} ms: others hold them${await longestTransactions(db)}`
        : `failed: ${error instanceof Error ? error.message : String(error)}`
      const left = disableTransactions ? 'it runs outside a transaction: what it had done stays, and it can be run again' : 'it left nothing behind'
      throw new MigrationFailed(`${name} ${reason}\n${left}`, { cause: error })
    }
  } finally {
    await sql`select set_config('lock_timeout', '0', false), set_config('statement_timeout', '0', false)`.execute(db).catch(() => {}) // lost with its connection
  }
}

/** Who may be in the way: the transactions that have been open longest. Their statements may hold data, and are not told. */
async function longestTransactions (db: Kysely<any>): Promise<string> {
  const { rows } = await sql<{ pid: number, application: string, state: string, seconds: number }>`
    select pid, application_name as application, state, extract(epoch from clock_timestamp() - xact_start)::int as seconds
    from pg_stat_activity where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
    order by xact_start limit 3`.execute(db)
  return rows.map(({ pid, application, state, seconds }) => `\n  process ${pid} (${application === '' ? 'no name' : application}) is ${state}, in a transaction for ${seconds} s`).join('')
}
