import { RawNode, sql, type Kysely, type KyselyPlugin } from 'kysely'
import type { ReleaseMigration } from './apply.js'
import { isConcurrent } from './concurrently.js'

interface Column { table: string, relation: number, number: number, name: string, preset: string | null, generated: boolean }

/** Undoes the trial, whatever became of it. */
class TrialOver extends Error {}

/** In the trial an index is not dropped concurrently, which is not possible in a transaction and loses nothing. */
const withoutConcurrent: KyselyPlugin = {
  transformQuery: ({ node }) => RawNode.is(node) && isConcurrent(node.sqlFragments.join('')) ? RawNode.createWithSql('select') : node,
  transformResult: async ({ result }) => result
}

/**
 * What taking a migration back would lose, found by taking it back in a transaction that is then undone: tables and
 * columns that would be gone with something in them, and rows that would be deleted or changed. The trial takes the locks
 * that the real one takes.
 * @returns one phrase each, such as `12 rows of task_notices`; empty when nothing is lost
 * @throws the error of a migration that cannot be taken back
 */
export async function lossesOf (db: Kysely<any>, migration: ReleaseMigration): Promise<string[]> {
  const before = await columnsOf(db)
  let after: Column[] = []
  let changed: string[] = []
  await db.transaction().execute(async (trx) => {
    await migration.down?.(trx.withPlugin(withoutConcurrent))
    after = await columnsOf(trx)
    changed = await changesOf(trx)
    throw new TrialOver()
  }).catch((error) => { if (!(error instanceof TrialOver)) throw error })

  const tables = new Set(after.map(({ relation }) => relation))
  const columns = new Set(after.map(({ relation, number }) => `${relation} ${number}`))
  const losses: string[] = []
  for (const table of new Set(before.filter(({ relation }) => !tables.has(relation)).map(({ table }) => table))) {
    const rows = await count(db, table, sql`true`)
    if (rows > 0) losses.push(`${rows} rows of ${table}`)
  }
  for (const { table, relation, number, name, preset, generated } of before) {
    if (!tables.has(relation) || columns.has(`${relation} ${number}`) || generated) continue
    const values = await count(db, table, sql`${sql.ref(name)} is distinct from ${preset === null ? sql`null` : sql.raw(preset)}`)
    if (values > 0) losses.push(`${values} values of ${table}.${name}`)
  }
  return [...losses, ...changed]
}

/** Every column of every table; a partition's are those of its table. */
async function columnsOf (db: Kysely<any>): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select c.relname as table, c.oid::int8::float8 as relation, a.attnum as number, a.attname as name, pg_get_expr(d.adbin, d.adrelid) as preset, a.attgenerated <> '' as generated
    from pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
    order by c.relname, a.attnum`.execute(db)
  return rows
}

/** What this transaction did to the rows of tables that are still there. */
async function changesOf (db: Kysely<any>): Promise<string[]> {
  const { rows } = await sql<{ table: string, deleted: string, updated: string }>`
    select relname as table, n_tup_del as deleted, n_tup_upd as updated from pg_stat_xact_user_tables
    where schemaname = 'public' and n_tup_del + n_tup_upd > 0 and relname not like 'kysely%' order by 1`.execute(db)
  return rows.flatMap(({ table, deleted, updated }) => [
    ...(Number(deleted) > 0 ? [`${deleted} rows of ${table}, which stays`] : []),
    ...(Number(updated) > 0 ? [`${updated} rows of ${table} as they are: it changes them`] : [])
  ])
}

async function count (db: Kysely<any>, table: string, condition: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await sql<{ rows: string }>`select count(*) as rows from ${sql.table(table)} where ${condition}`.execute(db)
  return Number(rows[0]?.rows)
}
