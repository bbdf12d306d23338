import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A way to a server that can be taken away, stopped, or made slow. */
export interface Proxy {
  port: number
  /** Ends all connections and refuses new ones. */
  cut: () => void
  /** Keeps all connections and lets nothing through, as a server that hangs. */
  pause: () => void
  /** Everything takes so much longer, each way. */
  slow: (milliseconds: number) => void
  /** The next answer with this text in it is lost, and its connection with it. @returns when it is */
  loseAnswerWith: (text: string) => Promise<void>
  /** All is as it was. */
  restore: () => void
  close: () => Promise<void>
}

/** Passes TCP connections on, from a free port of 127.0.0.1 to another server. */
export async function startProxy (target: { host: string, port: number }): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const held: (() => void)[] = []
  let isCut = false
  let isPaused = false
  let delay = 0
  let unlucky: { text: string, lost: () => void } | undefined
  /** What comes first leaves first: a timer of one length keeps the order. */
  function pass (send: () => void): void {
    if (isPaused) held.push(send)
    else if (delay > 0) setTimeout(send, delay)
    else send()
  }
  const server = createServer((near) => {
    if (isCut) return near.resetAndDestroy()
    const far = connect(target)
    for (const [socket, other] of [[near, far], [far, near]] as const) {
      sockets.add(socket)
      socket.on('error', () => {}) // its end is what is passed on
      socket.on('close', () => { sockets.delete(socket); other.destroy() })
      socket.on('data', (chunk) => {
        if (socket === far && unlucky !== undefined && chunk.includes(unlucky.text)) {
          unlucky.lost()
          unlucky = undefined
          near.resetAndDestroy()
          return
        }
        pass(() => { if (other.writable) other.write(chunk) })
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const endAll = () => { for (const socket of sockets) socket.resetAndDestroy() }
  return {
    port: (server.address() as AddressInfo).port,
    cut () { isCut = true; endAll() },
    pause () { isPaused = true },
    loseAnswerWith: (text) => new Promise((resolve) => { unlucky = { text, lost: resolve } }),
    slow (milliseconds) { delay = milliseconds },
    restore () {
      isCut = false
      isPaused = false
      delay = 0
      for (const send of held.splice(0)) send()
    },
    async close () {
      endAll()
      server.close()
      await once(server, 'close')
    }
  }
}
