import { timingSafeEqual } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import { NotFound } from '../../plugins/errors.js'
import { addressOf } from '../../plugins/proxies.js'
import { subjectOf } from '../../plugins/rate-limit/address.js'
import { notOftener } from '../../plugins/seldom.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { problems, ref } from '../shared/schemas.js'
import { TaskStatus } from '../tasks/index.js'
import { countGuestTasks, listGuestTasks } from './guest-tasks.js'
import { findGuestLink, noteUse, type FoundLink } from './queries.js'
import { GuestView } from './schemas.js'
import { guestTokens } from './token.js'

/** How exactly `last_used_at` is kept. */
const USE_MS = 60_000
/** How often looking at the same from the same address, or its /64, is on record. */
const RECORD_MS = 3_600_000

const tokenParams = Type.Object({ token: Type.String({ description: 'of a guest link' }) })
const viewQuery = Type.Object({
  ...pageParameters(['updated_at', 'created_at', 'due_at'], '-updated_at'),
  status: Type.Optional(Type.Array(TaskStatus))
}, { additionalProperties: false })

/** What guests see: the one route of the domain that nobody signs in for. */
export const guestRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const notes = notOftener(USE_MS)
  const records = notOftener(RECORD_MS)

  function refuse (request: FastifyRequest, reason: string, id?: string): never {
    app.security(request, 'guest_link_refused', { reason }, id === undefined ? {} : { targetType: 'guest_link', targetId: id })
    throw new NotFound('guest link') // the same for all: the log says why
  }

  /** The link that a token is of. @throws NotFound when it is not good, for whatever reason */
  async function linkOf (request: FastifyRequest, token: string): Promise<FoundLink> {
    const { id, hash } = guestTokens.read(token) ?? {}
    if (id === undefined || hash === undefined) return refuse(request, 'malformed')
    const link = await findGuestLink(app.db, id)
    if (link === undefined || !timingSafeEqual(link.secret_hash, hash)) return refuse(request, 'unknown')
    return link.state === 'live' ? link : refuse(request, link.state, id)
  }

  async function tellUse (request: FastifyRequest, { id, name, created_by: maker }: FoundLink): Promise<void> {
    const now = app.clock()
    const whoAndWhat = `${id} ${subjectOf(addressOf(request))}`
    if (records.isDue(whoAndWhat, now) && app.security(request, 'guest_link_used', { name, maker }, { targetType: 'guest_link', targetId: id })) records.done(whoAndWhat, now)
    if (!notes.isDue(id, now)) return
    notes.done(id, now)
    // That it cannot be written is no reason to show nothing.
    await noteUse(app.db, { id, at: now, everyMs: USE_MS }).catch((err: unknown) => { app.log.debug({ err }, 'the use of a guest link could not be noted') })
  }

  app.get('/guest/:token', {
    schema: { operationId: 'lookAsGuest', summary: 'What a guest link shows: one task, or a project and its tasks', tags: ['guests'], params: tokenParams, querystring: viewQuery, response: { 200: ref(GuestView), ...problems } }
  }, async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-robots-tag': 'noindex' })
    const { limit, cursor, sort, count, status } = request.query
    const link = await linkOf(request, request.params.token)
    const show = { id: link.id, project_id: link.project_id, task_id: link.task_id, status }
    const [rows, total] = await Promise.all([
      listGuestTasks(app.db, { show, now: app.clock(), page: { limit, cursor, sort } }),
      count === true ? countGuestTasks(app.db, show) : undefined
    ])
    await tellUse(request, link)
    return { name: link.name, expires_at: link.expires_at, project: link.project, tasks: sendPage(request, reply, rows, total) }
  })
}
