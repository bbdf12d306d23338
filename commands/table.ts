/** A column of a table of text: its head, and what of a row is in it. */
export interface Column<Row> { head: string, of: (row: Row) => string | number | null, right?: boolean }

/** Rows as a table of text, as wide as its widest cells; an absent value is a dash. @returns its lines, the head first */
export function formatTable<Row> (rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const cells = [columns.map(({ head }) => head), ...rows.map((row) => columns.map(({ of }) => cell(of(row))))]
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)))
  return cells.map((line) => line.map((text, i) => columns[i]!.right ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)).join('  ').trimEnd())
}

function cell (value: string | number | null): string {
  if (value === null) return '-'
  return typeof value === 'number' ? value.toLocaleString('en') : value
}

/** Bytes as people read them: `532 B`, `1.4 MB`; powers of 1024, as PostgreSQL says them. */
export function formatBytes (bytes: number | null): string | null {
  if (bytes === null) return null
  const step = Math.min(Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(1024)), 4)
  return step === 0 ? `${bytes} B` : `${(bytes / 1024 ** step).toFixed(1)} ${['', 'kB', 'MB', 'GB', 'TB'][step]}`
}
