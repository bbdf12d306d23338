import fp from 'fastify-plugin'
import { sql, type RawBuilder } from 'kysely'
import type pg from 'pg'
import { Gauge } from 'prom-client'
import { createListeningClient } from './database/client.js'

/** Called with what the waker said; with `undefined` when something may have been missed. */
export type Wake = (payload: string | undefined) => void

export interface Wakeups {
  /** Calls back for each NOTIFY on a channel, whichever instance sent it. The first call opens the listening connection. */
  subscribe: (channel: string, wake: Wake) => void
  /** Whether the connection is there and listens. */
  isListening: () => boolean
}

declare module 'fastify' {
  interface FastifyInstance { wakeups: Wakeups }
}

/** The class of the shared advisory locks by which instances that listen to a channel are counted. */
const LISTENS = 0x0ede
/** How many connections of this database listen to a channel, in SQL. */
export const listenersOf = (channel: string): RawBuilder<number> => sql<number>`(select count(*)::int from pg_locks where locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database()) and classid = ${sql.lit(LISTENS)} and objid::bigint = (hashtext(${channel})::bigint & 4294967295) and objsubid = 2)`

const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 30_000

/**
 * PostgreSQL's LISTEN on one connection of this instance, opened when something first waits for it, and again, ever more
 * slowly, whenever it is lost. A wake-up is a hint that saves waiting for a poll, and never the only way to learn of
 * something: whoever waits also polls. With `DB_LISTEN=false`, or behind a transaction pooler, there are none.
 */
export default fp(async function wakeups (app) {
  const { config } = app
  const { url, pooler } = app.connections.sessions
  /** Whether a LISTEN would be heard: unknown before the first connection, and worth one. */
  const mayListen = () => config.DB_LISTEN ?? pooler.mode() !== 'transaction'
  const subscribers = new Map<string, Wake[]>()
  let client: pg.Client | undefined
  let listening = false
  let closing = false
  let failures = 0
  let timer: NodeJS.Timeout | undefined

  // The lock hinders nobody: it is there to be counted, and goes with the connection.
  const listenTo = (connection: pg.Client, channel: string) => connection.query(
    `listen ${connection.escapeIdentifier(channel)}; select pg_advisory_lock_shared(${LISTENS}, hashtext(${connection.escapeLiteral(channel)}))`)

  async function connect (): Promise<void> {
    const connection = createListeningClient(url, config)
    client = connection
    // An error and an end may both tell of one loss: the first counts.
    const lost = (err?: Error) => {
      if (client !== connection) return
      client = undefined
      listening = false
      connection.end().catch(() => {})
      if (closing) return
      const wait = Math.min(FIRST_WAIT_MS * 2 ** failures++, LONGEST_WAIT_MS)
      app.log.warn({ err, wait_ms: wait }, 'the listening connection was lost: streams wake by the poll until it is back')
      // Instances that lost the same server do not all come back at the same moment.
      timer = setTimeout(connect, wait * (0.5 + Math.random() / 2))
      timer.unref()
    }
    connection.on('error', lost)
    connection.on('end', () => lost())
    connection.on('notification', ({ channel, payload }) => {
      for (const wake of subscribers.get(channel) ?? []) wake(payload ?? '')
    })
    try {
      await connection.connect()
      await pooler.find(connection)
      if (!pooler.listens()) {
        client = undefined
        await connection.end()
        app.log.info('a transaction pooler stands between: streams wake by the poll (DATABASE_SESSION_URL would let them listen)')
        return
      }
      for (const channel of subscribers.keys()) await listenTo(connection, channel)
    } catch (err) {
      lost(err as Error)
      return
    }
    if (client !== connection) return
    listening = true
    failures = 0
    // Nobody heard what was said before.
    for (const wake of [...subscribers.values()].flat()) wake(undefined)
  }

  app.decorate('wakeups', {
    isListening: () => listening,
    subscribe (channel, wake) {
      const isNew = !subscribers.has(channel)
      subscribers.set(channel, [...subscribers.get(channel) ?? [], wake])
      if (!mayListen() || closing) return
      if (subscribers.size === 1 && isNew) connect()
      else if (isNew && listening && client !== undefined) listenTo(client, channel).then(() => wake(undefined), () => {})
    }
  })
  const gauge = new Gauge({
    name: 'eden_db_listening',
    help: '1 while this instance has a connection that listens for wake-ups',
    registers: [app.registry],
    collect () { gauge.set(listening ? 1 : 0) }
  })
  app.addHook('onClose', async () => {
    closing = true
    listening = false
    clearTimeout(timer)
    const connection = client
    client = undefined
    await connection?.end().catch(() => {})
  })
}, { name: 'wakeups', dependencies: ['settings', 'database', 'metrics'] })
