import fp from 'fastify-plugin'
import { sql } from 'kysely'
import type { Db } from './database/index.js'
import { onNobodysBehalf } from './request-context.js'

/**
 * Handles the events after a consumer's cursor, and moves the cursor in the same statement or transaction as what it
 * writes: an event is handled exactly once, whichever instance does it and wherever one is killed.
 * @param upTo the last position that there is to handle
 */
export type Consumer = (db: Db, upTo: number) => Promise<void>

export interface Events {
  /** A change was committed: number its event and let the consumers see it. Returns at once. */
  poke: () => void
  /** Resolves when what this instance committed so far has reached all consumers. */
  settled: () => Promise<void>
  /** Registers a consumer; called during start. */
  consume: (consumer: Consumer) => void
}

declare module 'fastify' {
  interface FastifyInstance { events: Events }
}

const BATCH = 1000
/** Events of an instance that was killed before it could number them wait at most this long. */
const POLL_MS = 1000

/**
 * Gives up to BATCH committed events their positions: gapless, in the order of the outbox. The lock on the one row of
 * `event_sequencer` makes all instances take turns. A bare sequence would not do: it is not commit order, and a reader
 * that remembers the highest number loses the events of transactions that commit late.
 * @returns how many were numbered, and the last position
 */
export async function numberEvents (db: Db): Promise<{ numbered: number, lastPosition: number }> {
  const { rows: [row] } = await sql<{ numbered: number, last_position: number }>`
    with sequencer as (
      select last_position from event_sequencer for update
    ), batch as (
      -- Whoever waited for the sequencer has an old snapshot: 'for update' passes over what was numbered meanwhile, and goes on.
      delete from event_outbox where seq in (select o.seq from event_outbox o cross join sequencer order by o.seq limit ${BATCH} for update of o)
      returning seq, event_id, event_at
    ), numbered as (
      insert into event_positions (position, event_id, event_at)
      select last_position + row_number() over (order by seq), event_id, event_at from batch cross join sequencer
      returning position
    ), moved as (
      update event_sequencer set last_position = n.last from (select max(position) as last from numbered) n
      where n.last is not null
    )
    select (select count(*) from numbered) as numbered,
      coalesce((select max(position) from numbered), (select last_position from sequencer)) as last_position`.execute(db)
  return { numbered: row?.numbered ?? 0, lastPosition: row?.last_position ?? 0 }
}

/**
 * The one stream of what happened. After each change this instance numbers the new events and runs the consumers; a
 * slow poll does it for events whose writer was killed in between. Changes that come together are handled together.
 */
export default fp(async function events (app) {
  const consumers: Consumer[] = []
  let running: Promise<void> | undefined
  let again = false
  let closing = false

  async function pass (): Promise<void> {
    try {
      let step
      do {
        step = await numberEvents(app.db)
        for (const consume of consumers) await consume(app.db, step.lastPosition)
      } while (step.numbered === BATCH)
    } catch (err) {
      app.log.warn({ err }, 'events wait: they will be handled at the next try')
    }
  }
  function poke (): void {
    if (running !== undefined) again = true
    else if (!closing) {
      running = onNobodysBehalf(pass).finally(() => {
        running = undefined
        if (again) { again = false; poke() }
      })
    }
  }
  async function settled (): Promise<void> {
    // The pass that runs may have begun before the last change: then there is one more to wait for, and no more than that,
    // however many changes follow.
    const oneMore = again
    await running
    if (oneMore) await running
  }

  app.decorate('events', { poke, settled, consume: (consumer) => { consumers.push(consumer) } })
  // Before the answer leaves: who reads right after a change finds it on its way.
  app.addHook('onSend', async (request, reply) => {
    if (request.method !== 'GET' && request.method !== 'HEAD' && reply.statusCode < 400) poke()
  })
  const poll = setInterval(poke, POLL_MS)
  poll.unref()
  app.addHook('onClose', async () => {
    clearInterval(poll)
    closing = true
    again = false
    await settled()
  })
}, { name: 'events', dependencies: ['database'] })
