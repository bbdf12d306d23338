/** A source of chance that a number repeats (mulberry32). */
export interface Random {
  /** From 0 up to, and without, 1. */
  next: () => number
  /** A whole number from 0 up to, and without, `below`. */
  below: (below: number) => number
  chance: (probability: number) => boolean
  pick: <T>(list: readonly T[]) => T
}

/** @param seed of the run @param turn of the request: each has a source of its own, so that nothing it draws moves the next */
export function randomOf (seed: number, turn: number): Random {
  let state = (Math.imul(seed, 0x9E3779B1) ^ Math.imul(turn + 1, 0x85EBCA6B)) >>> 0
  const next = () => {
    state = (state + 0x6D2B79F5) | 0
    let t = Math.imul(state ^ state >>> 15, 1 | state)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return ((t ^ t >>> 14) >>> 0) / 4294967296
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return { next, below, chance: (probability) => next() < probability, pick: (list) => list[below(list.length)] as never }
}
