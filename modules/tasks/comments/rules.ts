/** A text may name more people than a message should reach. */
const MOST_MENTIONS = 50

/** A paragraph without its code spans (CommonMark 0.31.2, 6.1): from a run of backticks to the next of the same length. */
function withoutSpans (text: string): string {
  const runs = [...text.matchAll(/`+/g)]
  const byLength = new Map<number, number[]>() // the last first, so that what lies behind is popped once
  for (const [n, [run]] of [...runs.entries()].reverse()) {
    const same = byLength.get(run.length)
    if (same === undefined) byLength.set(run.length, [n])
    else same.push(n)
  }
  let prose = ''
  let end = 0
  for (let n = 0; n < runs.length; n++) {
    const { 0: run, index } = runs[n] as RegExpExecArray
    const same = byLength.get(run.length) ?? []
    while ((same.at(-1) ?? n + 1) <= n) same.pop()
    const close = same.at(-1)
    if (close === undefined || text[index - 1] === '\\') continue
    prose += `${text.slice(end, index)}\``
    end = (runs[close] as RegExpExecArray).index + run.length
    n = close
  }
  return prose + text.slice(end)
}

/** What a text says itself: without fenced code blocks (CommonMark 0.31.2, 4.5), in quotations too, and code spans. */
function withoutCode (body: string): string {
  const prose: string[] = []
  let fence: string | undefined
  for (const line of body.split(/\r\n|\n|\r/)) {
    const [, marks, rest = ''] = /^[\s>]*(`{3,}|~{3,})([^]*)$/.exec(line) ?? []
    if (fence !== undefined) fence = marks?.startsWith(fence) === true && rest.trim() === '' ? undefined : fence
    else if (marks === undefined || (marks.startsWith('`') && rest.includes('`'))) prose.push(line)
    else fence = marks
  }
  return prose.join('\n').split(/\n\s*\n/).map(withoutSpans).join('\n\n')
}

/**
 * Whom a text mentions: `@first.last` (the part of their address before the at sign) or `@first.last@company.ca`, in
 * lower case, each once. An at sign inside a word, as in an e-mail address or a URL, mentions nobody, nor does one in code.
 */
export function mentionsIn (body: string): string[] {
  const found = withoutCode(body).matchAll(/(?<![\p{L}\p{N}._@/-])@([\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*(?:@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)?)/gu)
  return [...new Set([...found].map(([, name]) => (name as string).toLowerCase()))].slice(0, MOST_MENTIONS)
}
