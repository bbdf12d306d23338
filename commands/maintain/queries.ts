import { sql, type Kysely } from 'kysely'

/** A table that VACUUM or ANALYZE has something to do for. */
export interface Neglected { name: string, dead_rows: number, changed_rows: number }

/** What the planner and autovacuum take for much: a tenth of the rows, and not fewer than these. */
const FEW_ROWS = 1000

const ours = sql`n.nspname = 'public' and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')`

/**
 * Only one maintains at a time; held until the connection ends.
 * @returns false where another one does
 */
export async function takeTurn (db: Kysely<any>): Promise<boolean> {
  const { rows: [row] } = await sql<{ taken: boolean }>`select pg_try_advisory_lock(hashtextextended('maintenance of the database', 0)) as taken`.execute(db)
  return row!.taken
}

/** For the statements of this connection that follow: how long one waits for a lock, before others have to wait behind it. */
export async function waitForLocks (db: Kysely<any>, time: string): Promise<void> {
  await sql`select set_config('lock_timeout', ${time}, false)`.execute(db)
}

/** Tables, partitions each for itself, with many dead rows, or with many changes that the statistics do not know; or simply all. */
export async function readNeglected (db: Kysely<any>, all: boolean): Promise<Neglected[]> {
  const { rows } = await sql<Neglected>`
    select c.relname as name, s.n_dead_tup::float8 as dead_rows, s.n_mod_since_analyze::float8 as changed_rows
    from pg_stat_all_tables s join pg_class c on c.oid = s.relid join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and ${ours} and (${all}
      or s.n_dead_tup > ${FEW_ROWS} + s.n_live_tup / 10 or s.n_mod_since_analyze > ${FEW_ROWS} + s.n_live_tup / 10)
    order by s.n_dead_tup desc, 1`.execute(db)
  return rows
}

/** Readers and writers go on. The end of a table is not given back to the system: that would take a lock that they wait for. */
export async function vacuum (db: Kysely<any>, table: string): Promise<void> {
  await sql`vacuum (analyze, truncate false) ${sql.table(`public.${table}`)}`.execute(db)
}

/** Statistics over all partitions together, which no VACUUM of a partition makes. */
export async function analyzePartitioned (db: Kysely<any>, changed: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct p.relname as name from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
    where p.relkind = 'p' and p.relnamespace = 'public'::regnamespace and c.relname = any(${changed}::text[])`.execute(db)
  for (const { name } of rows) await sql`analyze ${sql.table(`public.${name}`)}`.execute(db)
  return rows.map(({ name }) => name)
}

/**
 * Indexes that a failed build left: `leftover` of REINDEX CONCURRENTLY (`_ccnew`, `_ccold`), which is to be dropped, or of
 * CREATE INDEX CONCURRENTLY, which is to be built again. Not those that someone is building now.
 */
export async function readInvalidIndexes (db: Kysely<any>): Promise<{ name: string, leftover: boolean }[]> {
  const { rows } = await sql<{ name: string, leftover: boolean }>`
    select c.relname as name, c.relname ~ '_cc(new|old)[0-9]*$' as leftover
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
    where not i.indisvalid and c.relkind = 'i' and ${ours}
      and not exists (select from pg_stat_progress_create_index p where p.index_relid = c.oid or p.relid = i.indrelid)
    order by 2 desc, 1`.execute(db)
  return rows
}

export async function dropIndex (db: Kysely<any>, index: string): Promise<void> {
  await sql`drop index concurrently if exists ${sql.table(`public.${index}`)}`.execute(db)
}

export async function rebuildIndex (db: Kysely<any>, index: string): Promise<void> {
  await sql`reindex index concurrently ${sql.table(`public.${index}`)}`.execute(db)
}
