import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotFound, raise } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { etag, sendVersioned, versionsOf } from '../shared/etags.js'
import { onRecord, watchGrants } from '../shared/grants.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { Deleted, IdParams, IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../shared/schemas.js'
import { countRoles, createRole, deleteRole, findRole, listPermissions, listRoles, updateRole } from './queries.js'
import { CreateRole, Permission, Role, UpdateRole } from './schemas.js'

const tags = ['roles']
const listQuery = Type.Object(pageParameters(['name'], 'name'), { additionalProperties: false })

export const roleRoutes: FastifyPluginAsyncTypebox = async (app) => {
  watchGrants(app)
  app.get('/permissions', {
    config: { permission: 'users:read' },
    schema: { operationId: 'listPermissions', summary: 'Everything that a role may allow', tags, querystring: NoQuery, response: { 200: Type.Array(ref(Permission)), ...problems } }
  }, async () => listPermissions(app.db))

  app.get('/roles', {
    config: { permission: 'users:read' },
    schema: { operationId: 'listRoles', summary: 'The roles that people hold', tags, querystring: listQuery, response: { 200: Type.Array(ref(Role)), ...problems } }
  }, async (request, reply) => {
    const { count, ...page } = request.query
    const [rows, total] = await Promise.all([listRoles(app.db, page), count === true ? countRoles(app.db) : undefined])
    return sendPage(request, reply, rows, total)
  })

  app.post('/roles', {
    config: { permission: 'roles:write' },
    schema: { operationId: 'createRole', summary: 'Add a role that allows what I hold, or less', tags, body: CreateRole, querystring: NoQuery, response: { 201: ref(Role), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const role = await createRole(db, { values: request.body, own: request.actor.permissions, origin: originOf(request), record: onRecord(request) })
    return { status: 201, headers: { location: `/api/roles/${role.id}`, etag: etag(role.version) }, body: role }
  }))

  app.get('/roles/:id', {
    config: { permission: 'users:read' },
    schema: { operationId: 'getRole', summary: 'One role', tags, params: IdParams, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(Role), ...problems } }
  }, async (request, reply) => sendVersioned(request, reply, await findRole(app.db, request.params.id) ?? raise(new NotFound('role'))))

  app.patch('/roles/:id', {
    config: { permission: 'roles:write' },
    schema: { operationId: 'updateRole', summary: 'Change a role and what it allows, as far as I hold that', tags, params: IdParams, headers: IfMatch, body: UpdateRole, querystring: NoQuery, response: { 200: ref(Role), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, body: set, headers, actor: { permissions: own } } = request
    const role = await updateRole(app.db, { id, set, own, versions: versionsOf(headers['if-match']), origin: originOf(request), record: onRecord(request) })
    return sendVersioned(request, reply, role)
  })

  app.delete('/roles/:id', {
    config: { permission: 'roles:write' },
    schema: { operationId: 'deleteRole', summary: 'Delete a role that nobody holds', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { params: { id }, headers, actor: { permissions: own } } = request
    await deleteRole(app.db, { id, own, versions: versionsOf(headers['if-match']), origin: originOf(request), record: onRecord(request) })
    return { deleted: true as const, id }
  })
}
