import compress from '@fastify/compress'
import type { FastifyInstance } from 'fastify'
import alerts from './alerts/index.js'
import audit from './audit/index.js'
import actors from './auth/actors.js'
import auth from './auth/index.js'
import type { Config } from './config.js'
import crossOrigin from './cors.js'
import databaseState from './database-state.js'
import database from './database/index.js'
import dbinfo from './dbinfo.js'
import errors from './errors.js'
import events from './events.js'
import health from './health/index.js'
import idempotency from './idempotency.js'
import jobs from './jobs/index.js'
import limits from './limits.js'
import mail from './mail.js'
import metrics from './metrics/index.js'
import openapi from './openapi.js'
import pressure from './pressure.js'
import rateLimit from './rate-limit/index.js'
import rateLimitUpkeep from './rate-limit/upkeep.js'
import requestContext from './request-context.js'
import requestLog from './request-log.js'
import security from './security.js'
import securityHeaders from './security-headers.js'
import settings, { type Clock } from './settings.js'
import shutdown from './shutdown.js'
import slowBodies from './slow-bodies.js'
import slowReaders from './slow-readers.js'
import storage from './storage/index.js'
import validation from './validation.js'
import version from './version.js'
import wakeups from './wakeups.js'

/** The one place where the order of plugins is written. */
export async function registerPlugins (app: FastifyInstance, options: { config: Config, clock: Clock }): Promise<void> {
  await app.register(settings, options) // what all others ask for
  await app.register(errors) // before every route, or those are not covered
  await app.register(requestLog) // before whatever may refuse: refusals are logged and carry the request id too
  await app.register(requestContext) // before whatever may ask the database
  await app.register(shutdown) // before whatever may answer: in the end every answer closes its connection
  await app.register(slowBodies) // before whatever may wait for a body
  await app.register(slowReaders) // before whatever may answer
  await app.register(securityHeaders) // headers on every answer, refusals included
  await app.register(limits) // before whatever reads a URL
  await app.register(crossOrigin) // before auth: a preflight carries no identity
  await app.register(compress, { threshold: 1024, encodings: ['br', 'gzip', 'deflate'] }) // wraps what all routes send
  await app.register(pressure) // before any work is done for a request that will be shed
  await app.register(database)
  await app.register(rateLimit) // before auth: guesses are counted before they are looked at
  await app.register(auth) // before schema validation: strangers learn nothing from it
  await app.register(openapi) // before the routes that it describes
  await app.register(validation) // before the routes whose lists it splits
  await app.register(metrics) // before the routes that it counts
  await app.register(databaseState)
  await app.register(health)
  await app.register(alerts) // after what they look at
  await app.register(dbinfo)
  await app.register(version)
  await app.register(storage)
  await app.register(events) // before the modules that consume them
  await app.register(wakeups) // before the modules that wait for them
  await app.register(actors) // hears of changed rights by wake-ups; auth asks it when requests come
  await app.register(jobs) // before the modules that schedule them
  await app.register(audit)
  await app.register(security) // notes there, and counts in metrics; auth calls it when requests come
  await app.register(rateLimitUpkeep) // its job, and what it measures
  await app.register(mail) // before the modules that send by it
  await app.register(idempotency)
}
