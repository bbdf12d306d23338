import { formatBytes, formatTable } from '../table.js'
import type { Difference } from './drift.js'
import type { ColumnFacts, IndexFacts, Server, TableFacts, UnindexedKey } from './queries.js'

/** What `db:introspect --json` prints; sizes in bytes, times in RFC 3339. */
export interface Introspection {
  server: Server
  tables: TableFacts[]
  indexes: IndexFacts[]
  unused_indexes: IndexFacts[]
  missing_indexes: { foreign_keys: UnindexedKey[], scanned_tables: TableFacts[] }
  drift: { pending_migrations: string[], unknown_migrations: string[], differences: Difference[] }
  /** Of one table, with `--table`. */
  columns?: ColumnFacts[]
}

/** Everything as lines of text, to be read. */
export function describe (facts: Introspection): string[] {
  const { server, tables, unused_indexes: unused } = facts
  return [
    `${server.database}, PostgreSQL ${server.version}, ${formatBytes(server.database_bytes)}`,
    '', ...formatTable(tables, tableColumns),
    ...facts.columns === undefined
      ? []
      : ['', ...formatTable(facts.columns, [
          { head: 'column', of: ({ name }) => name }, { head: 'type', of: ({ type }) => type }, { head: 'null', of: ({ nullable }) => nullable ? 'yes' : 'no' },
          { head: 'null share', of: (column) => column.null_share === null ? null : `${Math.round(column.null_share * 100)} %`, right: true },
          { head: 'distinct', of: (column) => column.distinct_values, right: true }, { head: 'default', of: (column) => column.default }
        ])],
    '', `indexes: ${facts.indexes.length}, ${formatBytes(facts.indexes.reduce((sum, { bytes }) => sum + bytes, 0))}`,
    ...facts.columns === undefined ? [] : formatTable(facts.indexes, [...indexColumns, { head: 'definition', of: ({ definition }) => definition }]),
    '', `unused indexes, by statistics kept ${sinceWhen(server)}: ${unused.length === 0 ? 'none' : `${unused.length}, ${formatBytes(unused.reduce((sum, { bytes }) => sum + bytes, 0))}; scans of replicas are not in it`}`,
    ...unused.length === 0 ? [] : formatTable(unused, indexColumns),
    '', ...missing(facts.missing_indexes),
    '', ...drift(facts.drift)
  ]
}

const sinceWhen = ({ statistics_since: since, statistics_days: days }: Server): string =>
  since === null ? 'since the database was made' : `since ${since} (${days === 0 ? 'less than a day' : days === 1 ? '1 day' : `${days} days`})`

const tableColumns = [
  { head: 'table', of: ({ name, partitions }: TableFacts) => partitions > 0 ? `${name} (${partitions} partitions)` : name },
  { head: 'rows, about', of: (table: TableFacts) => Math.round(table.rows_estimated), right: true },
  { head: 'table', of: (table: TableFacts) => formatBytes(table.table_bytes), right: true },
  { head: 'indexes', of: (table: TableFacts) => formatBytes(table.index_bytes), right: true },
  { head: 'total', of: (table: TableFacts) => formatBytes(table.total_bytes), right: true },
  { head: 'bloat, about', of: (table: TableFacts) => formatBytes(table.bloat_bytes), right: true },
  { head: 'dead rows', of: (table: TableFacts) => table.dead_rows, right: true },
  { head: 'last vacuum', of: (table: TableFacts) => table.last_vacuum },
  { head: 'last analyze', of: (table: TableFacts) => table.last_analyze }
]

const indexColumns = [
  { head: 'index', of: ({ name, is_valid: valid }: IndexFacts) => valid ? name : `${name} (INVALID)` },
  { head: 'table', of: (index: IndexFacts) => index.table_name },
  { head: 'size', of: ({ bytes }: IndexFacts) => formatBytes(bytes), right: true },
  { head: 'scans', of: ({ scans }: IndexFacts) => scans, right: true }
]

function missing ({ foreign_keys: keys, scanned_tables: tables }: Introspection['missing_indexes']): string[] {
  return [
    `foreign keys without an index that begins with their columns: ${keys.length === 0 ? 'none' : `${keys.length}; they cost when what they refer to is deleted`}`,
    ...keys.length === 0
      ? []
      : formatTable(keys, [
        { head: 'table', of: (key) => key.table_name }, { head: 'columns', of: ({ columns }) => columns.join(', ') }, { head: 'refers to', of: ({ references }) => references },
        { head: 'deleted there', of: (key) => key.deleted_there, right: true }, { head: 'rows, about', of: (key) => key.rows_estimated, right: true }
      ]),
    '', `big tables that are often read whole: ${tables.length === 0 ? 'none' : tables.length}`,
    ...tables.length === 0
      ? []
      : formatTable(tables, [
        { head: 'table', of: ({ name }) => name }, { head: 'scans', of: ({ scans }) => scans, right: true },
        { head: 'rows read by each', of: (table) => Math.round(table.rows_read_by_scans / table.scans), right: true }
      ])
  ]
}

function drift ({ pending_migrations: pending, unknown_migrations: unknown, differences }: Introspection['drift']): string[] {
  return [
    ...pending.length === 0 ? [] : [`pending migrations: ${pending.length}; what they change is drift until then: npm run db:push`, ...pending.map((name) => `  ${name}`)],
    ...unknown.length === 0 ? [] : [`migrations in the database that this release, which is older, does not know: ${unknown.length}`, ...unknown.map((name) => `  ${name}`)],
    differences.length === 0 ? 'drift from the migrations: none' : `drift from the migrations: ${differences.length}`,
    ...differences.flatMap(({ is, kind, name, expected, found, repair }) => [
      `  ${is} ${kind} ${name}`,
      // A function's definition is known by its hash alone, which says nothing to a reader.
      ...is === 'changed' && kind !== 'function' ? [`    by the migrations: ${expected}`, `    in the database:   ${found}`] : [],
      ...repair === undefined ? [] : [`    to put it back: ${repair};`]
    ])
  ]
}
