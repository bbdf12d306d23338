import { commonest } from './common.js'
import { MOST_IN_PASSWORD } from '../schemas.js'

export const LEAST_IN_PASSWORD = 12
/** What has to be left of a password beside what everybody knows of its owner. */
const LEAST_OF_ITS_OWN = 5

const lettersOf = (text: string): string => text.normalize('NFKC').toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')

/** Whether a text repeats a piece of itself, such as `aaaa...` or `abcabc...`, or counts up or down the keys. */
function isPattern (letters: string): boolean {
  if (/^(.{1,4}?)\1+.{0,3}$/u.test(letters)) return true
  return ['01234567890123456789', 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiopasdfghjklzxcvbnm'].some((row) => row.includes(letters) || [...row].reverse().join('').includes(letters))
}

/** Why a new password is not taken; undefined when it is. */
export function passwordProblem (password: string, { email, name }: { email: string, name: string }): string | undefined {
  const length = [...password.normalize('NFKC')].length
  if (length < LEAST_IN_PASSWORD) return `must have at least ${LEAST_IN_PASSWORD} characters`
  if (length > MOST_IN_PASSWORD) return `must have at most ${MOST_IN_PASSWORD} characters`
  const letters = lettersOf(password)
  if (commonest.has(letters) || commonest.has(letters.replace(/\d+$/, '')) || (letters !== '' && isPattern(letters))) return 'is one of those that are tried first'
  const known = [email, email.split('@', 1)[0] as string, name, ...name.split(/\s+/), 'edenerp', 'eden'].map(lettersOf).filter((word) => word.length >= 3).sort((a, b) => b.length - a.length)
  const own = known.reduce((left, word) => left.replaceAll(word, ''), letters)
  if (own !== letters && own.length < LEAST_OF_ITS_OWN) return 'is made of the own name or address'
  return undefined
}
