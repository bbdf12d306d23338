import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { recordAudit } from '../../plugins/audit/index.js'
import { NotFound, raise } from '../../plugins/errors.js'
import { newId } from '../shared/ids.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { anyProject, bodyNamesOne, idIs } from '../shared/project-scope.js'
import { Deleted, Id, IdParams, NoQuery, problems, ref } from '../shared/schemas.js'
import { countGuestLinks, createGuestLink, listGuestLinks, revokeGuestLink } from './queries.js'
import { checkGuestLink, refusalOf } from './rules.js'
import { CreateGuestLink, GuestLink, NewGuestLink, State } from './schemas.js'
import { guestTokens } from './token.js'

const tags = ['guests']
const permission = 'projects:share'
const listQuery = Type.Object({
  ...pageParameters(['created_at'], '-created_at'),
  project: Type.Optional(Type.Array(Id, { maxItems: 50, description: 'to these projects, and to tasks in them' })),
  task: Type.Optional(Type.Array(Id, { maxItems: 50 })),
  state: Type.Optional(Type.Array(State))
}, { additionalProperties: false })

export const guestLinkRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/guest-links', {
    config: { permission, inProject: anyProject },
    schema: { operationId: 'listGuestLinks', summary: 'Guest links into the projects that I may share', tags, querystring: listQuery, response: { 200: Type.Array(ref(GuestLink)), ...problems } }
  }, async (request, reply) => {
    const { actor, query: { limit, cursor, sort, count, ...filter } } = request
    const [rows, total] = await Promise.all([
      listGuestLinks(app.db, { actor, filter, page: { limit, cursor, sort } }),
      count === true ? countGuestLinks(app.db, { actor, filter }) : undefined
    ])
    return sendPage(request, reply, rows, total)
  })

  // Not by a personal access token: whoever finds one cannot make what outlives it. Nor once by an Idempotency-Key: answers
  // are kept for repetitions, and this one is a secret.
  app.post('/guest-links', {
    config: { permission, inProject: bodyNamesOne<CreateGuestLink>({ project: 'project_id', task: 'task_id' }), tokens: false },
    schema: { operationId: 'createGuestLink', summary: 'Make a link that shows guests one task or project; its token is shown this once', tags, querystring: NoQuery, body: CreateGuestLink, response: { 201: ref(NewGuestLink), ...problems } }
  }, async (request, reply) => {
    const { actor, body } = request
    const { GUEST_LINK_MAX_DAYS: maxDays, GUEST_LINKS_PER_PERSON: most } = app.config
    checkGuestLink(body, { now: app.clock(), maxDays })
    const id = newId()
    const { token, hash } = guestTokens.make(id)
    const link = await app.db.transaction().execute(async (trx) => {
      const created = await createGuestLink(trx, { id, actor, hash, values: body, most })
      if ('refused' in created) throw refusalOf(created, body, most)
      const { name, project, task, expires_at: expires } = created.link
      await recordAudit(trx, request, { event: 'guest_link_created', targetType: 'guest_link', targetId: id, details: { name, project: project.id, task: task?.id, expires_at: expires } })
      return created.link
    })
    reply.code(201).headers({ location: `/api/guest-links/${id}`, 'cache-control': 'no-store' })
    return { ...link, token }
  })

  app.delete('/guest-links/:id', {
    config: { permission, inProject: idIs('guest_link') },
    schema: { operationId: 'revokeGuestLink', summary: 'Revoke a guest link, at once, whoever made it', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id } } = request
    await app.db.transaction().execute(async (trx) => {
      const { name, created_by: maker, project_id: project, task_id: task } = await revokeGuestLink(trx, { id, actor }) ?? raise(new NotFound('guest link'))
      await recordAudit(trx, request, { event: 'guest_link_revoked', targetType: 'guest_link', targetId: id, details: { name, maker, project, task } })
    })
    return { deleted: true as const, id }
  })
}
