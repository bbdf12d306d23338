import { Eta } from 'eta'

/** A line that is a tag alone leaves no line behind. */
const options = { autoTrim: [false, 'nl'] as [false, 'nl'] }
const plain = new Eta({ ...options, autoEscape: false })
const escaping = new Eta({ ...options, autoEscape: true })

/** Compiles an e-mail that says the same in text and in HTML, where everything is escaped. @returns what renders it with its data */
export function compileEmail<T extends object> (text: string, html: string): (data: T) => { text: string, html: string } {
  const [toText, toHtml] = [plain.compile(text), escaping.compile(html)]
  return (data) => ({ text: plain.render(toText, data), html: escaping.render(toHtml, data) })
}
