import { timingSafeEqual } from 'node:crypto'
import type { Db } from '../database/index.js'
import { BEFORE_ALL, BlockHash, GENESIS, macOf, type Seal } from './blocks.js'
import { countAfter, newestSeal, rowsBetween, sealsAfter } from './queries.js'

/** What the audit log was found to be. */
export interface Verification {
  blocks: number
  events: number
  /** What does not agree, in words; empty when all does. */
  problems: string[]
  newest: Seal | undefined
  /** Not sealed yet: nothing would show if these were changed. */
  unsealed: { events: number, oldest: string | null }
}

const SEALS_AT_ONCE = 500
const MOST_PROBLEMS = 20

/** A root that was kept elsewhere: of which block, and what it was. */
export interface KnownRoot { no: number, root: string }

/**
 * Computes every block again and compares it with its seal. What was changed, removed, moved or put in shows in its block; a
 * tail that was cut off together with its seals shows only beside a root that was kept elsewhere.
 * @param known roots kept elsewhere; @param key checks who sealed, when there is one
 */
export async function verifyAudit (db: Db, { known = [], key }: { known?: KnownRoot[], key?: string } = {}): Promise<Verification> {
  const problems: string[] = []
  const roots = new Map(known.map(({ no, root }) => [no, root]))
  const newest = await newestSeal(db)
  let previous: Seal | undefined
  let blocks = 0
  let events = 0
  const wrong = (no: number, what: string) => { if (problems.length < MOST_PROBLEMS) problems.push(`block ${no}: ${what}`) }

  async function check (seal: Seal): Promise<void> {
    const after = previous?.lastSeq ?? BEFORE_ALL
    const block = new BlockHash(seal.no, previous?.root ?? GENESIS)
    for await (const row of rowsBetween(db, after, seal.lastSeq)) block.add(row)
    const found = block.seal(seal.lastSeq)
    if (seal.no !== (previous?.no ?? 0) + 1) wrong(seal.no, `the seal before it is missing, or it is not the first: expected block ${(previous?.no ?? 0) + 1}`)
    else if (found.events !== seal.events) wrong(seal.no, `${found.events} entries up to ${seal.lastSeq}, sealed were ${seal.events}: some were ${found.events < seal.events ? 'removed' : 'put in'}`)
    else if (!found.root.equals(seal.root)) wrong(seal.no, `an entry up to ${seal.lastSeq}, or the seal, was changed`)
    if (key !== undefined && (seal.mac === null || !timingSafeEqual(seal.mac, macOf(seal.root, key)))) wrong(seal.no, 'not sealed with this key')
    const kept = roots.get(seal.no)
    if (kept !== undefined && kept !== seal.root.toString('hex')) wrong(seal.no, `its root is not the one that was kept elsewhere, ${kept}`)
    roots.delete(seal.no)
    blocks++
    events += found.events
    // With the root that is there: one block that does not agree is one problem, not one in each block after it.
    previous = seal
  }
  for (let page: Seal[]; (page = await sealsAfter(db, previous?.no ?? 0, SEALS_AT_ONCE)).length > 0;) {
    for (const seal of page) await check(seal)
  }
  for (const no of roots.keys()) wrong(no, 'is missing: its root was kept elsewhere, so it was there; what came after it may be missing too')
  return { blocks, events, problems, newest, unsealed: await countAfter(db, previous?.lastSeq ?? BEFORE_ALL) }
}
