/** Whose last time is remembered; when there are more, all are forgotten. */
const MOST_REMEMBERED = 10_000

/**
 * For what is to be noted now and then, not each time.
 * @param periodMs how long it is enough
 * @returns tells whether it is time again for a key, and takes it that it is done then; sooner than it should after many other keys
 */
export function notOftener (periodMs: number): (key: string, now: Date) => boolean {
  const last = new Map<string, number>()
  return (key, now) => {
    const at = now.getTime()
    if (Math.abs(at - (last.get(key) ?? -Infinity)) < periodMs) return false // a clock may also be set back
    if (last.size >= MOST_REMEMBERED) last.clear()
    last.set(key, at)
    return true
  }
}
