/** Whose last time is remembered; when there are more, all are forgotten. */
const MOST_REMEMBERED = 10_000

/**
 * For what is to be done now and then, not each time: sooner again than it should be only after many other keys.
 * @param periodMs how long once is enough
 */
export function notOftener (periodMs: number) {
  const last = new Map<string, number>()
  return {
    /** Whether it is time again for a key. */
    isDue: (key: string, now: Date): boolean => Math.abs(now.getTime() - (last.get(key) ?? -Infinity)) >= periodMs, // a clock may also be set back
    /** Remembers that it was done for a key. */
    done (key: string, now: Date): void {
      if (last.size >= MOST_REMEMBERED) last.clear()
      last.set(key, now.getTime())
    }
  }
}
