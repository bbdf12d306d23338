import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

export interface SseEvent { id: string, event: string, data: any }

/** A client of server-sent events over a real socket, as the HTML standard parses them (9.2.6), that shows what it got. */
export interface SseClient {
  status: number
  headers: IncomingMessage['headers']
  events: SseEvent[]
  comments: string[]
  /** The id with which it would come back, and how long it would wait. */
  lastId: () => string
  retryMs: () => number | undefined
  /** Resolves when so many events have come, or so many comments; rejects when the stream ends before. */
  until: (enough: () => boolean) => Promise<void>
  /** Resolves when the server ended it; true when in order. */
  ended: Promise<boolean>
  response: IncomingMessage
  cut: () => void
}

export async function listen (app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

export function openSse (port: number, email: string, { lastId, query = '', take = true }: { lastId?: string, query?: string, take?: boolean } = {}): Promise<SseClient> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-dev-email': email, 'accept-encoding': 'gzip', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) }
    const request = get({ host: '127.0.0.1', port, path: `/api/notifications/stream${query}`, headers, agent: false }, (response) => {
      const events: SseEvent[] = []
      const comments: string[] = []
      const waiting = new Set<() => void>()
      let over = false
      let id = ''
      let retry: number | undefined
      let block = { event: '', data: '' }
      let text = ''
      function line (one: string): void {
        if (one === '') {
          if (block.data !== '') events.push({ id, event: block.event, data: JSON.parse(block.data) })
          block = { event: '', data: '' }
        } else if (one.startsWith(':')) comments.push(one)
        else {
          const [, name, value = ''] = /^(\w+): (.*)$/.exec(one) ?? []
          if (name === 'id') id = value
          else if (name === 'event') block.event = value
          else if (name === 'data') block.data += value
          else if (name === 'retry') retry = Number(value)
          else throw new Error(`not a line of a stream: ${one}`)
        }
      }
      const tell = () => { for (const look of waiting) look() }
      response.setEncoding('utf8')
      if (take) {
        response.on('data', (chunk: string) => {
          const lines = (text + chunk).split('\n')
          text = lines.pop() as string // what was cut off in the middle is never seen
          for (const one of lines) line(one)
          tell()
        })
      }
      const ended = new Promise<boolean>((resolve) => {
        response.on('error', () => {})
        response.on('close', () => { over = true; tell(); resolve(response.complete) })
      })
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        events,
        comments,
        lastId: () => id,
        retryMs: () => retry,
        ended,
        response,
        cut: () => request.destroy(),
        until: (enough) => new Promise((resolve, reject) => {
          const look = () => {
            if (!enough() && !over) return
            waiting.delete(look)
            if (enough()) resolve()
            else reject(new Error('the stream ended before'))
          }
          waiting.add(look)
          look()
        })
      })
    })
    request.on('error', reject)
  })
}
