import { pipeline, Readable } from 'node:stream'
import { stringify } from 'csv-stringify'
import type { FastifyReply } from 'fastify'

/** What a CSV answer is made of. */
export interface Csv<T> {
  /** The name of the file, without its ending: letters, digits and dashes. */
  name: string
  /** The fields of a row, in their order: they are the header too. */
  columns: readonly string[]
  /** The rows, some at a time: what comes is sent before more is asked for. */
  batches: AsyncIterable<T[]>
}

/**
 * Answers with rows as a file (RFC 4180, UTF-8, CR LF), without holding more than a batch of them. A text that a
 * spreadsheet would take for a formula (it begins with = + - @, a tab or CR) gets an apostrophe in front.
 *
 * What fails before the first batch is answered as a problem; what fails later cuts the connection, so that half a file
 * is never taken for the whole. When the client leaves, no further batch is asked for.
 */
export async function sendCsv<T> (reply: FastifyReply, { name, columns, batches }: Csv<T>): Promise<FastifyReply> {
  const iterator = batches[Symbol.asyncIterator]()
  const first = await iterator.next()

  async function * rows () {
    try {
      for (let batch = first; batch.done !== true; batch = await iterator.next()) yield * batch.value
    } finally {
      await iterator.return?.()
    }
  }
  const csv = stringify({ header: true, columns: [...columns], record_delimiter: '\r\n', escape_formulas: true })
  pipeline(Readable.from(rows()), csv, (error) => {
    if (error != null) reply.log.warn({ err: error }, 'a CSV answer ended early')
  })
  return reply
    .header('content-disposition', `attachment; filename="${name}.csv"`)
    .type('text/csv; charset=utf-8; header=present')
    .send(csv)
}

/** All that is known already, as the one batch of a CSV. */
export async function * oneBatch<T> (rows: T[]): AsyncGenerator<T[]> {
  yield rows
}

/** How much an Accept header wants a media type (RFC 9110, 12.5.1): the quality of the most specific range that names it. */
function qualityOf (accept: string, ranges: readonly string[]): number | undefined {
  const given = new Map(accept.toLowerCase().split(',').map((part) => {
    const [range = '', ...parameters] = part.split(';').map((one) => one.trim())
    const q = parameters.find((one) => one.startsWith('q='))
    return [range, q === undefined ? 1 : Number(q.slice(2)) || 0]
  }))
  return ranges.map((range) => given.get(range)).find((quality) => quality !== undefined)
}

/** Whether an Accept header names CSV, and does not want JSON more, or as much by its own name. */
export function prefersCsv (accept = ''): boolean {
  const csv = qualityOf(accept, ['text/csv']) ?? 0
  const named = qualityOf(accept, ['application/json'])
  const json = named ?? qualityOf(accept, ['application/*', '*/*']) ?? 0
  return csv > json || (csv === json && csv > 0 && named === undefined)
}
