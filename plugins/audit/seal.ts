import type { Db } from '../database/index.js'
import { BEFORE_ALL, BlockHash, GENESIS, type Seal } from './blocks.js'
import { endOfBlock, insertSeal, newestSeal, rowsBetween, settledUpTo } from './queries.js'

/** Few enough that a block that does not agree says where to look; many enough that there are few. */
export const BLOCK_ROWS = 1000

/**
 * Seals what was put on record since the last seal, in blocks. May be cut off anywhere: what is not sealed is sealed next
 * time, and of two that seal at once one wins.
 * @param key signs each root, when there is one
 * @param onSeal told of each seal, so that its root can be kept elsewhere
 */
export async function sealAudit (db: Db, { key, signal, onSeal }: { key?: string, signal?: AbortSignal, onSeal: (seal: Seal) => void }): Promise<{ blocks: number, events: number }> {
  const done = { blocks: 0, events: 0 }
  const settled = await settledUpTo(db)
  let previous = await newestSeal(db)
  while (BigInt(settled) > BigInt(previous?.lastSeq ?? 0) && signal?.aborted !== true) {
    const after = previous?.lastSeq ?? BEFORE_ALL
    const end = await endOfBlock(db, after, settled, BLOCK_ROWS)
    const block = new BlockHash((previous?.no ?? 0) + 1, previous?.root ?? GENESIS)
    for await (const row of rowsBetween(db, after, end)) block.add(row)
    const seal = block.seal(end, key)
    if (!await insertSeal(db, seal)) break
    onSeal(seal)
    done.blocks++
    done.events += seal.events
    previous = seal
  }
  return done
}
