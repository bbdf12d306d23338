import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { SELF } from '../../plugins/auth/index.js'
import { NotFound, raise } from '../../plugins/errors.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { Id, IdParams, NoQuery, problems, ref } from '../shared/schemas.js'
import { countNotifications, listNotifications, markAllRead, markRead } from './queries.js'
import { Notification, NotificationType } from './schemas.js'

const tags = ['notifications']
const config = { permission: SELF }
const RECENT = 10
const listQuery = Type.Object({
  ...pageParameters(['created_at'], '-created_at'),
  unread: Type.Optional(Type.Boolean()),
  type: Type.Optional(Type.Array(NotificationType)),
  project: Type.Optional(Id)
}, { additionalProperties: false })

export const notificationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  // Who reads right after a change finds what it caused.
  app.addHook('preHandler', () => app.events.settled())

  app.get('/', {
    config,
    schema: { operationId: 'listNotifications', summary: 'What I was told', tags, querystring: listQuery, response: { 200: Type.Array(ref(Notification)), ...problems } }
  }, async (request, reply) => {
    const { actor, query: { limit, cursor, sort, count, ...filter } } = request
    const [rows, total] = await Promise.all([
      listNotifications(app.db, { actor, filter, page: { limit, cursor, sort } }),
      count === true ? countNotifications(app.db, { actor, filter }) : undefined
    ])
    return sendPage(request, reply, rows, total)
  })

  app.get('/recent', {
    config,
    schema: { operationId: 'listRecentNotifications', summary: `My newest ${RECENT}`, tags, querystring: NoQuery, response: { 200: Type.Array(ref(Notification)), ...problems } }
  }, async ({ actor }) => {
    const rows = await listNotifications(app.db, { actor, filter: {}, page: { limit: RECENT, sort: '-created_at' } })
    return rows.slice(0, RECENT)
  })

  app.get('/unread-count', {
    config,
    schema: { operationId: 'countUnreadNotifications', summary: 'How many I have not read', tags, querystring: NoQuery, response: { 200: Type.Object({ count: Type.Integer() }), ...problems } }
  }, async ({ actor }) => ({ count: await countNotifications(app.db, { actor, filter: { unread: true } }) }))

  app.patch('/:id/read', {
    config,
    schema: { operationId: 'markNotificationRead', summary: 'I have read this one', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Notification), ...problems } }
  }, async ({ actor, params: { id } }) => await markRead(app.db, { id, actor }) ?? raise(new NotFound('notification')))

  app.patch('/mark-all-read', {
    config,
    schema: { operationId: 'markAllNotificationsRead', summary: 'I have read them all', tags, querystring: NoQuery, response: { 200: Type.Object({ updated: Type.Integer() }), ...problems } }
  }, async ({ actor }) => ({ updated: await markAllRead(app.db, actor.id) }))
}
