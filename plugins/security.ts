import fp from 'fastify-plugin'
import { Counter } from 'prom-client'

/** Everything that is logged as a security event: what an operator may search and alert for. */
export const securityEvents = {
  sign_in_refused: 'an identity was missing, malformed, expired, or nobody\'s',
  permission_refused: 'someone asked for what their roles do not allow',
  metrics_refused: '/metrics was asked without its token',
  development_headers_ignored: 'a development header came to a service that does not take them'
} as const
export type SecurityEvent = keyof typeof securityEvents

declare module 'fastify' {
  interface FastifyInstance {
    /** Logs and counts something that whoever watches over security wants to know. `details` hold no secrets. */
    security: (request: FastifyRequest, event: SecurityEvent, details?: Record<string, string | undefined>) => void
  }
}

/** Security events, in a fixed vocabulary: a line in the log, with who and from where, and `eden_security_events_total`. */
export default fp(async function security (app) {
  const counter = new Counter({ name: 'eden_security_events_total', help: 'security events', labelNames: ['event'], registers: [app.registry] })
  for (const event of Object.keys(securityEvents)) counter.inc({ event }, 0) // a series that appears with its first event has no rate
  app.decorate('security', (request, event, details = {}) => {
    counter.inc({ event })
    request.log.warn({ security: event, ...details, method: request.method, route: request.routeOptions.url, ip: request.ip, user_id: request.actor?.id }, securityEvents[event])
  })
}, { name: 'security', dependencies: ['metrics'] })
