/** What stands before and after a hit in a snippet. No stored text can hold them: control characters are refused. */
export const HIT_BEGINS = '\u0002'
export const HIT_ENDS = '\u0003'

/** What a person typed, taken apart. */
export interface Wish {
  /** For `websearch_to_tsquery`: words, "phrases", or, -without. */
  words: string
  /** The beginning of a word that is perhaps still being typed. */
  beginning?: string
  /** A task's key, typed whole: PS-001-42. */
  key?: { code: string, number: number }
}

/**
 * Takes a search apart. The last word is a beginning (`val` finds valves) unless it stands in a phrase, is left out with a
 * minus, or there is an `or`: then it would bind to one side only.
 */
export function parseWish (q: string): Wish {
  const text = q.trim()
  const [, code, number] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,31})-(\d{1,9})$/.exec(text) ?? []
  const key = code === undefined ? undefined : { code, number: Number(number) }
  const [, before = '', last] = /^(.*?)([\p{L}\p{N}]{2,})$/su.exec(text) ?? []
  const inPhrase = (before.split('"').length - 1) % 2 === 1
  // A hyphen, a dot or the like in front makes it the end of a longer word, which PostgreSQL takes apart itself.
  if (last === undefined || inPhrase || /\S$/.test(before) || /\bor\b/i.test(text)) return { words: text, key }
  return { words: before, beginning: last, key }
}
