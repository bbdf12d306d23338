import { constrainedMemory, cpuUsage, memoryUsage } from 'node:process'
import { getHeapStatistics } from 'node:v8'

/** Bytes; `usagePercent` is of the limit that ends the process, whichever of the two is nearer: the heap's, or the container's. */
export interface Memory { heapUsed: number, heapTotal: number, heapLimit: number, rss: number, external: number, usagePercent: number }
/** Milliseconds since the start, and the share of one core lately. */
export interface Cpu { user: number, system: number, percent: number }

const MEBIBYTE = 1024 * 1024
/**
 * What V8 adds to the old generation's limit for the young one (three semi-spaces of 16 MiB) in `heap_size_limit`. The process
 * dies when the old generation is full: measured at 128 of 176 MiB with `--max-old-space-size=128`, and at 320 of 368 with 320.
 */
const YOUNG_GENERATION = 48 * MEBIBYTE
const hundredths = (value: number) => Math.round(value * 100) / 100

/** What the container allows in bytes, or undefined: without a limit Node says 0 or something beyond any machine. */
function containerLimit (): number | undefined {
  const limit = constrainedMemory()
  return limit > MEBIBYTE && limit < 2 ** 50 ? limit : undefined
}

/** Bytes that the heap may have before the process ends for it. */
export function readHeapLimit (): number {
  return getHeapStatistics().heap_size_limit - YOUNG_GENERATION
}

/** The memory of this process now. Percent of the limit that ends it, not of the heap as it happens to be. */
export function readMemory (): Memory {
  const { heapUsed, heapTotal, rss, external } = memoryUsage()
  const heapLimit = readHeapLimit()
  const limit = containerLimit()
  const share = Math.max(heapUsed / heapLimit, limit === undefined ? 0 : rss / limit)
  return { heapUsed, heapTotal, heapLimit, rss, external, usagePercent: hundredths(share * 100) }
}

/** Reads processor time; the percentage is that of the time since the last reading that is at least a second old. */
export function createCpuReader (now: () => number = () => performance.now()): () => Cpu {
  let last = { at: now(), used: cpuUsage() }
  let percent = 0
  return () => {
    const used = cpuUsage()
    const elapsed = now() - last.at
    if (elapsed >= 1000) {
      percent = hundredths((used.user + used.system - last.used.user - last.used.system) / 10 / elapsed)
      last = { at: now(), used }
    }
    return { user: Math.round(used.user / 1000), system: Math.round(used.system / 1000), percent }
  }
}
