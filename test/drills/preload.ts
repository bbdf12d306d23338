/**
 * Loaded into a service before its own code (`--import`): lets a test fill and free its heap by messages, for which there is no
 * route and should be none; and makes its clock (`Date`, not the timers) run DRILL_CLOCK_TIMES times faster from the start.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { readHeapLimit } from '../../plugins/metrics/system.js'

/** What a test asks for: so much of the heap's limit in use, from 0 to 1; 0 frees what was filled. */
export interface Request { heapShare: number }

const NUMBERS_IN_A_MEBIBYTE = 131_072
const RealDate = Date
const held: number[][] = []
const startedAt = RealDate.now()
const times = Number(process.env['DRILL_CLOCK_TIMES'] ?? 1)
const now = () => startedAt + (RealDate.now() - startedAt) * times

globalThis.Date = class extends RealDate {
  constructor (...given: unknown[]) {
    if (given.length === 0) super(now())
    else super(...given as [number])
  }

  static override now (): number {
    return now()
  }
} as DateConstructor

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function fillTo (share: number): Promise<void> {
  held.length = 0
  collectGarbage()
  for (let missing = (share * readHeapLimit() - process.memoryUsage().heapUsed) / 1024 / 1024; missing > 0; missing--) {
    held.push(new Array<number>(NUMBERS_IN_A_MEBIBYTE).fill(0.5))
    if (held.length % 16 === 0) await pause(1) // it is the heap that is to be full, not the event loop
  }
}

process.on('message', async ({ heapShare }: Request) => fillTo(heapShare))
// It must not keep the service alive when that wants to end.
process.channel?.unref()
