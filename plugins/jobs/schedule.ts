import { Cron } from 'croner'

/** When a job is due. */
export interface Schedule {
  /** The last moment at or before `now` at which it was due. */
  lastSlot: (now: Date) => Date
  /** The next one after it. */
  nextSlot: (now: Date) => Date
}

/**
 * A schedule by the clock on the wall of a time zone. A time that the change to daylight-saving time skips is due at the
 * first moment after the gap; one that the change back repeats is due once, at its first occurrence.
 * @param cron minute, hour, day of the month, month, day of the week
 * @param timezone an IANA name
 * @throws the library's error for a wrong expression, and when first asked in an unknown zone
 */
export function createSchedule (cron: string, timezone: string): Schedule {
  const pattern = new Cron(cron, { timezone, paused: true, mode: '5-part' })
  const some = (slot: Date | null | undefined): Date => {
    if (slot == null) throw new TypeError(`"${cron}" is never due`)
    return slot
  }
  return {
    // What the library calls previous is strictly before.
    lastSlot: (now) => some(pattern.previousRuns(1, new Date(now.getTime() + 1))[0]),
    nextSlot: (now) => some(pattern.nextRun(now))
  }
}
