/** A stream of random numbers that is the same for the same seed, on every machine. */
export interface Random {
  /** A number in [0, 1). */
  next (): number
  /** A whole number in [min, max], both included. */
  int (min: number, max: number): number
  /** True with the given probability. */
  chance (probability: number): boolean
  /** One of the items; throws when there is none. */
  pick<T> (items: readonly T[]): T
  /** A log-normal number with this median; `spread` is the sigma of its logarithm. */
  around (median: number, spread: number): number
}

/**
 * sfc32, the "small fast counting" generator of Chris Doty-Humphrey's PractRand (public domain): 128 bits of state,
 * passes PractRand to 2^45 bytes, a few 32-bit operations a number. Seeded as its author does: the seed in the state,
 * the counter at 1, and the first rounds thrown away.
 */
export function createRandom (seed: number): Random {
  let a = 0x9e3779b9 | 0
  let b = Math.floor(seed / 0x100000000) | 0
  let c = seed | 0
  let counter = 1
  const next = () => {
    const t = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t | 0
    return (t >>> 0) / 0x100000000
  }
  for (let i = 0; i < 15; i++) next()

  return {
    next,
    int: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => {
      if (items.length === 0) throw new RangeError('nothing to pick from')
      return items[Math.floor(next() * items.length)]!
    },
    // Box-Muller; 1 - x keeps the logarithm off zero.
    around: (median, spread) => median * Math.exp(spread * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()))
  }
}
