import { hash, parseOptions, verify } from '@node-rs/argon2'
import { Counter, Gauge, type Registry } from 'prom-client'
import { HashesBusy } from '../errors.js'

/** argon2id as OWASP recommends it: 19 MiB, two passes, one thread. The library's default is argon2id, version 19. */
export const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const

/** Verified where there is no hash, so that the work is the same: of a password that nobody has. */
export const DUMMY = '$argon2id$v=19$m=19456,t=2,p=1$ajvOwVIszs4md93wGG9/Ng$mgT+Pci/0fztWT9B9GwxFJGERQlsQlBNku9pGnfrdBA'

export interface Hasher {
  /** @throws HashesBusy when too many wait */
  hash: (password: string) => Promise<string>
  /** Does the same work whether or not there is a hash. @returns false when there is none @throws HashesBusy when too many wait */
  verify: (hash: string | undefined, password: string) => Promise<boolean>
}

/** One password, however it was typed: NFKC, as NIST SP 800-63B has it. */
const bytesOf = (password: string): Buffer => Buffer.from(password.normalize('NFKC'))

/** Whether a hash was made with other parameters than those of now. */
export function isOutdated (encoded: string): boolean {
  const { memoryCost, timeCost, parallelism } = parseOptions(encoded)
  return memoryCost !== PARAMETERS.memoryCost || timeCost !== PARAMETERS.timeCost || parallelism !== PARAMETERS.parallelism
}

/** Runs so many at once and lets so many wait. @throws HashesBusy when no more may wait */
function createQueue (atOnce: number, mostWaiting: number): { run: <T>(work: () => Promise<T>) => Promise<T>, waiting: () => number } {
  const waiting: (() => void)[] = []
  let running = 0
  return {
    waiting: () => waiting.length,
    async run (work) {
      if (running >= atOnce) {
        if (waiting.length >= mostWaiting) throw new HashesBusy()
        await new Promise<void>((resolve) => { waiting.push(resolve) }) // whoever ends hands its place over
      } else {
        running++
      }
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next()
      }
    }
  }
}

/**
 * Hashes passwords in threads, not in the event loop: each takes 19 MiB for a moment, so only a few do at once, and only so
 * many wait. `eden_password_hashes_total` counts them.
 */
export function createHasher ({ atOnce, mostWaiting, registry }: { atOnce: number, mostWaiting: number, registry?: Registry }): Hasher {
  const queue = createQueue(atOnce, mostWaiting)
  const registers = registry === undefined ? [] : [registry]
  const counter = new Counter({ name: 'eden_password_hashes_total', help: 'password hashes that were made or verified', labelNames: ['work'], registers })
  for (const work of ['hash', 'verify']) counter.inc({ work }, 0)
  const waiting: Gauge = new Gauge({ name: 'eden_password_hashes_waiting', help: 'password hashes that wait for their turn', registers, collect: () => waiting.set(queue.waiting()) })
  return {
    hash: (password) => queue.run(() => {
      counter.inc({ work: 'hash' })
      return hash(bytesOf(password), PARAMETERS)
    }),
    verify: async (encoded, password) => await queue.run(() => {
      counter.inc({ work: 'verify' })
      return verify(encoded ?? DUMMY, bytesOf(password))
    }) && encoded !== undefined
  }
}
