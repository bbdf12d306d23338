import { createHash } from 'node:crypto'
import type { Store } from './store.js'

/** Whoever is counted here at most: beyond it those that have been here longest go, and begin anew. */
const MOST_KEYS = 100_000
/** A request waits for the store no longer than this. */
const PATIENCE_MS = 1000

interface Counter {
  /** Which window it counts: how many there were since 1970. */
  window: number
  /** What all instances had counted when the store was last asked. */
  known: number
  /** What was counted here since, and is not on its way there. */
  pending: number
  sending: number
}

/** What has been counted, and for how long it counts. */
export interface Count { count: number, resetMs: number }

export interface CounterOptions {
  windowMs: number
  now: () => number
  /** Without one each instance counts for itself. */
  store?: Store
  /** Hears of the first failure of the store, and, with undefined, that it is back. */
  tell: (error: Error | undefined) => void
}

/**
 * Counts in fixed windows of time. What is counted here is known at once; what other instances counted is learned when `sync`
 * exchanges all counts with one question to the store, every second. While the store is away each instance counts for
 * itself, and adds that up when it is back.
 */
export class Counters {
  readonly #options: CounterOptions
  readonly #counters = new Map<string, Counter>()
  readonly #dirty = new Set<string>()
  #swept = 0
  #away = false

  constructor (options: CounterOptions) {
    this.#options = options
  }

  /** Whether counts are shared now. */
  get shared (): boolean {
    return this.#options.store !== undefined && !this.#away
  }

  /** Counts one here. */
  hit (key: string): Count {
    const counter = this.#counterOf(key)
    counter.pending++
    this.#dirty.add(key)
    return this.#countOf(counter)
  }

  /**
   * Counts one and asks the store at once: exact over all instances, for a question each.
   * @param most once there were more than these, nothing is to be learned any more: whoever goes on costs no question
   */
  async hitExactly (key: string, most: number): Promise<Count> {
    const local = this.hit(key)
    if (this.#options.store === undefined || local.count > most) return local
    const totals = await this.#exchange([key])
    // The answer to this very question, not what others have learned meanwhile: of many at once each has a place of its own.
    return { ...local, count: totals?.get(key) ?? local.count }
  }

  /** Exchanges all counts with the store, and forgets windows that are over. Never fails. */
  async sync (): Promise<void> {
    const window = this.#window()
    if (this.#swept !== window) {
      for (const [key, counter] of this.#counters) if (counter.window !== window) this.#forget(key)
      this.#swept = window
    }
    if (this.#dirty.size > 0) await this.#exchange([...this.#dirty])
  }

  /** @returns what all instances have counted by key, or undefined when the store does not answer */
  async #exchange (keys: string[]): Promise<Map<string, number> | undefined> {
    const { store, windowMs } = this.#options
    for (const key of keys) this.#dirty.delete(key)
    if (store === undefined) return undefined
    const sent = keys.flatMap((key) => {
      const counter = this.#counters.get(key)
      if (counter === undefined || counter.pending === 0) return []
      const { window, pending: count } = counter
      counter.sending += count
      counter.pending = 0
      return [{ key, counter, count, bucket: bucketOf(key, window), expiresAt: new Date((window + 1) * windowMs) }]
    })
    if (sent.length === 0) return undefined
    try {
      const totals = await within(PATIENCE_MS, store.add(sent.map(({ bucket, count, expiresAt }) => ({ bucket, count, expiresAt }))))
      // What came back later was not necessarily counted later.
      for (const { counter, bucket } of sent) counter.known = Math.max(counter.known, totals.get(bucket) ?? 0)
      this.#tell(undefined)
      return new Map(sent.map(({ key, bucket }) => [key, totals.get(bucket) ?? 0]))
    } catch (error) {
      for (const { key, counter, count } of sent) {
        counter.pending += count
        this.#dirty.add(key)
      }
      this.#tell(error as Error)
      return undefined
    } finally {
      for (const { counter, count } of sent) counter.sending -= count
    }
  }

  #tell (error: Error | undefined): void {
    const away = error !== undefined
    if (away !== this.#away) this.#options.tell(error)
    this.#away = away
  }

  #window (): number {
    return Math.floor(this.#options.now() / this.#options.windowMs)
  }

  #counterOf (key: string): Counter {
    const window = this.#window()
    const known = this.#counters.get(key)
    if (known?.window === window) return known
    this.#forget(key)
    const counter = { window, known: 0, pending: 0, sending: 0 }
    this.#counters.set(key, counter)
    if (this.#counters.size > MOST_KEYS) this.#forget(this.#counters.keys().next().value as string)
    return counter
  }

  #forget (key: string): void {
    this.#counters.delete(key)
    this.#dirty.delete(key)
  }

  #countOf ({ window, known, pending, sending }: Counter): Count {
    return { count: known + pending + sending, resetMs: (window + 1) * this.#options.windowMs - this.#options.now() }
  }
}

/** Addresses are nobody's business in a store: a bucket has a name of one length that says nothing. */
function bucketOf (key: string, window: number): string {
  return createHash('sha256').update(`${window} ${key}`).digest('base64url').slice(0, 22)
}

async function within<T> (milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
