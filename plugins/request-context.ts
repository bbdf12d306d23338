import { AsyncLocalStorage } from 'node:async_hooks'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'

/** What the database was asked for one request: counted while it runs, told in its log line. */
export interface DatabaseUse { statements: number, milliseconds: number }

declare module 'fastify' {
  interface FastifyRequest { databaseUse: DatabaseUse }
}

const storage = new AsyncLocalStorage<FastifyRequest | undefined>()

/** The request on whose behalf this code runs; undefined in jobs, timers and at start. */
export function currentRequest (): FastifyRequest | undefined {
  return storage.getStore()
}

/**
 * Does what a request only happens to begin, and what is not for it alone, such as a poll: what that asks of the database is
 * not counted as the request's.
 * @returns what the work returns
 */
export function onNobodysBehalf<T> (work: () => T): T {
  return storage.run(undefined, work)
}

/** Makes the request known to what it calls, however deep: `currentRequest()`. */
export default fp(async function requestContext (app) {
  app.decorateRequest('databaseUse', null as never)
  app.addHook('onRequest', (request, _reply, done) => {
    request.databaseUse = { statements: 0, milliseconds: 0 }
    storage.run(request, done)
  })
  // A body arrives by events of the socket, which know nothing of the request: from here on they do again.
  app.addHook('preValidation', (request, _reply, done) => {
    if (storage.getStore() === request) done()
    else storage.run(request, done)
  })
}, { name: 'request-context' })
