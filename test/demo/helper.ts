import pg from 'pg'

/** The rows of one statement, on a connection of its own that speaks UTC. */
export async function query (connectionString: string, text: string, values: unknown[] = []): Promise<any[]> {
  const client = new pg.Client({ connectionString, options: '-c timezone=UTC' })
  await client.connect()
  try {
    return (await client.query(text, values)).rows
  } finally {
    await client.end()
  }
}

const tables = ['users', 'user_roles', 'projects', 'project_members', 'project_counters', 'companies', 'contacts', 'tasks', 'ball_holds', 'comments', 'comment_mentions', 'stored_files', 'attachments', 'activity_log', 'notifications', 'event_positions', 'event_cursors', 'event_sequencer']

/** A hash of all rows of each table, whatever their order on disk. */
export async function fingerprint (connectionString: string): Promise<Record<string, string>> {
  const [row] = await query(connectionString, `select ${tables.map((table) => `(select md5(coalesce(string_agg(r::text, ' ' order by r::text), '')) from ${table} r) as ${table}`).join(', ')}`)
  return row
}

/** All that a schema is made of, as text: columns, indexes, constraints and triggers, those of partitions too. */
export async function describeSchema (connectionString: string): Promise<string[]> {
  const rows = await query(connectionString, `
    select format('column %s.%s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated) as line
    from pg_attribute join pg_class on pg_class.oid = attrelid where relnamespace = 'public'::regnamespace and attnum > 0 and relkind in ('r', 'p')
    union all select format('index %s %s %s', pg_get_indexdef(indexrelid), indisvalid, indisclustered) from pg_index join pg_class on pg_class.oid = indexrelid where relnamespace = 'public'::regnamespace
    union all select format('constraint %s.%s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, conindid::regclass) from pg_constraint where connamespace = 'public'::regnamespace
    union all select format('trigger %s %s', pg_get_triggerdef(oid), tgenabled) from pg_trigger where not tgisinternal
    union all select format('key triggers %s %s %s', tgrelid::regclass, tgenabled, count(*)) from pg_trigger where tgisinternal group by tgrelid, tgenabled
    order by 1`)
  return rows.map((row) => row.line)
}
