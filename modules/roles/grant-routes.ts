import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { NotFound, raise } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { sendVersioned } from '../shared/etags.js'
import { onRecord, watchGrants } from '../shared/grants.js'
import { Deleted, NoQuery, problems, ref } from '../shared/schemas.js'
import { findUser, User } from '../users/index.js'
import { setUserRole } from './queries.js'
import { GrantParams } from './schemas.js'

const tags = ['roles']

/** Who holds which role. Both are the same when repeated. */
export const grantRoutes: FastifyPluginAsyncTypebox = async (app) => {
  watchGrants(app)
  const set = (request: FastifyRequest, { id: userId, role }: { id: string, role: string }, held: boolean) =>
    setUserRole(app.db, { userId, role, held, own: request.actor.permissions, origin: originOf(request), record: onRecord(request) })

  app.put('/users/:id/roles/:role', {
    config: { permission: 'users:write' },
    schema: { operationId: 'giveRole', summary: 'Give a person a role that allows what I hold, or less', tags, params: GrantParams, querystring: NoQuery, response: { 200: ref(User), ...problems } }
  }, async (request, reply) => {
    await set(request, request.params, true)
    return sendVersioned(request, reply, await findUser(app.db, request.params.id) ?? raise(new NotFound('user')))
  })

  app.delete('/users/:id/roles/:role', {
    config: { permission: 'users:write' },
    schema: { operationId: 'takeRole', summary: 'Take a role from a person that allows what I hold, or less; the answer has the id of the role', tags, params: GrantParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => ({ deleted: true as const, id: await set(request, request.params, false) }))
}
