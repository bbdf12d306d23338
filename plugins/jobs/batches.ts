/** Rows of one statement of a clean-up: it never holds many locks, nor for long. */
export const BATCH = 5000

/**
 * Repeats a statement that takes up to BATCH rows until it takes fewer, or the service ends.
 * @param take does one statement and returns how many rows it took
 * @returns how many in all
 */
export async function inBatches (take: () => Promise<number>, signal?: AbortSignal): Promise<number> {
  let [total, taken] = [0, BATCH]
  while (taken === BATCH && signal?.aborted !== true) {
    taken = await take()
    total += taken
  }
  return total
}
