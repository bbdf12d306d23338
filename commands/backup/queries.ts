import { sql, type Kysely } from 'kysely'

/** A table that is backed up: of a partitioned one, its partitions are named for the archive. */
export interface BackedUpTable { name: string, partitions: string[] }

/** The schemas that are ours: the data, and the job queue's. */
export const schemas = ['public', 'graphile_worker'] as const

/** The major version of the server. */
export async function serverMajor (db: Kysely<any>): Promise<number> {
  const { rows: [row] } = await sql<{ num: number }>`select current_setting('server_version_num')::int as num`.execute(db)
  return Math.floor(row!.num / 10000)
}

/** Lets another connection see exactly what this transaction sees, for as long as it lasts. */
export async function exportSnapshot (trx: Kysely<any>): Promise<string> {
  await sql`select set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)`.execute(trx)
  const { rows: [row] } = await sql<{ id: string }>`select pg_export_snapshot() as id`.execute(trx)
  return row!.id
}

/** Every table of ours, `schema.table`, that is no partition. */
export async function readTables (db: Kysely<any>): Promise<BackedUpTable[]> {
  const { rows } = await sql<BackedUpTable>`
    select n.nspname || '.' || c.relname as name, array(select x.relnamespace::regnamespace || '.' || x.relname from pg_partition_tree(c.oid) p join pg_class x on x.oid = p.relid where x.oid <> c.oid order by 1) as partitions
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any(${[...schemas]}::text[]) and c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by 1`.execute(db)
  return rows
}

/** Which extensions there are: they may be someone else's, and are not made again. */
export async function readExtensions (db: Kysely<any>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select extname as name from pg_extension where extname <> 'plpgsql' order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

/** Table -> how many rows it has, by counting. */
export async function countRows (db: Kysely<any>, tables: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const name of tables) {
    const { rows: [row] } = await sql<{ count: number }>`select count(*)::float8 as count from ${sql.table(name)}`.execute(db)
    counts[name] = row!.count
  }
  return counts
}

/** How many connections of the service there are to this database. */
export async function countServiceConnections (db: Kysely<any>): Promise<number> {
  const { rows: [row] } = await sql<{ count: number }>`
    select count(*)::int as count from pg_stat_activity where datname = current_database() and application_name in ('eden-erp', 'eden-erp-jobs', 'eden-erp-listener')`.execute(db)
  return row!.count
}

/** A place for the rows of a backup, shaped like the table they are of, gone when the transaction ends. */
export async function createStaging (trx: Kysely<any>, table: string, staging: string): Promise<void> {
  await sql`create temporary table ${sql.table(staging)} (like ${sql.table(table)} including defaults) on commit drop`.execute(trx)
  // The dump leaves generated columns out.
  const { rows } = await sql<{ name: string }>`select attname as name from pg_attribute where attrelid = ${staging}::regclass and attnum > 0 and attnotnull`.execute(trx)
  for (const { name } of rows) await sql`alter table ${sql.table(staging)} alter column ${sql.ref(name)} drop not null`.execute(trx)
}

/**
 * Puts back the rows that are missing, of all tables in one statement: foreign keys are checked at its end, so that the
 * order of tables does not matter. Triggers do their work, so that counts stay right. Rows that are there stay as they are.
 * @returns table -> how many rows were put back
 */
export async function putBackMissing (trx: Kysely<any>, tables: readonly { name: string, staging: string, columns: string[] }[]): Promise<Record<string, number>> {
  const inserts = tables.map(({ name, staging, columns }, i) => {
    const list = sql.join(columns.map((column) => sql.ref(column)))
    return sql`${sql.ref(`put_${i}`)} as (insert into ${sql.table(name)} (${list}) overriding system value select ${list} from ${sql.table(staging)} on conflict do nothing returning 1)`
  })
  const counts = tables.map(({ name }, i) => sql`select ${name}::text as name, count(*)::float8 as count from ${sql.table(`put_${i}`)}`)
  const { rows } = await sql<{ name: string, count: number }>`with ${sql.join(inserts)} ${sql.join(counts, sql` union all `)}`.execute(trx)
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]))
}

/** The statements that take away all that is ours: tables, functions, the job queue's schema. Extensions stay. */
export async function dropStatements (db: Kysely<any>): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`
    with extensions as (select classid, objid from pg_depend where deptype = 'e')
    select 'drop schema if exists graphile_worker cascade' as statement
    union all
    select format('drop table if exists public.%I cascade', relname) from pg_class c
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
      and not exists (select from extensions e where e.classid = 'pg_class'::regclass and e.objid = c.oid)
    union all
    select format('drop routine if exists %s cascade', p.oid::regprocedure) from pg_proc p
    where pronamespace = 'public'::regnamespace and prokind in ('f', 'p') and not exists (select from extensions e where e.classid = 'pg_proc'::regclass and e.objid = p.oid)`.execute(db)
  return rows.map(({ statement }) => statement)
}
