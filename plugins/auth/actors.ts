import { randomUUID } from 'node:crypto'
import fp from 'fastify-plugin'
import { sql } from 'kysely'
import { Counter } from 'prom-client'
import { LruMap } from 'toad-cache'
import { onNobodysBehalf } from '../request-context.js'
import { listenersOf } from '../wakeups.js'
import { findActor, type Actor, type Proof } from './actor.js'

/** Where the database tells whose rights were changed: the id of a person, or `*`. Triggers send it (`tell_rights_changed`). */
export const CHANNEL = 'eden_rights'
export const EVERYBODY = '*'
/** Who asks whether all have heard what was said before, and what each answers: notifications come in the order of commits. */
const ASKED = 'asked:'
const HEARD = 'heard:'

const MOST_PEOPLE = 5000
/** Sessions of one person that are known at once. */
const MOST_PROOFS = 20
/** For what is not heard in spite of all: a connection that hangs, a trigger that somebody took away. */
const LONGEST_MS = 60_000
const LONGEST_WAIT_MS = 250

/** A question that waits for the answers of all instances that listen. */
interface Question { answers: number, wanted: number, done: () => void }

export interface Actors {
  /** The active person whom a proof names, with what they may do: remembered while this instance hears of changes. */
  find: (proof: Proof) => Promise<Actor | undefined>
  /** Waits, not for long, until all instances have heard of whatever was committed before: the next request finds it. */
  settled: () => Promise<void>
}

declare module 'fastify' {
  interface FastifyInstance { actors: Actors }
}

/**
 * Remembers who may do what, so that not each request asks the database. What was changed is forgotten when the database
 * says so; while this instance does not listen, nothing is remembered and each request asks. Development headers, which
 * name people by their addresses, always ask.
 */
export default fp(async function actors (app) {
  const known = new LruMap<Map<string, Actor>>(MOST_PEOPLE, LONGEST_MS)
  const questions = new Map<string, Question>()
  /** Counts what was heard: what was looked up meanwhile may be old already, and is not remembered. */
  let heard = 0
  let subscribed = false
  let listens = false
  const isOn = () => listens && app.wakeups.isListening()

  const say = (word: string) => sql`select pg_notify(${CHANNEL}, ${word})`.execute(app.db)

  function answered (id: string): void {
    const question = questions.get(id)
    if (question !== undefined && ++question.answers >= question.wanted) question.done()
  }
  function hear (payload: string | undefined): void {
    if (payload?.startsWith(ASKED) === true) {
      const id = payload.slice(ASKED.length)
      if (questions.has(id)) answered(id)
      else onNobodysBehalf(() => say(HEARD + id)).catch((err) => app.log.warn({ err }, 'another instance waits in vain to hear that rights were changed'))
      return
    }
    if (payload?.startsWith(HEARD) === true) {
      answered(payload.slice(HEARD.length))
      return
    }
    heard++
    listens = true
    if (payload === undefined || payload === EVERYBODY) known.clear()
    else known.delete(payload)
  }
  /** The listening connection is opened by the first who could be remembered, and stays. */
  function subscribe (): void {
    if (subscribed) return
    subscribed = true
    onNobodysBehalf(() => app.wakeups.subscribe(CHANNEL, hear))
  }

  const lookups = new Counter({ name: 'eden_actor_lookups_total', help: 'requests that asked who may do what: remembered (hit), asked of the database (miss), or not to be remembered (off)', labelNames: ['result'], registers: [app.registry] })
  for (const result of ['hit', 'miss', 'off']) lookups.inc({ result }, 0)

  async function find (proof: Proof): Promise<Actor | undefined> {
    if ('id' in proof.by) subscribe()
    if (!('id' in proof.by) || !isOn()) {
      lookups.inc({ result: 'off' })
      return findActor(app.db, proof)
    }
    const id = proof.by.id.toLowerCase()
    const key = proof.sessionId ?? ''
    const remembered = known.get(id)?.get(key)
    if (remembered !== undefined && (remembered.until === undefined || new Date(remembered.until) > new Date())) {
      lookups.inc({ result: 'hit' })
      return remembered
    }
    lookups.inc({ result: 'miss' })
    const before = heard
    const actor = await findActor(app.db, proof)
    if (actor === undefined || heard !== before || !isOn()) return actor
    Object.freeze(actor.permissions)
    const proofs = known.get(id)
    if (proofs === undefined || proofs.size >= MOST_PROOFS) known.set(id, new Map([[key, Object.freeze(actor)]]))
    else proofs.set(key, Object.freeze(actor))
    return actor
  }

  async function settled (): Promise<void> {
    subscribe()
    const id = randomUUID()
    let timer: NodeJS.Timeout | undefined
    const all = new Promise<void>((resolve) => {
      questions.set(id, { answers: 0, wanted: Infinity, done: resolve })
      timer = setTimeout(resolve, LONGEST_WAIT_MS)
    })
    try {
      const { rows: [row] } = await sql<{ listeners: number }>`select pg_notify(${CHANNEL}, ${ASKED + id}), ${listenersOf(CHANNEL)} as listeners`.execute(app.db)
      const question = questions.get(id) as Question
      // Who does not listen remembers nothing; an instance alone that does not listen itself hears no answers either.
      question.wanted = isOn() ? row?.listeners ?? 0 : 0
      if (question.answers >= question.wanted) question.done()
      await all
    } catch (err) {
      app.log.warn({ err }, 'a change of rights is done, but could not be waited for')
    } finally {
      clearTimeout(timer)
      questions.delete(id)
    }
  }

  app.decorate('actors', { find, settled })
}, { name: 'actors', dependencies: ['database', 'metrics', 'wakeups'] })
