/** However many ask, the database is asked at most this often. */
const REUSE_MS = 1000

/**
 * One question for all who ask within a second, and none while one is unanswered: however long a database hangs, these
 * questions hold one connection.
 * @param ask the question; it does not throw, but answers what is wrong
 * @param patienceMs how long one who asks waits
 * @param late what they are told then; it is given for how many milliseconds the answer has been waited for
 */
export function oneQuestion<T> (ask: () => Promise<T>, { patienceMs, late }: { patienceMs: number, late: (milliseconds: number) => T }): () => Promise<T> {
  let at = -Infinity
  let answered = true
  let answer: Promise<T> | undefined
  return () => {
    if (answer === undefined || (answered && performance.now() - at >= REUSE_MS)) {
      at = performance.now()
      answered = false
      answer = ask().finally(() => { answered = true })
    }
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<T>((resolve) => {
      // When this process was busy itself, the answer may lie there unread: it is read before the next turn of the loop.
      timer = setTimeout(() => setImmediate(() => resolve(late(Math.round(performance.now() - at)))), patienceMs)
    })
    return Promise.race([answer, timeout]).finally(() => clearTimeout(timer))
  }
}
