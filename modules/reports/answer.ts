import { Type, type Static, type TObject } from 'typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { oneBatch, prefersCsv, sendCsv } from '../shared/csv.js'
import { OneOf, problems, ref } from '../shared/schemas.js'

/** How every report may be asked for. */
export const formatParameter = {
  format: Type.Optional(OneOf(['json', 'csv'], { description: 'CSV has all rows, and the same fields; `Accept: text/csv` asks for it too' }))
}

/** What every report answers with: a list, or a file. */
export const reportAnswers = <T extends TObject>(row: T) => ({
  200: {
    description: 'the lines of the report; as CSV (RFC 4180, UTF-8) with a header of the field names, where a text that a spreadsheet would take for a formula begins with an apostrophe',
    headers: { 'content-disposition': { type: 'string', description: 'of CSV: the name of the file' } },
    content: { 'application/json': { schema: Type.Array(ref(row)) }, 'text/csv': { schema: Type.String() } }
  },
  ...problems
})

/** Whether a file is asked for: `format` decides, else the Accept header. */
export function wantsCsv ({ query, headers }: FastifyRequest, reply: FastifyReply): boolean {
  const { format } = query as { format?: 'json' | 'csv' }
  reply.header('vary', 'Accept')
  return format === undefined ? prefersCsv(headers.accept) : format === 'csv'
}

/** The file's columns are the fields of the schema, so that both forms of a report say the same. Who took one away is on record. */
export function reportCsv<T extends TObject> (reply: FastifyReply, name: string, row: T, batches: AsyncIterable<Static<T>[]>) {
  reply.server.security(reply.request, 'exported', { report: name })
  return sendCsv(reply, { name, columns: Object.keys(row.properties), batches })
}

/** Answers with the lines of a report that are all at hand, in the form that was asked for. */
export async function sendReport<T extends TObject> (request: FastifyRequest, reply: FastifyReply, { name, row, lines }: { name: string, row: T, lines: Static<T>[] }): Promise<Static<T>[]> {
  // A handler may return the reply that it has sent; the types of Fastify know only the lines.
  return wantsCsv(request, reply) ? reportCsv(reply, name, row, oneBatch(lines)) as never : lines
}
