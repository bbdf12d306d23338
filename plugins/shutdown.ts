import type { Socket } from 'node:net'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyInstance {
    /** From now on this instance says that it is not ready; what it is asked it still answers. */
    beginShutdown: () => void
    isShuttingDown: () => boolean
  }
}

/** What the end of an instance needs while it still serves. */
export default fp(async function shutdown (app) {
  let shuttingDown = false
  app.decorate('beginShutdown', () => { shuttingDown = true })
  app.decorate('isShuttingDown', () => shuttingDown)
  // A client that keeps its connection would hold the server open until its time-out, with nothing to say.
  app.addHook('onSend', async (_request, reply) => {
    if (shuttingDown) reply.header('connection', 'close')
  })

  // Nor would one that has connected and asked nothing yet, as browsers do ahead of time: Node does not take it for idle.
  const connections = new Set<Socket>()
  app.server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  app.addHook('preClose', async () => {
    shuttingDown = true
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
  })
}, { name: 'shutdown' })
