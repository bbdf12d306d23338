import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { SELF } from '../../plugins/auth/index.js'
import { NotFound, raise } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { etag, sendVersioned, stale, versionsOf } from '../shared/etags.js'
import { onRecord, watchGrants } from '../shared/grants.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { Deleted, Id, IdParams, IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../shared/schemas.js'
import { countUsers, createUser, describePermissions, findUser, listUsers, updateUser } from './queries.js'
import { CreateUser, Department, UpdateMe, UpdateUser, User } from './schemas.js'

const tags = ['users']
const listQuery = Type.Object({
  ...pageParameters(['name'], 'name'),
  department: Type.Optional(Type.Array(Department)),
  active: Type.Optional(Type.Boolean())
}, { additionalProperties: false })
/** Language tags are kept in their canonical form. */
const canonical = <T extends { locale?: string }>(body: T): T => body.locale === undefined ? body : { ...body, locale: Intl.getCanonicalLocales(body.locale)[0] }
const Permission = Type.Object({ code: Type.String(), description: Type.String() })

export const userRoutes: FastifyPluginAsyncTypebox = async (app) => {
  watchGrants(app)
  app.get('/users', {
    config: { permission: 'users:read' },
    schema: { operationId: 'listUsers', summary: 'The people of the company', tags, querystring: listQuery, response: { 200: Type.Array(ref(User)), ...problems } }
  }, async (request, reply) => {
    const { department, active, count, ...page } = request.query
    const filter = { department, active }
    const [rows, total] = await Promise.all([listUsers(app.db, { filter, page }), count === true ? countUsers(app.db, filter) : undefined])
    return sendPage(request, reply, rows, total)
  })

  app.get('/users/:id', {
    config: { permission: 'users:read' },
    schema: { operationId: 'getUser', summary: 'One person', tags, params: IdParams, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(User), ...problems } }
  }, async (request, reply) => {
    const user = await findUser(app.db, request.params.id) ?? raise(new NotFound('user'))
    return sendVersioned(request, reply, user)
  })

  app.post('/users', {
    config: { permission: 'users:write' },
    schema: { operationId: 'createUser', summary: 'Add a person, who may do nothing before they are given a role', tags, body: CreateUser, querystring: NoQuery, response: { 201: ref(User), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const user = await createUser(db, { values: canonical(request.body), origin: originOf(request), record: onRecord(request) })
    return { status: 201, headers: { location: `/api/users/${user.id}`, etag: etag(user.version) }, body: user }
  }))

  /** Changes somebody, as far as the caller may. @returns them as they are then */
  async function change (request: FastifyRequest, id: string, set: UpdateUser) {
    const version = await updateUser(app.db, { id, set, versions: versionsOf(request.headers['if-match']), origin: originOf(request), own: request.actor.permissions, record: onRecord(request) })
    const user = await findUser(app.db, id) ?? raise(new NotFound('user'))
    if (version === undefined) throw stale(user.version)
    return user
  }

  app.patch('/users/:id', {
    config: { permission: 'users:write' },
    schema: { operationId: 'updateUser', summary: 'Change a person, send them away or bring them back', tags, params: IdParams, headers: IfMatch, body: UpdateUser, querystring: NoQuery, response: { 200: ref(User), ...problems } }
  }, async (request, reply) => sendVersioned(request, reply, await change(request, request.params.id, canonical(request.body))))

  app.delete('/users/:id', {
    config: { permission: 'users:write' },
    schema: { operationId: 'deactivateUser', summary: 'Send a person away: they can sign in no more, and keep what they hold', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { id } = await change(request, request.params.id, { is_active: false })
    return { deleted: true as const, id }
  })

  app.get('/me', {
    config: { permission: SELF, tokens: true },
    schema: { operationId: 'getMe', summary: 'Who I am', tags, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(User), ...problems } }
  }, async (request, reply) => {
    const user = await findUser(app.db, request.actor.id) ?? raise(new NotFound('user'))
    return sendVersioned(request, reply, user)
  })

  app.patch('/me', {
    config: { permission: SELF },
    schema: { operationId: 'updateMe', summary: 'Change my profile', tags, headers: IfMatch, body: UpdateMe, querystring: NoQuery, response: { 200: ref(User), ...problems } }
  }, async (request, reply) => {
    const { actor: { id }, body, headers } = request
    const version = await updateUser(app.db, { id, set: canonical(body), versions: versionsOf(headers['if-match']), origin: originOf(request) })
    const user = await findUser(app.db, id) ?? raise(new NotFound('user'))
    if (version === undefined) throw stale(user.version)
    return sendVersioned(request, reply, user)
  })

  app.get('/me/permissions', {
    config: { permission: SELF, tokens: true },
    schema: { operationId: 'getMyPermissions', summary: 'What I may do in the company, or in a project', tags, querystring: Type.Object({ project: Type.Optional(Id) }, { additionalProperties: false }), response: { 200: Type.Array(Permission), ...problems } }
  }, async ({ actor, query: { project } }) => await describePermissions(app.db, { actor, project }) ?? raise(new NotFound('project')))
}
