import type { FastifyInstance } from 'fastify'
import { Gauge } from 'prom-client'
import { CHANNEL as RIGHTS_CHANNEL, EVERYBODY } from '../../plugins/auth/actors.js'
import { onNobodysBehalf } from '../../plugins/request-context.js'
import { ALL, CHANNEL } from './consumer.js'
import { whoWasTold } from './queries.js'
import type { LiveStream } from './streams.js'

export interface Hub {
  /** Takes one of a person's places, or returns undefined when they have no more. The place is given back once. */
  place: (userId: string) => { enter: (stream: LiveStream) => void, leave: () => void } | undefined
  /** There is something new for these people. */
  told: (users: string[]) => void
  /** Does the work when it is its turn. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
}

/** One stream's, from before it is there: `over` when it is to end as soon as it is. */
interface Place { stream?: LiveStream, over?: boolean }

/** Connections of the pool that streams use at once: a wake-up for many leaves the rest for requests. */
const AT_ONCE = 2

/**
 * The open streams of this instance. They wake by what this instance wrote, by NOTIFY from any other, and by a poll, one
 * statement for all streams, that finds what neither told them. When the rights of a person are changed, or a session of theirs
 * ends, their streams end.
 */
export function createHub (app: FastifyInstance): Hub {
  const { config } = app
  const places = new Map<string, Set<Place>>()
  let polled: number | undefined
  let polling = false
  let poll: NodeJS.Timeout | undefined
  let subscribed = false
  let closing = false

  const streamsOf = (set: Iterable<Place>) => [...set].map(({ stream }) => stream).filter((stream) => stream !== undefined)
  const all = () => [...places.values()].flatMap(streamsOf)
  const told = (users: Iterable<string>) => {
    for (const id of users) for (const stream of streamsOf(places.get(id) ?? [])) stream.wake()
  }

  /** Who comes back is asked again who they are, and resumes where they were. */
  function endAt (set: Iterable<Place>): void {
    for (const place of set) {
      place.over = true
      place.stream?.end()
    }
  }

  async function look (): Promise<void> {
    for (const stream of all()) stream.retry()
    if (polling || places.size === 0) return
    polling = true
    try {
      const { cursor, users, gone } = await inTurn(() => whoWasTold(app.db, { users: [...places.keys()], after: polled }))
      polled = cursor
      told(users)
      for (const id of gone) endAt(places.get(id) ?? [])
    } catch (err) {
      app.log.debug({ err }, 'live streams could not look: they will again')
    } finally {
      polling = false
    }
  }

  let running = 0
  const queue: (() => void)[] = []
  async function inTurn<T> (work: () => Promise<T>): Promise<T> {
    if (running >= AT_ONCE) await new Promise<void>((resolve) => queue.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = queue.shift()
      if (next === undefined) running--
      else next()
    }
  }

  function start (): void {
    poll ??= setInterval(look, config.STREAM_POLL_MS).unref()
    if (subscribed) return
    subscribed = true
    app.wakeups.subscribe(CHANNEL, (payload) => {
      if (payload === undefined || payload === ALL) for (const stream of all()) stream.wake()
      else told(payload.split(','))
    })
    app.wakeups.subscribe(RIGHTS_CHANNEL, (payload) => {
      if (payload === EVERYBODY) for (const set of places.values()) endAt(set)
      else if (payload !== undefined) endAt(places.get(payload) ?? [])
    })
  }

  const gauge = new Gauge({
    name: 'eden_notification_streams',
    help: 'live streams of notifications that are open',
    registers: [app.registry],
    collect () { gauge.set([...places.values()].reduce((sum, { size }) => sum + size, 0)) }
  })
  // Before the server waits for its requests to end: an open stream never would.
  app.addHook('preClose', async () => {
    closing = true
    clearInterval(poll)
    for (const stream of all()) stream.end()
  })

  return {
    told,
    inTurn,
    place (userId) {
      const mine = places.get(userId) ?? new Set()
      if (mine.size >= config.STREAMS_PER_PERSON) return undefined
      const place: Place = {}
      places.set(userId, mine.add(place))
      onNobodysBehalf(start) // it goes on when this stream has ended
      return {
        enter (stream) {
          place.stream = stream
          if (closing || place.over === true) stream.end()
        },
        leave () {
          mine.delete(place)
          if (mine.size === 0 && places.get(userId) === mine) places.delete(userId)
          if (places.size > 0) return
          clearInterval(poll)
          poll = undefined
          polled = undefined
        }
      }
    }
  }
}
