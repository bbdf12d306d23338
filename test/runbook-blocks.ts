/** A fenced block of a page of Markdown, without its indentation. */
export interface Block { language: string, line: number, text: string }

/** One command of a block, and what the page says that it prints. */
export interface Command { text: string, expected?: string }

/** The fenced blocks of a page, in lists too. */
export function blocksOf (markdown: string): Block[] {
  return [...markdown.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)].map(({ index, 1: indent = '', 2: language = '', 3: text = '' }) => ({
    language,
    line: markdown.slice(0, index).split('\n').length,
    text: text.split('\n').map((line) => line.startsWith(indent) ? line.slice(indent.length) : line).join('\n')
  }))
}

/** A page without its fenced blocks. */
export const proseOf = (markdown: string): string => markdown.replace(/^( *)```\w*\n[\s\S]*?^\1```$/gm, '')

/** The commands of a shell block, each with the `# Expected:` that follows it. */
export function commandsOf ({ text }: Block): Command[] {
  const commands: Command[] = []
  let continues = false
  for (const line of text.split('\n')) {
    const last = commands.at(-1)
    if (continues && last !== undefined) last.text += `\n${line}`
    else if (line.startsWith('# Expected: ') && last !== undefined) last.expected = line.slice('# Expected: '.length)
    else if (line.trim() !== '' && !line.startsWith('#')) commands.push({ text: line })
    continues = line.endsWith('\\')
  }
  return commands
}

/** The statements of a block of SQL, each on one line. */
export function statementsOf ({ text }: Block): string[] {
  return text.replace(/^--.*$/gm, '').split(/;\s*$/m).map((statement) => statement.trim().replace(/\s+/g, ' ')).filter(Boolean)
}

/**
 * What is wrong with an output, by what a page says it is: JSON key by key, where `"..."` is anything, or a text, in which `...` is
 * anything.
 * @returns undefined when nothing is
 */
export function differs (expected: string, output: string): string | undefined {
  const wanted = parsed(expected)
  if (wanted === undefined) {
    const pattern = expected.split('...').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(' ', '\\s')).join('[^]*')
    return new RegExp(pattern).test(output) ? undefined : `"${output}" is not "${expected}"`
  }
  const found = parsed(output)
  return found === undefined ? `"${output}" is not JSON` : difference(wanted.value, found.value, '')
}

function parsed (text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function difference (wanted: unknown, found: unknown, at: string): string | undefined {
  if (wanted === '...') return found === undefined ? `${at} is missing` : undefined
  if (typeof wanted !== 'object' || wanted === null) return Object.is(wanted, found) ? undefined : `${at || 'it'} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`
  if (typeof found !== 'object' || found === null || Array.isArray(found) !== Array.isArray(wanted)) return `${at || 'it'} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`
  const keys = new Set([...Object.keys(wanted), ...Object.keys(found)])
  for (const key of keys) {
    const path = `${at}.${key}`
    if (!(key in wanted)) return `${path} is not expected`
    const problem = difference((wanted as Record<string, unknown>)[key], (found as Record<string, unknown>)[key], path)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** The anchors of a page, as GitHub makes them of headings. */
export function anchorsOf (markdown: string): Set<string> {
  const seen = new Map<string, number>()
  return new Set([...proseOf(markdown).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const slug = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-')
    const times = seen.get(slug) ?? 0
    seen.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  }))
}

/** The prose of a section: from its heading to the next of the same or a higher level. */
export function sectionOf (markdown: string, anchor: string): string {
  const lines = proseOf(markdown).split('\n') // a comment of a shell block looks like a heading
  const level = (line: string) => /^(#+) /.exec(line)?.[1]?.length
  const start = lines.findIndex((line) => level(line) !== undefined && anchorsOf(line).has(anchor))
  if (start === -1) return ''
  const length = lines.slice(start + 1).findIndex((line) => (level(line) ?? 9) <= (level(lines[start] ?? '') ?? 0))
  return lines.slice(start, length === -1 ? undefined : start + 1 + length).join('\n')
}

/** The cells of a section's tables that are in the column with this heading, with the rest of their row. */
export function rowsOf (section: string, heading: string): string[][] {
  const rows = section.split('\n').map((line) => line.startsWith('|') ? line.slice(1, line.lastIndexOf('|')).split('|').map((cell) => cell.trim()) : undefined)
  const found: string[][] = []
  for (let inside = false, i = 0; i < rows.length; i++) {
    const row = rows[i]
    if (row === undefined) inside = false
    else if (row[0] === heading) inside = true
    else if (inside && !/^-+$/.test(row[0] ?? '')) found.push(row)
  }
  return found
}
