import { isUtf8 } from 'node:buffer'
import { fileTypeFromBuffer } from 'file-type'
import { HEAD_BYTES } from '../../../plugins/storage/index.js'

/** The longest name of a file, in bytes of UTF-8: what the file systems of those who download it can take. */
const MAX_NAME_BYTES = 255
/** What may be at the end of a name after its last dot, and is kept when the name is cut. */
const extension = /\.[^.\s]{1,16}$/u

/** Controls, line and paragraph separators, broken surrogates, and what turns the direction of text or is not seen. */
const invisible = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu
/** What Windows does not allow in a name (Microsoft, "Naming Files, Paths, and Namespaces"). */
const forbidden = /[<>:"|?*]/g
const reserved = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?=\s*(\.|$))/i

function cut (name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  const end = extension.exec(name)?.[0] ?? ''
  let rest = MAX_NAME_BYTES - Buffer.byteLength(end)
  let kept = ''
  for (const character of name.slice(0, name.length - end.length)) {
    rest -= Buffer.byteLength(character)
    if (rest < 0) break
    kept += character
  }
  return kept.trimEnd() + end
}

/**
 * A name under which a file can be saved anywhere: the last part of a path, in NFC, without what cannot be seen or what
 * lies about its ending, never one that a system takes for a device or hides.
 */
export function fileName (given: string | undefined): string {
  const last = (given ?? '').normalize('NFC').split(/[/\\]/).at(-1) ?? ''
  const clean = last.replace(invisible, '').replace(forbidden, '_').replace(/^[.\s]+|[.\s]+$/gu, '')
  return cut(reserved.test(clean) ? `_${clean}` : clean) || 'file'
}

/** What text has none of: controls other than tab, line ends and form feed. */
// eslint-disable-next-line no-control-regex
const binary = /[\u0000-\u0008\u000b\u000e-\u001f\u007f]/

/** What is only the beginning of a file may end within a character, of up to four bytes. */
const isText = (head: Buffer): boolean =>
  (head.length < HEAD_BYTES ? [0] : [0, 1, 2, 3]).some((less) => isUtf8(head.subarray(0, head.length - less))) && !binary.test(head.toString())

/** The media type of a file, told from its first bytes. What the client says of it is not asked. */
export async function typeOf (head: Buffer): Promise<string> {
  const known = await fileTypeFromBuffer(head)
  return known?.mime ?? (isText(head) ? 'text/plain' : 'application/octet-stream')
}

const includes = (ranges: string, type: string): boolean =>
  ranges.split(',').some((range) => range === '*/*' || range === type || (range.endsWith('/*') && type.startsWith(range.slice(0, -1))))

/** Whether files of a type are taken: the lists are media types and ranges, separated by commas; an empty one allows any, and denies none. */
export function isTaken (type: string, { allowed, denied }: { allowed: string, denied: string }): boolean {
  return (allowed === '' || includes(allowed, type)) && !includes(denied, type)
}
