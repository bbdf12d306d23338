import { createClient } from '@redis/client'
import type { Store } from './store.js'

const CONNECT_MS = 1000
const LONGEST_WAIT_MS = 5000
/** Longer than a window; its number is in the name of the bucket. */
const KEEP_MS = 120_000

/**
 * Counts in Redis, or what speaks its protocol: all buckets in one pipeline, each of which ends with its window. It connects
 * behind the scenes, again and again: nothing waits for a Redis that is away.
 * @param tell hears why it is
 */
export function redisStore (url: string, tell: (error: Error) => void): Store {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, LONGEST_WAIT_MS) }
  })
  client.on('error', tell)
  client.connect().catch(tell)
  return {
    async add (hits) {
      const pipeline = client.multi()
      for (const { bucket, count } of hits) pipeline.incrBy(`eden:rate:${bucket}`, count).pExpire(`eden:rate:${bucket}`, KEEP_MS)
      const replies = await pipeline.execAsPipeline()
      return new Map(hits.map(({ bucket }, i) => [bucket, Number(replies[i * 2])]))
    },
    async close () {
      client.destroy()
    }
  }
}
