import { sql, type Kysely } from 'kysely'

/** A table; of a partitioned one, all its partitions together. Sizes in bytes, times in RFC 3339. */
export interface TableFacts {
  name: string
  partitions: number
  /** As the planner has it: from the last VACUUM or ANALYZE. */
  rows_estimated: number
  table_bytes: number
  index_bytes: number
  total_bytes: number
  /** What the rows would not need: an estimate from the statistics, or null before the first ANALYZE. */
  bloat_bytes: number | null
  dead_rows: number
  scans: number
  rows_read_by_scans: number
  last_vacuum: string | null
  last_analyze: string | null
}

export interface IndexFacts {
  name: string
  table_name: string
  bytes: number
  scans: number
  is_unique: boolean
  is_valid: boolean
  definition: string
}

export interface ColumnFacts { name: string, type: string, nullable: boolean, default: string | null, null_share: number | null, distinct_values: number | null }

/** A foreign key that no index begins with the columns of: a deleted or changed row of `references` reads the table whole. */
export interface UnindexedKey { table_name: string, constraint: string, columns: string[], references: string, deleted_there: number, rows_estimated: number }

/** Who keeps the statistics, and since when: an index that was not scanned since yesterday may be needed on Monday. */
export interface Server { version: string, database: string, database_bytes: number, statistics_since: string | null, statistics_days: number | null }

const time = (value: string) => sql`to_char(${sql.raw(value)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`

/** Each table of ours and the relations that hold its rows: itself, or its partitions. Sizes and statistics are of those. */
const parts = sql`
  roots as (
    select c.oid, c.relname as name, c.relkind from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  ), parts as (
    select r.oid as root, r.name, r.oid as part from roots r where r.relkind = 'r'
    union all
    select r.oid, r.name, p.relid from roots r cross join lateral pg_partition_tree(r.oid) p where r.relkind = 'p' and p.isleaf
  )`

export async function readServer (db: Kysely<any>): Promise<Server> {
  const { rows: [server] } = await sql<Server>`
    select current_setting('server_version') as version, current_database() as database, pg_database_size(current_database())::float8 as database_bytes,
      ${time('stats_reset')} as statistics_since, floor(extract(epoch from now() - stats_reset) / 86400)::float8 as statistics_days
    from pg_stat_database where datname = current_database()`.execute(db)
  return server!
}

/**
 * Sizes, dead rows and bloat of every table, the biggest first. Bloat is estimated as is usual without an extension: pages
 * there are, less pages that the rows need by their average width (https://wiki.postgresql.org/wiki/Show_database_bloat).
 */
export async function readTables (db: Kysely<any>): Promise<TableFacts[]> {
  const { rows } = await sql<TableFacts>`
    with ${parts}, widths as (
      -- A row: 24 bytes of head and 4 of pointer, 8 for a null bitmap where there is one, and its values.
      select p.part, 28 + case when max(s.null_frac) > 0 then 8 else 0 end + ceil(sum((1 - s.null_frac) * s.avg_width) / 8) * 8 as width
      from parts p join pg_class c on c.oid = p.part join pg_stats s on s.schemaname = 'public' and s.tablename = c.relname and not s.inherited
      group by p.part
    ), sized as (
      select p.root, p.name, p.part, s.*, w.width, pg_table_size(p.part) as table_bytes, pg_indexes_size(p.part) as index_bytes, pg_total_relation_size(p.part) as total_bytes,
        pg_relation_size(p.part) as heap_bytes, case when c.reltuples < 0 then s.n_live_tup else c.reltuples end as rows_estimated,
        coalesce((select option_value::int from pg_options_to_table(c.reloptions) where option_name = 'fillfactor'), 100) as fillfactor
      from parts p join pg_class c on c.oid = p.part left join pg_stat_all_tables s on s.relid = p.part left join widths w on w.part = p.part
    )
    select r.name, (r.relkind = 'p')::int * count(s.part)::int as partitions, coalesce(sum(rows_estimated), 0)::float8 as rows_estimated,
      coalesce(sum(table_bytes), 0)::float8 as table_bytes, coalesce(sum(index_bytes), 0)::float8 as index_bytes, coalesce(sum(total_bytes), 0)::float8 as total_bytes,
      sum(greatest(0, heap_bytes - ceil(rows_estimated * width / (8168 * fillfactor / 100.0)) * 8192))::float8 as bloat_bytes,
      coalesce(sum(n_dead_tup), 0)::float8 as dead_rows, coalesce(sum(seq_scan), 0)::float8 as scans, coalesce(sum(seq_tup_read), 0)::float8 as rows_read_by_scans,
      ${time('max(greatest(last_vacuum, last_autovacuum))')} as last_vacuum, ${time('max(greatest(last_analyze, last_autoanalyze))')} as last_analyze
    from roots r left join sized s on s.root = r.oid
    group by r.oid, r.name, r.relkind order by 6 desc, 1`.execute(db)
  return rows
}

/** Every index; of a partitioned one, size and scans of its parts together. */
export async function readIndexes (db: Kysely<any>): Promise<IndexFacts[]> {
  const { rows } = await sql<IndexFacts>`
    with ${parts}
    select c.relname as name, r.name as table_name, coalesce(sum(pg_relation_size(p.part)), 0)::float8 as bytes, coalesce(sum(s.idx_scan), 0)::float8 as scans,
      i.indisunique or i.indisprimary or i.indisexclusion as is_unique, i.indisvalid as is_valid, pg_get_indexdef(c.oid) as definition
    from roots r join pg_index i on i.indrelid = r.oid join pg_class c on c.oid = i.indexrelid
    left join lateral (
      select c.oid as part where c.relkind = 'i' union all select relid from pg_partition_tree(c.oid) where c.relkind = 'I' and isleaf
    ) p on true
    left join pg_stat_all_indexes s on s.indexrelid = p.part
    group by c.oid, r.name, i.indisunique, i.indisprimary, i.indisexclusion, i.indisvalid order by 2, 1`.execute(db)
  return rows
}

/** The columns of one table, in its order, with what the statistics know of their values. */
export async function readColumns (db: Kysely<any>, table: string): Promise<ColumnFacts[]> {
  const { rows } = await sql<ColumnFacts>`
    select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable, pg_get_expr(d.adbin, d.adrelid) as default,
      s.null_frac::float8 as null_share,
      round(case when s.n_distinct < 0 then -s.n_distinct * greatest(c.reltuples, 0) else s.n_distinct end)::float8 as distinct_values
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_stats s on s.schemaname = 'public' and s.tablename = c.relname and s.attname = a.attname and s.inherited = (c.relkind = 'p')
    where a.attrelid = to_regclass(format('public.%I', ${table}::text)) and a.attnum > 0 and not a.attisdropped
    order by a.attnum`.execute(db)
  return rows
}

/** Foreign keys without an index that leads with their columns, in any order; a partial one serves when it leaves out nulls only. */
export async function readUnindexedKeys (db: Kysely<any>): Promise<UnindexedKey[]> {
  const { rows } = await sql<UnindexedKey>`
    with ${parts}
    select r.name as table_name, k.conname as constraint, (select array_agg(attname::text order by ord) from unnest(k.conkey) with ordinality u (num, ord) join pg_attribute on attrelid = r.oid and attnum = num) as columns,
      k.confrelid::regclass::text as references,
      coalesce((select sum(n_tup_del) from pg_stat_all_tables s where s.relid = k.confrelid or s.relid in (select relid from pg_partition_tree(k.confrelid))), 0)::float8 as deleted_there,
      coalesce((select sum(greatest(c.reltuples, 0)) from parts p join pg_class c on c.oid = p.part where p.root = r.oid), 0)::float8 as rows_estimated
    from roots r join pg_constraint k on k.conrelid = r.oid and k.contype = 'f' and k.conparentid = 0
    where not exists (
      select from pg_index i where i.indrelid = r.oid and i.indisvalid
        and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey and i.indnkeyatts >= cardinality(k.conkey)
        and coalesce(pg_get_expr(i.indpred, i.indrelid), '') ~ '^(\\(\\w+ IS NOT NULL\\))?$'
    )
    order by 5 desc, 6 desc, 1, 2`.execute(db)
  return rows
}
