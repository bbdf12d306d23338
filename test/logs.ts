import type { FastifyInstance } from 'fastify'

export interface LogLine { level: number, msg: string, [field: string]: any }

/** Takes the log of an app, from now on, instead of letting it go to standard output. @returns the lines so far, as they come */
export function takeLog (app: FastifyInstance): LogLine[] {
  const lines: LogLine[] = []
  divert(app, (line) => { lines.push(JSON.parse(line)) })
  return lines
}

/** The same, as it would be written: byte for byte. */
export function takeRawLog (app: FastifyInstance): string[] {
  const writes: string[] = []
  divert(app, (line) => { writes.push(line) })
  return writes
}

function divert (app: FastifyInstance, write: (line: string) => void): void {
  const log = app.log as unknown as Record<symbol, unknown>
  const symbol = Object.getOwnPropertySymbols(log).find(({ description }) => description === 'pino.stream')
  if (symbol === undefined) throw new Error('the logger keeps its stream elsewhere now')
  log[symbol] = { write } // children inherit it
}
