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
}, { name: 'shutdown' })
