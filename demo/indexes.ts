import pg from 'pg'

/** DDL that takes something away for the time of a load, and the same thing back. */
interface Removable { name: string, drop: string, create: string }

/** How much may be taken away: with referential triggers silent, foreign keys and what they rest on can stay. */
export type Strategy = 'keep foreign keys' | 'drop foreign keys'

/**
 * Drops the indexes and constraints of the big tables that would be kept row by row, which is several times dearer than
 * building them once. In a transaction: a load that does not end leaves the schema as it was.
 * @returns what is to be made again, in order; each is one statement for `client.query`
 */
export async function dropIndexes (client: pg.ClientBase, tables: readonly string[], strategy: Strategy): Promise<Array<{ name: string, create: string }>> {
  const dropped: Removable[] = []
  const take = async (found: Removable[]) => {
    for (const { drop } of found) await client.query(drop)
    dropped.unshift(...found)
  }
  if (strategy === 'drop foreign keys') {
    for (const trigger of await userTriggers(client, tables)) await take([trigger])
    await take(await constraints(client, tables, "contype = 'f'"))
  }
  // A unique constraint stays while a foreign key of any table rests on its index.
  await take(await constraints(client, tables, "contype in ('p', 'u') and not exists (select from pg_constraint f where f.contype = 'f' and f.conindid = c.conindid)"))
  await take(await plainIndexes(client, tables))
  return dropped.map(({ name, create }) => ({ name, create }))
}

async function constraints (client: pg.ClientBase, tables: readonly string[], condition: string): Promise<Removable[]> {
  const { rows } = await client.query<{ name: string, table: string, definition: string }>(
    `select conname as name, conrelid::regclass::text as table, pg_get_constraintdef(oid) as definition
     from pg_constraint c
     where conrelid = any ($1::text[]::regclass[]) and conparentid = 0 and ${condition}
     order by contype desc, conrelid::regclass::text, conname`, [tables])
  return rows.map(({ name, table, definition }) => ({
    name,
    drop: `alter table ${table} drop constraint ${pg.escapeIdentifier(name)}`,
    create: `alter table ${table} add constraint ${pg.escapeIdentifier(name)} ${definition}`
  }))
}

async function plainIndexes (client: pg.ClientBase, tables: readonly string[]): Promise<Removable[]> {
  const { rows } = await client.query<{ name: string, definition: string }>(
    `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
     from pg_index
     where indrelid = any ($1::text[]::regclass[]) and not exists (select from pg_constraint where conindid = indexrelid)
     order by indrelid::regclass::text, indexrelid::regclass::text`, [tables])
  return rows.map(({ name, definition }) => ({
    name,
    drop: `drop index ${name}`,
    // A partitioned table's index is described without its partitions', which are made with it.
    create: definition.replace(/ ON ONLY /, ' ON ')
  }))
}

/** Triggers that look at every row; not those that guard the append-only log, which a load does not offend. */
async function userTriggers (client: pg.ClientBase, tables: readonly string[]): Promise<Removable[]> {
  const { rows } = await client.query<{ name: string, table: string }>(
    `select tgname as name, tgrelid::regclass::text as table from pg_trigger
     where tgrelid = any ($1::text[]::regclass[]) and not tgisinternal and tgparentid = 0 and tgenabled = 'O' and tgtype & 4 = 4
     order by tgname`, [tables])
  return rows.map(({ name, table }) => ({
    name,
    drop: `alter table ${table} disable trigger ${pg.escapeIdentifier(name)}`,
    create: `alter table ${table} enable trigger ${pg.escapeIdentifier(name)}`
  }))
}
