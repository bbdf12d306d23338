import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'

/** How long a client may go on with a body that was refused: it should read the answer, but not send for ever. */
const REFUSED_MS = 10_000

declare module 'fastify' {
  interface FastifyRequest {
    /** From now on the body may take as long as it needs, as long as it does not stand still. */
    bodyTakesTime: () => void
    /** The body is in: what follows may take as long as it takes, without a word from the client. */
    bodyIsIn: () => void
    /** The body is not wanted any more. */
    bodyIsRefused: () => void
  }
}

/**
 * Ends requests whose body takes too long, with 408; the headers have Node's own limit. For bodies that one
 * (`requestTimeout`) is no use: it is the same for a whole server. Here a route that takes files has a limit on silence
 * instead, so that a slow line is no reason to fail.
 */
export default fp(async function slowBodies (app) {
  const { BODY_TIMEOUT_MS: most, UPLOAD_SILENCE_MS: silence } = app.config
  const limits = new WeakMap<IncomingMessage, NodeJS.Timeout>()
  const expire = ({ complete, socket }: IncomingMessage) => {
    if (!complete) app.server.emit('clientError', Object.assign(new Error('the request took too long'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket)
  }
  const limit = (request: IncomingMessage, milliseconds: number) => {
    clearTimeout(limits.get(request))
    limits.set(request, setTimeout(expire, milliseconds, request).unref())
  }
  const unlimit = (request: IncomingMessage) => clearTimeout(limits.get(request))

  // Not a hook: it also has to end what is answered before there is a route.
  app.server.on('request', (request: IncomingMessage) => {
    if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) return
    limit(request, most)
    request.once('close', () => unlimit(request))
  })
  // What does not come over a connection (inject) has no limits.
  const comesIn = (request: IncomingMessage) => limits.has(request) && !request.complete
  app.decorateRequest('bodyTakesTime', function () {
    if (!comesIn(this.raw)) return
    unlimit(this.raw)
    this.raw.setTimeout(silence, () => expire(this.raw))
  })
  app.decorateRequest('bodyIsIn', function () {
    if (!limits.has(this.raw)) return
    unlimit(this.raw)
    this.raw.setTimeout(app.server.timeout)
  })
  app.decorateRequest('bodyIsRefused', function () {
    if (!comesIn(this.raw)) return
    // Read on, or the client would neither come to read the answer, nor be noticed when it leaves.
    this.raw.unpipe().resume()
    this.raw.setTimeout(app.server.timeout)
    limit(this.raw, REFUSED_MS)
  })
}, { name: 'slow-bodies', dependencies: ['settings'] })
