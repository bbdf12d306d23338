import type { FastifyInstance } from 'fastify'

export interface LogLine { level: number, msg: string, [field: string]: any }

/** Takes the log of an app, from now on, instead of letting it go to standard output. @returns the lines so far, as they come */
export function takeLog (app: FastifyInstance): LogLine[] {
  const lines: LogLine[] = []
  const log = app.log as unknown as Record<symbol, unknown>
  const symbol = Object.getOwnPropertySymbols(log).find(({ description }) => description === 'pino.stream')
  if (symbol === undefined) throw new Error('the logger keeps its stream elsewhere now')
  log[symbol] = { write: (line: string) => { lines.push(JSON.parse(line)) } } // children inherit it
  return lines
}
