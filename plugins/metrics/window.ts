import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

const LONGEST_US = 3_600_000_000
/** Durations between a microsecond and an hour, to three significant digits. */
const newHistogram = (): RecordableHistogram => createHistogram({ lowest: 1, highest: LONGEST_US, figures: 3 })

/** An answer that left; `milliseconds` is undefined where they are those of the client's line, as with a file. */
export interface Answered { isProbe: boolean, failed: boolean, milliseconds: number | undefined }

/** Milliseconds; all zero when nothing was recorded. */
export interface Durations { avg: number, min: number, max: number, p50: number, p95: number, p99: number }

/** What happened in a span of time. `answers` are all there were, `requests` those that no probe asked for, `errors` the ones of these that failed. */
export interface Totals { answers: number, requests: number, errors: number, queries: number, queryErrors: number, queryMilliseconds: number }

interface Slot extends Totals { histogram: RecordableHistogram, sum: number }

const SLOTS = 10
const nothing = (): Totals => ({ answers: 0, requests: 0, errors: 0, queries: 0, queryErrors: 0, queryMilliseconds: 0 })
const newSlot = (): Slot => ({ ...nothing(), histogram: newHistogram(), sum: 0 })
const rounded = (milliseconds: number) => Math.round(milliseconds * 1000) / 1000

function durationsOf (histogram: RecordableHistogram, sum: number): Durations {
  if (histogram.count === 0) return { avg: 0, min: 0, max: 0, p50: 0, p95: 0, p99: 0 }
  const percentile = (rank: number) => histogram.percentile(rank) / 1000
  return { avg: rounded(sum / histogram.count), min: histogram.min / 1000, max: histogram.max / 1000, p50: percentile(50), p95: percentile(95), p99: percentile(99) }
}

/**
 * What happened lately and since the start: counts, and response times in HDR histograms (Node's own). The window is ten
 * slots of which the oldest is thrown away whole: it covers between nine and ten tenths of its length.
 */
export class Recorder {
  readonly seconds: number
  readonly #now: () => number
  readonly #slots: Slot[] = Array.from({ length: SLOTS }, newSlot)
  readonly #merged = newHistogram()
  readonly #sinceStart = newSlot()
  readonly #startedAt: number
  #turn: number

  /**
   * @param seconds how long the window is
   * @param now milliseconds of a clock that never goes back
   */
  constructor (seconds: number, now: () => number = () => performance.now()) {
    this.seconds = seconds
    this.#now = now
    this.#startedAt = now()
    this.#turn = this.#turnOf(this.#startedAt)
  }

  #turnOf (milliseconds: number): number {
    return Math.floor(milliseconds / (this.seconds * 1000 / SLOTS))
  }

  /** The slot of this moment, after emptying those whose time has passed. */
  #slot (): Slot {
    const turn = this.#turnOf(this.#now())
    for (let passed = Math.max(this.#turn + 1, turn - SLOTS + 1); passed <= turn; passed++) {
      const slot = this.#slots[passed % SLOTS] as Slot
      slot.histogram.reset()
      Object.assign(slot, nothing(), { sum: 0 })
    }
    this.#turn = turn
    return this.#slots[turn % SLOTS] as Slot
  }

  answer ({ isProbe, failed, milliseconds }: Answered): void {
    for (const slot of [this.#slot(), this.#sinceStart]) {
      slot.answers++
      if (isProbe) continue
      slot.requests++
      if (failed) slot.errors++
      if (milliseconds === undefined) continue
      slot.sum += milliseconds
      slot.histogram.record(Math.min(Math.max(1, Math.round(milliseconds * 1000)), LONGEST_US))
    }
  }

  query (milliseconds: number, failed: boolean): void {
    for (const slot of [this.#slot(), this.#sinceStart]) {
      slot.queries++
      slot.queryMilliseconds += milliseconds
      if (failed) slot.queryErrors++
    }
  }

  /** Counts of the window, and how many seconds of it there have been. */
  lately (): Totals & { seconds: number } {
    this.#slot()
    const totals = nothing()
    for (const slot of this.#slots) for (const key of Object.keys(totals) as (keyof Totals)[]) totals[key] += slot[key]
    return { ...totals, seconds: Math.max(1, Math.min(this.seconds, (this.#now() - this.#startedAt) / 1000)) }
  }

  /** Response times of the window. */
  durationsLately (): Durations {
    this.#slot()
    this.#merged.reset()
    let sum = 0
    for (const slot of this.#slots) {
      if (slot.histogram.count > 0) this.#merged.add(slot.histogram)
      sum += slot.sum
    }
    return durationsOf(this.#merged, sum)
  }

  /** Response times since the start. */
  durationsSinceStart (): Durations {
    return durationsOf(this.#sinceStart.histogram, this.#sinceStart.sum)
  }
}
