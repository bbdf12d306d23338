import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { SELF } from '../../plugins/auth/index.js'
import { NotFound, raise } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { sendVersioned, stale, versionsOf } from '../shared/etags.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { IdParams, IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../shared/schemas.js'
import { countUsers, describePermissions, findUser, listUsers, updateUser } from './queries.js'
import { Department, UpdateMe, User } from './schemas.js'

const tags = ['users']
const listQuery = Type.Object({
  ...pageParameters(['name'], 'name'),
  department: Type.Optional(Type.Array(Department)),
  active: Type.Optional(Type.Boolean())
}, { additionalProperties: false })
const Permission = Type.Object({ code: Type.String(), description: Type.String() })

export const userRoutes: FastifyPluginAsyncTypebox = async (app) => {
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

  app.get('/me', {
    config: { permission: SELF },
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
    const set = body.locale === undefined ? body : { ...body, locale: Intl.getCanonicalLocales(body.locale)[0] }
    const version = await updateUser(app.db, { id, set, versions: versionsOf(headers['if-match']), origin: originOf(request) })
    const user = await findUser(app.db, id) ?? raise(new NotFound('user'))
    if (version === undefined) throw stale(user.version)
    return sendVersioned(request, reply, user)
  })

  app.get('/me/permissions', {
    config: { permission: SELF },
    schema: { operationId: 'getMyPermissions', summary: 'What I may do', tags, querystring: NoQuery, response: { 200: Type.Array(Permission), ...problems } }
  }, async ({ actor }) => describePermissions(app.db, actor.permissions))
}
