import createError from '@fastify/error'
import fp from 'fastify-plugin'
import type { Config } from './config.js'

export const UrlTooLong = createError('EDEN_URL_TOO_LONG', 'the URL is too long', 414)

/** What every server should take (RFC 9110, 4.1), and three times what the longest list of filters needs. */
export const MAX_URL_LENGTH = 8000
/** URL and headers together, in bytes: Node answers more with 431. Written down, so that no NODE_OPTIONS changes it. */
export const MAX_HEADER_BYTES = 16_384
/** Brackets within brackets; our own bodies have four. */
export const MAX_JSON_DEPTH = 32
const MOST_OFTEN_LOOKED_MS = 5000

/** Node's own limits on clients that are slow, or many. */
export function serverLimits ({ HEADERS_TIMEOUT_MS: headersTimeout }: Config) {
  return { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout, connectionsCheckingInterval: Math.min(Math.ceil(headersTimeout / 3), MOST_OFTEN_LOOKED_MS) }
}

const [QUOTE, BACKSLASH, OPEN_LIST, OPEN_OBJECT, CLOSE_LIST, CLOSE_OBJECT] = [...'"\\[{]}'].map((character) => character.charCodeAt(0))

/**
 * Whether a JSON text nests deeper than MAX_JSON_DEPTH. Looks at bytes, before anything is built from them: a parser, and
 * whatever walks its result, goes one call deeper with each bracket.
 */
export function isTooDeep (json: Buffer): boolean {
  let depth = 0
  let inText = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (inText) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inText = false
    } else if (byte === QUOTE) inText = true
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > MAX_JSON_DEPTH) return true
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--
  }
  return false
}

/** Refuses URLs that are too long, and connections beyond MAX_CONNECTIONS. */
export default fp(async function limits (app) {
  app.server.maxConnections = app.config.MAX_CONNECTIONS
  app.addHook('onRequest', async (request) => {
    if (request.url.length > MAX_URL_LENGTH) throw new UrlTooLong()
  })
}, { name: 'limits', dependencies: ['settings', 'errors'] })
