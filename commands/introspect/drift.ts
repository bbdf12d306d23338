import type { DatabaseSchema } from '../../plugins/database/schema.js'

/** One difference of a database from the migrations. */
export interface Difference {
  kind: 'table' | 'column' | 'index' | 'constraint' | 'trigger' | 'function'
  is: 'missing' | 'extra' | 'changed'
  name: string
  /** As the migrations have it; absent when they do not. */
  expected?: string
  /** As the database has it; absent when it does not. */
  found?: string
  /** The statement that puts back what is missing, where one can be told. */
  repair?: string
}

const kinds = { column: 'columns', index: 'indexes', constraint: 'constraints', trigger: 'triggers', function: 'functions' } as const

/** What of a missing or an extra table is not said again for each of its parts; an index says its table in its definition. */
const tableOf = (kind: keyof typeof kinds, name: string, definition: string): string | undefined =>
  kind === 'function' ? undefined : kind === 'index' ? / ON (?:ONLY )?public\.(\w+) /.exec(definition)?.[1] : name.slice(0, name.indexOf('.'))

/** Everything in which `found` differs from `expected`, table by table. Nothing when they are the same. */
export function findDrift (expected: DatabaseSchema, found: DatabaseSchema): Difference[] {
  const tables: Difference[] = compare(keys(expected.tables), keys(found.tables)).map((difference) => ({ kind: 'table', ...difference, expected: undefined, found: undefined }))
  const whole = new Set(tables.map(({ name }) => name))
  // The index of a key comes and goes with its constraint: one difference, not two.
  const ofConstraints = new Set([...Object.keys(expected.constraints), ...Object.keys(found.constraints)].map((name) => name.slice(name.indexOf('.') + 1)))
  const parts = (Object.keys(kinds) as (keyof typeof kinds)[]).flatMap((kind) => compare(expected[kinds[kind]], found[kinds[kind]])
    .filter(({ name, expected, found }) => !whole.has(tableOf(kind, name, expected ?? found ?? '') ?? ''))
    .filter(({ name, is }) => kind !== 'index' || is === 'changed' || !ofConstraints.has(name))
    .map((difference): Difference => ({ kind, ...difference, ...repairOf(kind, difference) })))
  return [...tables, ...parts].map((difference) => Object.fromEntries(Object.entries(difference).filter(([, value]) => value !== undefined)) as unknown as Difference)
}

type Compared = Pick<Difference, 'is' | 'name' | 'expected' | 'found'>

function compare (expected: Record<string, string>, found: Record<string, string>): Compared[] {
  return [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort().flatMap((name): Compared[] => {
    if (!(name in found)) return [{ is: 'missing', name, expected: expected[name] }]
    if (!(name in expected)) return [{ is: 'extra', name, found: found[name] }]
    return expected[name] === found[name] ? [] : [{ is: 'changed', name, expected: expected[name], found: found[name] }]
  })
}

const keys = (tables: Record<string, string[]>) => Object.fromEntries(Object.keys(tables).map((name) => [name, '']))

function repairOf (kind: Difference['kind'], { is, name, expected }: Compared): Pick<Difference, 'repair'> {
  if (is !== 'missing' || expected === undefined) return {}
  if (kind === 'index' || kind === 'trigger') return { repair: expected }
  const [table, part] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)]
  return kind === 'constraint' ? { repair: `ALTER TABLE ${table} ADD CONSTRAINT ${part} ${expected}` } : {}
}
