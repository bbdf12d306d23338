import fp from 'fastify-plugin'
import { Counter } from 'prom-client'
import type { FastifyRequest } from 'fastify'
import { auditOrigin, type AuditEntry } from './audit/record.js'
import { addressOf } from './proxies.js'

/** Everything that is logged as a security event: what an operator may search and alert for. */
export const securityEvents = {
  sign_in_refused: 'an identity was missing, malformed, expired, or nobody\'s',
  permission_refused: 'someone asked for what their roles do not allow',
  rate_limited: 'someone asked more often than one may',
  grant_refused: 'someone tried to give or take what they do not hold, or to get hold of who holds it',
  role_given: 'a person was given a role',
  role_taken: 'a role was taken from a person',
  role_changed: 'a role was added, changed or deleted',
  project_role_changed: 'a person was put on a project or taken off it, or got another role there',
  person_changed: 'a person was added, sent away or brought back, or got another address',
  metrics_refused: '/metrics was asked without its token',
  development_headers_ignored: 'a development header came to a service that does not take them',
  signed_in: 'someone signed in by password, or by an invitation',
  sign_in_failed: 'a password was wrong, or nobody\'s',
  sign_in_throttled: 'a sign-in has to wait: too many before it failed',
  refresh_reused: 'a refresh token came a second time: it was stolen, and its session is over',
  signed_out: 'someone ended a session',
  signed_out_everywhere: 'someone ended all their sessions',
  password_changed: 'someone changed their password',
  password_reset_requested: 'a link to reset a password was asked for',
  password_reset: 'someone reset their password by a link',
  invited: 'someone was invited by e-mail',
  invitation_accepted: 'someone took an invitation, and has a password now',
  administrator_made: 'an operator made somebody an administrator, by user:create-admin',
  identity_linked: 'someone signed in by another issuer for the first time, and is now one of us by it',
  token_created: 'someone made a personal access token',
  token_revoked: 'a personal access token was revoked',
  guest_link_created: 'someone made a link that shows a task or a project to guests',
  guest_link_revoked: 'a guest link was revoked',
  guest_link_used: 'a guest looked at what a link shows: once an hour for each link and address',
  guest_link_refused: 'a guest came by a link that is not good, or never was one',
  exported: 'someone took a report away as a file'
} as const
export type SecurityEvent = keyof typeof securityEvents

/** What people do every day: worth a record, and no warning. */
const ordinary: ReadonlySet<SecurityEvent> = new Set<SecurityEvent>(['signed_in', 'signed_out', 'signed_out_everywhere', 'password_changed', 'password_reset_requested', 'password_reset', 'invited', 'invitation_accepted', 'identity_linked', 'token_created', 'token_revoked', 'person_changed', 'project_role_changed', 'guest_link_created', 'guest_link_revoked', 'guest_link_used', 'guest_link_refused', 'exported'])
const levelOf = (event: SecurityEvent) => ordinary.has(event) ? 'info' : 'warn'

/** Lines of one event in a second: who tries passwords by the thousand is not to fill the disk or to hide among them. */
export const MOST_LINES_A_SECOND = 10
const SECOND_MS = 1000

/** One event's second that runs: when it began, and how many lines it got and did not get. */
interface Second { began: number, lines: number, suppressed: number, unrecorded: number, end?: NodeJS.Timeout }

type Details = Record<string, unknown>
/** To what it was done, in the audit log. */
type Target = Pick<AuditEntry, 'targetType' | 'targetId'>

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Counts something that whoever watches over security wants to know, tells the log, and puts it on record. `details` hold no
     * secrets. @returns whether it has a line of its own there, or is one of too many
     */
    security: (request: FastifyRequest, event: SecurityEvent, details?: Details, target?: Target) => boolean
    /** The same for what is on record already: `recordAudit` does both. */
    tellSecurity: (request: FastifyRequest, event: SecurityEvent, details?: Details) => void
  }
}

/**
 * Security events, in a fixed vocabulary: `eden_security_events_total` counts each, and the log and the audit log have a line
 * with who and from where, for the first ten of an event in a second; one more, with `suppressed` or `times`, says how many
 * others there were.
 */
export default fp(async function security (app) {
  const counter = new Counter({ name: 'eden_security_events_total', help: 'security events', labelNames: ['event'], registers: [app.registry] })
  for (const event of Object.keys(securityEvents)) counter.inc({ event }, 0) // a series that appears with its first event has no rate
  const seconds = new Map<SecurityEvent, Second>()

  function tellRest (event: SecurityEvent): void {
    const second = seconds.get(event)
    if (second === undefined || second.suppressed === 0) return
    clearTimeout(second.end)
    app.log[levelOf(event)]({ security: event, suppressed: second.suppressed }, `more of the same within a second: ${securityEvents[event]}`)
    if (second.unrecorded > 0) app.auditTrail.note({ event, actorId: null, times: second.unrecorded, details: { suppressed: true } })
    second.suppressed = 0
    second.unrecorded = 0
  }
  function secondOf (event: SecurityEvent): Second {
    const now = app.clock().getTime()
    const running = seconds.get(event)
    if (running !== undefined && Math.abs(now - running.began) < SECOND_MS) return running // a clock may also be set back
    tellRest(event)
    const second = { began: now, lines: 0, suppressed: 0, unrecorded: 0 }
    seconds.set(event, second)
    return second
  }

  function tell (request: FastifyRequest, event: SecurityEvent, details: Details, target: Target | 'recorded'): boolean {
    counter.inc({ event })
    const second = secondOf(event)
    if (second.lines < MOST_LINES_A_SECOND) {
      second.lines++
      const route = { method: request.method, route: request.routeOptions.url }
      request.log[levelOf(event)]({ security: event, target: target === 'recorded' ? undefined : target.targetId, ...details, ...route, ip: addressOf(request), user_id: request.actor?.id }, securityEvents[event])
      if (target !== 'recorded') app.auditTrail.note({ event, ...auditOrigin(request), ...target, details: { ...details, ...route } })
      return true
    }
    if (target !== 'recorded') second.unrecorded++
    if (second.suppressed++ === 0) second.end = setTimeout(tellRest, SECOND_MS, event).unref() // also when no other follows
    return false
  }
  app.decorate('security', (request, event, details = {}, target = {}) => tell(request, event, details, target))
  app.decorate('tellSecurity', (request, event, details = {}) => { tell(request, event, details, 'recorded') })
  app.addHook('onClose', async () => {
    for (const event of seconds.keys()) tellRest(event)
  })
}, { name: 'security', dependencies: ['settings', 'metrics', 'audit'] })
