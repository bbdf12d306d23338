import { Socket } from 'node:net'
import type { ServerResponse } from 'node:http'
import fp from 'fastify-plugin'

/**
 * Ends connections whose client takes nothing of an answer for too long: each would hold what it was to get (the answer, an
 * open file, a connection to the storage) for as long as it likes. Node has no limit for that: `server.timeout` also ends
 * what waits for us. Who takes an answer slowly gets it, however long that takes.
 */
export default fp(async function slowReaders (app) {
  const { ANSWER_SILENCE_MS: silence } = app.config
  // From the start, for Node ends a connection when its time is up and nobody listens: it may be an earlier answer's time.
  app.server.on('request', (_request, response: ServerResponse) => {
    response.on('timeout', (socket: Socket) => {
      if (!response.headersSent) return // we are slow, or the body is: that has limits of its own
      if (response.writableLength > 0) socket.destroy()
      else response.setTimeout(silence) // all that there was has been taken
    })
  })
  app.addHook('onSend', async ({ raw: { socket } }, { raw: response }) => {
    if (socket instanceof Socket) response.setTimeout(silence) // what does not go over a connection (inject) has no limit
  })
}, { name: 'slow-readers', dependencies: ['settings'] })
