import { sql } from 'kysely'
import type { Db } from '../database/index.js'
import type { HashedRow, Seal } from './blocks.js'

const BATCH = 5000

/** The rows after one number up to another, in batches; all as texts that no setting changes, in the order of the numbers. */
export async function * rowsBetween (db: Db, after: string, upTo: string): AsyncGenerator<HashedRow> {
  for (let last = after; ;) {
    const { rows } = await sql<HashedRow>`
      select seq::text, id::text, (extract(epoch from at) * 1000000)::bigint::text as at, event, times, actor_id::text, target_type, target_id,
        case when masklen(ip) in (32, 128) then host(ip) else ip::text end as ip, user_agent, request_id, details::text
      from audit_events e where seq > ${last} and seq <= ${upTo} order by e.seq limit ${BATCH}`.execute(db)
    yield * rows
    if (rows.length < BATCH) return
    last = (rows.at(-1) as HashedRow).seq
  }
}

/** The seals after a block, in order. */
export async function sealsAfter (db: Db, no: number, limit: number): Promise<Seal[]> {
  const { rows } = await sql<{ no: string, last_seq: string, events: string, root: Buffer, mac: Buffer | null }>`
    select no::text, last_seq::text, events::text, root, mac from audit_seals s where no > ${no} order by s.no limit ${limit}`.execute(db)
  return rows.map(({ no, last_seq: lastSeq, events, root, mac }) => ({ no: Number(no), lastSeq, events: Number(events), root, mac }))
}

/** The newest seal. */
export async function newestSeal (db: Db): Promise<Seal | undefined> {
  const { rows: [seal] } = await sql<{ no: string }>`select max(no)::text as no from audit_seals`.execute(db)
  return seal?.no == null ? undefined : (await sealsAfter(db, Number(seal.no) - 1, 1))[0]
}

/**
 * The last number below which nothing will come any more: a number is given before its row is committed, and whoever holds
 * one holds the table too. For as long as it takes to look, nobody writes.
 */
export async function settledUpTo (db: Db): Promise<string> {
  return db.transaction().execute(async (trx) => {
    // Writers behind this one wait for it, and it for those before: not for long.
    await sql`set local lock_timeout = '500ms'`.execute(trx)
    await sql`lock table audit_events in share mode`.execute(trx)
    const { rows: [row] } = await sql<{ last: string }>`select coalesce(max(seq), 0)::text as last from audit_events`.execute(trx)
    return row?.last ?? '0'
  })
}

/** Where a block that begins after a number ends: after so many rows, or where all is settled. */
export async function endOfBlock (db: Db, after: string, settled: string, rows: number): Promise<string> {
  const { rows: [row] } = await sql<{ last: string }>`
    select coalesce((select seq from audit_events where seq > ${after} and seq <= ${settled} order by seq offset ${rows - 1} limit 1), ${settled}::bigint)::text as last`.execute(db)
  return row?.last ?? settled
}

export async function countAfter (db: Db, seq: string): Promise<{ events: number, oldest: string | null }> {
  const { rows: [row] } = await sql<{ events: number, oldest: string | null }>`select count(*)::float8 as events, to_json(min(at)) #>> '{}' as oldest from audit_events where seq > ${seq}`.execute(db)
  return row ?? { events: 0, oldest: null }
}

/** @returns whether it was this one: another instance may have been faster with the same block */
export async function insertSeal (db: Db, { no, lastSeq, events, root, mac }: Seal): Promise<boolean> {
  const { rows } = await sql`
    insert into audit_seals (no, last_seq, events, root, mac) values (${no}, ${lastSeq}, ${events}, ${root}, ${mac}) on conflict do nothing returning no`.execute(db)
  return rows.length > 0
}
