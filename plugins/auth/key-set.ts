import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Clock } from '../settings.js'

/** How old keys may be before others are asked for, in the background: a key that the issuer gave up is refused soon after. */
export const KEYS_AGE_MS = 600_000
/** How long the issuer is left alone after it was asked, whatever tokens say: made-up key ids are not to become requests to it. */
export const COOL_DOWN_MS = 30_000
const TIMEOUT_MS = 5000
const MOST_BYTES = 262_144

/** There are no keys yet, and none can be had: nothing can be said of any token. */
export class NoKeys extends Error {
  override name = 'NoKeys'
}

export interface KeySet {
  /** The key that a token's header names. @throws errors.JWKSNoMatchingKey when there is none such; NoKeys */
  find: JWTVerifyGetKey
  /** Stops asking. */
  close: () => void
}

/** The body of an answer, unless it is larger than any set of keys. */
async function readSome (answer: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function fetchKeys (url: string, signal: AbortSignal): Promise<JWTVerifyGetKey> {
  // Where the keys are is configuration: nobody sends us elsewhere for them.
  const answer = await fetch(url, { redirect: 'error', headers: { accept: 'application/json' }, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) })
  if (answer.status !== 200) throw new Error(`it answered ${answer.status}`)
  const set = JSON.parse(await readSome(answer)) as JSONWebKeySet
  // An issuer without keys signs nothing: that is a mistake there, and the keys that we have are the better guess.
  if (!Array.isArray(set?.keys) || set.keys.length === 0) throw new Error('it has no keys')
  return createLocalJWKSet(set)
}

/**
 * The public keys of an issuer. They are asked for when the first token comes, again in the background once they are old, and
 * again when a token names a key that is not among them; never more often than every 30 seconds, and never twice at once.
 * While the issuer does not answer, or answers rubbish, the last good set is used.
 */
export function createKeySet (url: string, { clock, failed }: { clock: Clock, failed: (error: unknown) => void }): KeySet {
  const end = new AbortController()
  let keys: JWTVerifyGetKey | undefined
  let fetchedAt = -Infinity
  let askedAt = -Infinity
  let asking: Promise<void> | undefined
  // A clock may also be set back.
  const isPast = (since: number, span: number) => Math.abs(clock().getTime() - since) >= span

  async function ask (): Promise<void> {
    askedAt = clock().getTime()
    try {
      keys = await fetchKeys(url, end.signal)
      fetchedAt = clock().getTime()
    } catch (error) {
      if (!end.signal.aborted) failed(error)
    }
  }
  /** Asks, unless that was done a moment ago. */
  async function refresh (): Promise<void> {
    if (asking === undefined && isPast(askedAt, COOL_DOWN_MS)) asking = ask().finally(() => { asking = undefined })
    await asking
  }

  return {
    async find (header, token) {
      if (keys === undefined) await refresh()
      else if (isPast(fetchedAt, KEYS_AGE_MS)) refresh().catch(failed) // nobody waits for it
      if (keys === undefined) throw new NoKeys()
      try {
        return await keys(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await refresh()
        return keys(header, token)
      }
    },
    close: () => end.abort()
  }
}
