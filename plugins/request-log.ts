import fp from 'fastify-plugin'
import { v7 as uuidv7 } from 'uuid'
import { LogController, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Config } from './config.js'
import { errorForLog } from './error-log.js'

const wellFormed = /^[\w.:-]{1,100}$/

/** The caller's X-Request-Id when it is safe to repeat in a header and a log line, else one of ours. */
export function requestId (request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && wellFormed.test(given) ? given : uuidv7()
}

/** Logger options: JSON lines, and whatever could be a secret cut out wherever it might turn up. */
export function loggerOptions (config: Config): Pick<FastifyServerOptions, 'logger' | 'logController'> {
  return {
    logger: {
      level: config.LOG_LEVEL,
      serializers: {
        err: errorForLog,
        // The framework's own has the URL, and with it the query string.
        req: ({ method, routeOptions }: FastifyRequest) => ({ method, route: routeOptions?.url })
      },
      redact: {
        paths: ['req.headers.authorization', 'req.headers.cookie', '*.password', '*.token', '*.secret', '*.connectionString', 'err.config', 'err.client'],
        censor: '[redacted]'
      }
    },
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' })
  }
}

const toMicroseconds = (milliseconds: number) => Math.round(milliseconds * 1000) / 1000

/** One line for each answer, with what an operator asks first; and the request id in every answer. */
export default fp(async function requestLog (app) {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    // Probes come every second: they are worth a line only when they fail.
    const level = request.routeOptions.config.probe === true && reply.statusCode < 400 ? 'debug' : 'info'
    request.log[level]({
      user_id: request.actor?.id,
      method: request.method,
      route: request.routeOptions.url,
      status: reply.statusCode,
      code: request.problem?.code,
      duration_ms: toMicroseconds(reply.elapsedTime),
      db_ms: toMicroseconds(request.databaseUse?.milliseconds ?? 0),
      db_queries: request.databaseUse?.statements ?? 0
    }, 'request')
  })
}, { name: 'request-log', dependencies: ['settings'] })
