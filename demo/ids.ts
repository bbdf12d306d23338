/**
 * What every id of the demo company looks like, as a pattern for LIKE over `id::text`: a UUIDv7 whose fourth group is
 * `85ee` and whose fifth begins with `d5eed`. An id that the service made has this mark once in 2^34.
 */
export const seedIdPattern = '________-____-7___-85ee-d5eed_______'

/** The SQL condition that an id column or expression holds an id made by the demo generator. */
export const isSeedId = (expression: string): string => `${expression}::text like '${seedIdPattern}'`

/** Makes an id for a moment (Unix ms). */
export type MakeId = (at: number) => string

/**
 * Ids that are unique within one load: 12 random-looking bits and 28 of a counter, which is room for 268 million rows.
 * The time is real (RFC 9562, version 7), so that ids sort as rows were made.
 */
export function createIdMaker (): MakeId {
  let count = 0
  let lastAt = -1
  let lastTime = ''
  return (at) => {
    count++
    if (count > 0xfffffff) throw new RangeError('too many rows for one load')
    if (at !== lastAt) {
      const hex = at.toString(16).padStart(12, '0')
      lastTime = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
      lastAt = at
    }
    // rand_a carries the counter's low bits first: ids of one millisecond sort in the order they were made.
    return `${lastTime}${(0x1000 + (count & 0xfff)).toString(16).slice(1)}-85ee-d5eed${(0x10000000 + count).toString(16).slice(1)}`
  }
}
