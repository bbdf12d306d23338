import pg from 'pg'

/** Table -> hash of all its rows, of every table of ours and of the job queue, in one snapshot. @param snapshot an exported one, of the same database */
export async function hashRows (url: string, snapshot?: string): Promise<Record<string, string>> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    if (snapshot !== undefined) await client.query(`set transaction snapshot '${snapshot}'`)
    // The same text whatever a session's settings are, and whatever order the columns were added in.
    await client.query("set local timezone = 'UTC'")
    const { rows: tables } = await client.query<{ name: string }>(`
      select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'graphile_worker') order by 1`)
    const hashes: Record<string, string> = {}
    for (const { name } of tables) {
      const { rows: [row] } = await client.query<{ hash: string }>(`select count(*) || ' ' || coalesce(md5(string_agg(line, '' order by line collate "C")), '') as hash from (select md5(to_jsonb(t)::text) as line from ${name} t) x`)
      hashes[name] = row!.hash
    }
    return hashes
  } finally {
    await client.end()
  }
}
