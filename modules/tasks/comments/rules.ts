/** A text may name more people than a message should reach. */
const MOST_MENTIONS = 50

/**
 * Whom a text mentions: `@first.last` (the part of their address before the at sign) or `@first.last@company.ca`, in
 * lower case, each once. An at sign inside a word, as in an e-mail address, mentions nobody.
 */
export function mentionsIn (body: string): string[] {
  const found = body.matchAll(/(?<![\p{L}\p{N}._@-])@([\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*(?:@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)?)/gu)
  return [...new Set([...found].map(([, name]) => (name as string).toLowerCase()))].slice(0, MOST_MENTIONS)
}
