import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { Id, problems, ref } from '../shared/schemas.js'
import { countAudit, listAudit } from './queries.js'
import { AuditEvent, Event } from './schemas.js'

const time = Type.String({ format: 'date-time' })
const listQuery = Type.Object({
  ...pageParameters(['at'], '-at'),
  event: Type.Optional(Type.Array(Event, { maxItems: 50 })),
  actor: Type.Optional(Id),
  target: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:-]{1,200}$', description: 'the id of what it was done to' })),
  ip: Type.Optional(Type.String({ format: 'ip', maxLength: 45, description: 'an address, IPv4 or IPv6' })),
  from: Type.Optional(time),
  to: Type.Optional(time)
}, { additionalProperties: false })

export const auditRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/', {
    config: { permission: 'audit:read' },
    schema: { operationId: 'listAuditEvents', summary: 'Security events: who signed in, who was refused, whose rights were changed', tags: ['operations'], querystring: listQuery, response: { 200: Type.Array(ref(AuditEvent)), ...problems } }
  }, async (request, reply) => {
    const { limit, cursor, sort, count, ...filter } = request.query
    const [rows, total] = await Promise.all([listAudit(app.db, filter, { limit, cursor, sort }), count === true ? countAudit(app.db, filter) : undefined])
    return sendPage(request, reply, rows, total)
  })
}
