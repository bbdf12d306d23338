import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

const CHECKSUM = 6
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function base62 (value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= 62n) text = (digits[Number(rest % 62n)] as string) + text
  return text
}

const numberOf = (text: string): bigint => [...text].reduce((value, digit) => value * 62n + BigInt(digits.indexOf(digit)), 0n)
const checksum = (text: string): string => base62(BigInt(crc32(text)), CHECKSUM)

/** The hash of a token, which is what the database keeps of it. Its secret is random, so that a fast hash does. */
const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

/**
 * Tokens of one kind: a prefix, the id of a row, a secret of 190 bits, and a checksum of all that. docs/tokens.md has it for
 * scanners.
 * @param prefix what every token of the kind begins with, and scanners for leaked secrets look for
 */
export function secretTokens (prefix: string) {
  const form = new RegExp(`^${prefix}([0-9A-Za-z]{22})_[0-9A-Za-z]{32}([0-9A-Za-z]{6})$`)
  return {
    /** A new token for the row of this id. @param id a UUID @returns it, to be shown once, and its hash, to be kept */
    make (id: string): { token: string, hash: Buffer } {
      // 32 digits of 62 hold 190 bits: of 256 random ones, what is over is left out.
      const unsigned = `${prefix}${base62(BigInt(`0x${id.replaceAll('-', '')}`), 22)}_${base62(BigInt(`0x${randomBytes(32).toString('hex')}`), 32)}`
      const token = unsigned + checksum(unsigned)
      return { token, hash: hashOf(token) }
    },
    /** What a token says of itself; undefined when it is mistyped, cut off or made up: the database is not asked then. */
    read (token: string): { id: string, hash: Buffer } | undefined {
      const [, row, sum] = form.exec(token) ?? []
      if (row === undefined || sum !== checksum(token.slice(0, -CHECKSUM))) return undefined
      const hex = numberOf(row).toString(16).padStart(32, '0')
      if (hex.length > 32) return undefined // 22 digits hold a little more than 128 bits
      return { id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), hash: hashOf(token) }
    }
  }
}
