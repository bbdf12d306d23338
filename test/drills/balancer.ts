import { Agent, createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

const PROBE_EVERY_MS = 100
const PROBE_TIMEOUT_MS = 2000
/** So many answers in a row take an instance out, as in Kubernetes: one that is late must not. One good answer brings it back. */
const FAILURE_THRESHOLD = 3

interface Backend { port: number, ready: boolean, failures: number, agent: Agent, timer?: NodeJS.Timeout, answered: number }

/** What stands before the instances, as a Kubernetes service or a load balancer does. */
export interface Balancer {
  port: number
  /** From now on it is asked whether it is ready, and gets requests while it is. */
  add: (port: number) => void
  /** It has ended. */
  remove: (port: number) => void
  isReady: (port: number) => boolean
  /** How many requests each instance answered, in the order in which they were added. */
  answered: () => number[]
  close: () => Promise<void>
}

/**
 * Gives requests in turn to the instances that said last that they are ready, over connections that it keeps. It tries
 * nothing twice: whatever an instance fails, the client sees, as 502.
 */
export async function startBalancer (): Promise<Balancer> {
  const backends: Backend[] = []
  const all: Backend[] = []
  let turn = 0

  function note (backend: Backend, ready: boolean): void {
    backend.failures = ready ? 0 : backend.failures + 1
    if (ready || backend.failures >= FAILURE_THRESHOLD) backend.ready = ready
  }
  function probe (backend: Backend): void {
    const probing = send({ host: '127.0.0.1', port: backend.port, path: '/api/health/ready', agent: false, timeout: PROBE_TIMEOUT_MS }, (answer) => {
      note(backend, answer.statusCode === 200)
      answer.resume()
    })
    probing.on('timeout', () => probing.destroy())
    probing.on('error', () => { note(backend, false) })
    probing.on('close', () => { if (backends.includes(backend)) backend.timer = setTimeout(probe, PROBE_EVERY_MS, backend) })
    probing.end()
  }
  function forward (incoming: IncomingMessage, outgoing: ServerResponse): void {
    const ready = backends.filter(({ ready }) => ready)
    const backend = ready[turn++ % ready.length]
    if (backend === undefined) {
      outgoing.writeHead(503, { 'content-type': 'text/plain' }).end('no instance is ready')
      return
    }
    // Hop by hop (RFC 9110, 7.6.1): each side has its own connections.
    const { connection, ...headers } = incoming.headers
    const passed = send({ host: '127.0.0.1', port: backend.port, method: incoming.method, path: incoming.url, headers, agent: backend.agent }, (answer) => {
      backend.answered++
      const { connection, 'keep-alive': keepAlive, 'transfer-encoding': encoding, ...rest } = answer.headers
      outgoing.writeHead(answer.statusCode ?? 502, rest)
      outgoing.flushHeaders()
      answer.on('error', () => outgoing.destroy())
      answer.pipe(outgoing)
    })
    passed.on('error', (error) => {
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message} from the instance`)
    })
    outgoing.on('close', () => { if (!outgoing.writableFinished) passed.destroy() })
    incoming.pipe(passed)
  }

  const server = createServer(forward).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = (backend: Backend) => {
    clearTimeout(backend.timer)
    backend.timer = undefined
    backend.agent.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    add (port) {
      const backend: Backend = { port, ready: false, failures: 0, agent: new Agent({ keepAlive: true }), answered: 0 }
      backends.push(backend)
      all.push(backend)
      probe(backend)
    },
    remove (port) {
      const [gone] = backends.splice(backends.findIndex((backend) => backend.port === port), 1)
      if (gone !== undefined) stop(gone)
    },
    isReady: (port) => backends.some((backend) => backend.port === port && backend.ready),
    answered: () => all.map(({ answered }) => answered),
    async close () {
      for (const backend of backends.splice(0)) stop(backend)
      server.close()
      server.closeAllConnections()
    }
  }
}
