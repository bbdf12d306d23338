import type { Catalogue } from './catalogue.js'
import type { Observed, Unit } from './observe.js'

/** What the running release could not live with, and the way in which it can be had. */
export interface Refusal {
  what: string
  instead: string
  /** It takes away or narrows: right once nothing uses it, which a person has to say (`export const contracts`). */
  contracts: boolean
}

/** Tables that stay small by what they are: to look through or rewrite them takes no time. All others may have millions of rows. */
const small = new Set(['permissions', 'roles', 'role_permissions', 'ball_policies', 'ball_policy_rules', 'work_calendars', 'work_holidays', 'event_cursors', 'event_sequencer', 'job_workers'])

const LATER = 'release without its use first; take it away one release later, with `export const contracts` in the migration and why nothing uses it any more'
const RENAME = `add the new one beside it, write both, fill it in batches, read the new one, and then: ${LATER}`

/**
 * Judges what a migration did to what was there before it; what it made itself nobody uses yet.
 * @returns empty when the release that runs can live with it
 */
export function judge ({ units, repeats }: Observed, transaction: boolean): Refusal[] {
  const [first] = units
  if (first === undefined) return []
  const refusals = units.flatMap((unit) => [...shape(unit), ...constraints(unit, first.before), ...indexes(unit, first.before), ...locks(unit, first.before, transaction)])
  if (repeats !== undefined) refusals.push({ what: `it runs outside a transaction and cannot be run again after it was interrupted: ${repeats}`, instead: 'write it so that it can: `if not exists`, `if exists`', contracts: false })
  const seen = new Set<string>()
  return refusals.filter(({ what }) => !seen.has(what) && seen.add(what))
}

const by = <T extends { id: unknown }>(list: T[]) => new Map(list.map((one) => [one.id, one]))
const nameOf = (catalogue: Catalogue, id: number) => catalogue.relations.find((relation) => relation.id === id)?.name ?? 'a table'

/** Whether a relation was there before the migration, and may be large. */
function isLarge (there: Catalogue, id: number): boolean {
  const relation = there.relations.find((relation) => relation.id === id)
  return relation !== undefined && !small.has(relation.name)
}

/** Tables, columns, triggers, functions: gone, renamed, or of another form. */
function shape ({ before, after }: Unit): Refusal[] {
  const refusals: Refusal[] = []
  const contract = (what: string, instead = LATER) => refusals.push({ what, instead, contracts: true })
  const relations = by(after.relations)
  const columns = by(after.columns)
  for (const { id, name, kind, file } of before.relations) {
    const now = relations.get(id)
    if (now === undefined) {
      if (kind !== 'v' || !after.relations.some((other) => other.name === name)) contract(`drops ${name}`)
    } else if (now.name !== name) contract(`renames ${name} to ${now.name}`, RENAME)
    else if (now.file !== file && kind !== 'S' && !small.has(name)) {
      refusals.push({ what: `rewrites or empties the table ${name} while nobody can read it`, instead: 'add a plain column without a default or with a constant one, fill it in batches, and read it in the next release', contracts: false })
    }
  }
  for (const { id, relation, name, type, required, filled } of before.columns) {
    const where = `${nameOf(before, relation)}.${name}`
    const now = columns.get(id)
    if (!relations.has(relation)) continue
    if (now === undefined) {
      contract(`drops the column ${where}`)
      continue
    }
    if (now.name !== name) contract(`renames the column ${where} to ${now.name}`, RENAME)
    if (now.type !== type) contract(`changes the type of ${where} from ${type} to ${now.type}`, RENAME)
    if (filled && !now.filled) contract(`drops the default of ${where}, which the release that runs may rely on`)
    if (now.required && !required) requires(where, name, relation)
  }
  function requires (where: string, name: string, relation: number): void {
    const proven = small.has(nameOf(before, relation)) || before.constraints.some((one) => one.relation === relation && one.validated && one.definition === `CHECK ((${name} IS NOT NULL))`)
    refusals.push({
      what: `makes ${where} NOT NULL${proven ? '' : ', and looks through the whole table while nobody can use it'}`,
      instead: `write it in every release that runs, fill it in batches, add \`check (${name} is not null) not valid\`, validate that in a migration of its own, and then set NOT NULL with \`export const contracts\`: PostgreSQL trusts the check`,
      contracts: proven
    })
  }
  const had = new Set(before.columns.map(({ id }) => id))
  const relationsBefore = by(before.relations)
  for (const { id, relation, name, required, filled } of after.columns) {
    if (!had.has(id) && relationsBefore.has(relation) && required && !filled) {
      refusals.push({ what: `adds ${nameOf(after, relation)}.${name} as NOT NULL without a default: the release that runs does not write it`, instead: 'give it a constant default, or add it without NOT NULL', contracts: false })
    }
  }
  for (const [list, now, word] of [[before.triggers, after.triggers, 'trigger'], [before.functions, after.functions, 'function'], [before.labels, after.labels, 'enum value']] as const) {
    const left = new Set(now.map(({ name }) => name))
    for (const { name } of list) if (!left.has(name)) contract(`drops or renames the ${word} ${name}`)
  }
  return refusals
}

const kinds: Record<string, string> = { c: 'check', f: 'foreign key', u: 'unique constraint', p: 'primary key', x: 'exclusion constraint' }

function constraints ({ before, after }: Unit, there: Catalogue): Refusal[] {
  const refusals: Refusal[] = []
  const [had, has] = [by(before.constraints), by(after.constraints)]
  const same = (list: typeof before.constraints, relation: number, name: string) => list.some((one) => one.relation === relation && one.name === name)
  const relations = by(after.relations)
  for (const { id, relation, name } of before.constraints) {
    if (!relations.has(relation) || same(after.constraints, relation, name)) continue
    refusals.push({ what: has.has(id) ? `renames the constraint ${name}` : `drops the constraint ${name}`, instead: `${LATER}; to widen it, drop it and add one of the same name in one statement, \`not valid\``, contracts: true })
  }
  const indexesBefore = by(before.indexes)
  for (const { id, relation, name, kind, validated, index } of after.constraints) {
    if (!isLarge(there, relation)) continue
    const where = `${kinds[kind]} ${name} on ${nameOf(after, relation)}`
    if ((kind === 'c' || kind === 'f') && !had.has(id) && validated) {
      refusals.push({ what: `adds the ${where} and looks through the whole table while nobody can write`, instead: 'add it `not valid`, and `validate constraint` in a migration of its own', contracts: false })
    } else if ((kind === 'u' || kind === 'p') && !had.has(id) && !indexesBefore.has(index)) {
      refusals.push({ what: `adds the ${where} and builds its index while nobody can use the table`, instead: '`create unique index concurrently` in a migration with `export const transaction = false`, then `add constraint ... using index`', contracts: false })
    } else if (kind === 'x' && !had.has(id)) {
      refusals.push({ what: `adds the ${where} and builds its index while nobody can use the table`, instead: 'there is no concurrent way: a new table with it, filled in batches', contracts: false })
    }
  }
  return refusals
}

function indexes ({ before, after, concurrent }: Unit, there: Catalogue): Refusal[] {
  const refusals: Refusal[] = []
  const owned = new Set([...before.constraints, ...after.constraints].map(({ index }) => index))
  const relations = by(after.relations)
  for (const { id, relation, name } of before.indexes) {
    if (owned.has(id) || !relations.has(relation) || after.indexes.some((index) => index.id === id)) continue
    if (!after.indexes.some((index) => index.name === name)) refusals.push({ what: `drops the index ${name}, which the statements of the release that runs may need`, instead: LATER, contracts: true })
    if (!concurrent && isLarge(there, relation)) refusals.push({ what: `drops the index ${name} while nobody can use ${nameOf(before, relation)}`, instead: '`drop index concurrently if exists` in a migration with `export const transaction = false`', contracts: false })
  }
  const had = by(before.indexes)
  for (const { id, relation, name, valid } of after.indexes) {
    // One that is only of a partitioned table is not built: it becomes valid when each partition's is attached.
    if (concurrent || had.has(id) || owned.has(id) || !valid || !isLarge(there, relation)) continue
    refusals.push({ what: `builds the index ${name} while nobody can write to ${nameOf(after, relation)}`, instead: '`create index concurrently if not exists` in a migration with `export const transaction = false`; of a partitioned table: `create index on only`, one for each partition concurrently, and attach them', contracts: false })
  }
  return refusals
}

function locks ({ locks, statements }: Unit, there: Catalogue, transaction: boolean): Refusal[] {
  const refusals: Refusal[] = []
  const large = there.relations.filter(({ id, kind, partition }) => (kind === 'r' || kind === 'p') && !partition && isLarge(there, id))
  const held = (mode: string) => large.filter(({ id }) => locks.some((lock) => lock.relation === id && lock.mode === mode)).map(({ name }) => name)
  for (const name of held('RowExclusiveLock')) {
    if (!transaction && statements.every((text) => /\blimit\b/i.test(text))) continue
    refusals.push({ what: `changes rows of ${name}, which may be many, in one transaction`, instead: 'a migration with `export const transaction = false` that changes a thousand rows at a time (`where id in (select ... limit 1000)`) until none is left, or a job', contracts: false })
  }
  const closed = held('AccessExclusiveLock')
  if (closed.length > 1) refusals.push({ what: `closes ${closed.join(' and ')} at once: a request that uses them in another order would be ended as a deadlock`, instead: 'one migration for each table', contracts: false })
  return refusals
}
