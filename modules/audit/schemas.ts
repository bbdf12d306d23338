import { Type } from 'typebox'
import { securityEvents } from '../../plugins/security.js'
import { Id, Nullable, OneOf, Timestamp } from '../shared/schemas.js'

export const Event = OneOf(Object.keys(securityEvents))

export const AuditEvent = Type.Object({
  id: Id,
  at: Timestamp,
  event: Type.String({ description: 'what happened; `docs/runbook.md` lists the words' }),
  times: Type.Integer({ description: 'more than 1: so many of the same in one second, of which only some are listed' }),
  actor_id: Nullable(Id, { description: 'who did it, where that is known' }),
  target_type: Nullable(Type.String({ description: 'to what it was done: user, role, session, api_token, guest_link' })),
  target_id: Nullable(Type.String()),
  ip: Nullable(Type.String()),
  user_agent: Nullable(Type.String()),
  request_id: Nullable(Type.String()),
  details: Type.Record(Type.String(), Type.Unknown())
}, { $id: 'AuditEvent' })
