import { Readable } from 'node:stream'

/** One row of a stream: where it is in the order, and what is sent of it. */
export interface Item { position: number }

export interface LiveStreamOptions<T extends Item> {
  /** The position after which it begins. */
  after: number
  /** What comes after a position, in the order of positions: `batch` of them at most. */
  fetch: (after: number) => Promise<T[]>
  batch: number
  format: (item: T) => string
  heartbeatMs: number
  retryMs: number
  maxAgeMs: number
  /** A batch could not be fetched; `retry` tries again. */
  onError: (error: unknown) => void
  onClose: () => void
}

export interface LiveStream {
  readable: Readable
  /** There may be something new. */
  wake: () => void
  /** Tries again what failed. */
  retry: () => void
  /** Ends it in order: what was begun is sent to its end. */
  end: () => void
}

/** A client that takes nothing has this long to see the end. */
const END_MS = 1000

/**
 * Server-sent events (HTML standard, 9.2) from an ordered store. It asks for the next batch when the client has taken the
 * last one, so that it holds one batch at most; a client that has taken nothing between two heartbeats is dropped. The first
 * block gives an id and no event: a client that is cut off before the first event resumes from there.
 */
export function createLiveStream<T extends Item> ({ after, fetch, batch, format, heartbeatMs, retryMs, maxAgeMs, onError, onClose }: LiveStreamOptions<T>): LiveStream {
  let position = after
  let behind = true // there may be something that was not fetched
  let wanted = true // the client takes what is pushed
  let fetching = false
  let slow = false
  let ended = false

  const push = (text: string) => { wanted = readable.push(text) }
  async function fetchNext (): Promise<void> {
    behind = false
    const items = await fetch(position)
    if (items.length === batch) behind = true
    const last = items.at(-1)
    if (last === undefined || ended) return
    position = last.position
    push(items.map((item) => `id: ${item.position}\n${format(item)}\n\n`).join(''))
  }
  function pump (): void {
    if (!behind || !wanted || fetching || ended) return
    fetching = true
    fetchNext().then(() => {
      fetching = false
      pump()
    }, (error) => {
      fetching = false
      behind = true // until `retry`: at once would be a storm
      onError(error)
    })
  }
  function end (): void {
    if (ended) return
    ended = true
    readable.push(null)
    setTimeout(() => readable.destroy(), END_MS).unref()
  }
  function beat (): void {
    if (ended) return
    if (wanted) {
      slow = false
      push(': still here\n\n')
    } else if (slow) readable.destroy()
    else slow = true
  }

  const heartbeat = setInterval(beat, heartbeatMs)
  const age = setTimeout(end, maxAgeMs)
  heartbeat.unref()
  age.unref()
  const readable = new Readable({
    read () {
      wanted = true
      slow = false
      pump()
    },
    destroy (error, done) {
      ended = true
      clearInterval(heartbeat)
      clearTimeout(age)
      onClose()
      done(error)
    }
  })
  push(`retry: ${retryMs}\nid: ${after}\n\n`)
  return {
    readable,
    retry: () => { pump() },
    end,
    wake () {
      behind = true
      pump()
    }
  }
}
