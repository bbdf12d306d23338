import { createHash, createHmac, type Hash } from 'node:crypto'

/** An entry of the audit log as it is hashed: all of it, as texts that no setting of a session changes. */
export interface HashedRow {
  seq: string
  id: string
  /** Microseconds since 1970. */
  at: string
  event: string
  times: number
  actor_id: string | null
  target_type: string | null
  target_id: string | null
  ip: string | null
  user_agent: string | null
  request_id: string | null
  details: string
}

/** What a seal says of its block: everything after the block before it, up to `last_seq`. */
export interface Seal { no: number, lastSeq: string, events: number, root: Buffer, mac: Buffer | null }

/** The root before the first block. */
export const GENESIS: Buffer = Buffer.alloc(32)

/** The number before every row's, also of one that somebody puts in before the first. */
export const BEFORE_ALL = String(-(2n ** 63n))

/** Columns in the order in which they are hashed. */
const order = ['seq', 'id', 'at', 'event', 'times', 'actor_id', 'target_type', 'target_id', 'ip', 'user_agent', 'request_id', 'details'] as const

/**
 * Hashes the rows of one block, one after the other. Its root is SHA-256 over a label, the root before it, its number, every
 * row as a JSON array (which no other rows give), and how many there were up to where: blocks are a chain.
 */
export class BlockHash {
  readonly #hash: Hash
  readonly #no: number
  #events = 0

  constructor (no: number, previousRoot: Buffer) {
    this.#no = no
    this.#hash = createHash('sha256').update('eden-erp audit block 1\n').update(previousRoot).update(`${no}\n`)
  }

  add (row: HashedRow): void {
    this.#events++
    this.#hash.update(`${JSON.stringify(order.map((column) => row[column]))}\n`)
  }

  /** @param lastSeq where the block ends; @param key signs the root, when there is one */
  seal (lastSeq: string, key?: string): Seal {
    const root = this.#hash.update(`${this.#events} ${lastSeq}\n`).digest()
    return { no: this.#no, lastSeq, events: this.#events, root, mac: key === undefined ? null : macOf(root, key) }
  }
}

/** Only who has the key could have sealed this: the database alone cannot. */
export function macOf (root: Buffer, key: string): Buffer {
  return createHmac('sha256', key).update('eden-erp audit seal 1\n').update(root).digest()
}
