import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import type { Db } from '../../../plugins/database/index.js'
import { NotFound, raise, withMembers } from '../../../plugins/errors.js'
import { originOf } from '../../activity/index.js'
import { versionsOf } from '../../shared/etags.js'
import { pageParameters, sendPage } from '../../shared/pagination.js'
import { idIs } from '../../shared/project-scope.js'
import { IdParams, IfMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { changeTasks } from '../change.js'
import { taskTag } from '../columns.js'
import { BallNotPaused, BallOutside, BallPaused, NobodysBall, NotOneReceiver, NotYourBall, NudgedAlready, OwnBall, refusalOf } from '../errors.js'
import { findTask, type View } from '../queries.js'
import { NUDGE_AGAIN_AFTER_MINUTES } from '../rules.js'
import { nudge } from './nudges.js'
import { setPaused } from './pauses.js'
import { acknowledge, countHolds, findCurrentHold, listHolds } from './queries.js'
import { Hold, NudgeHolder, PassBall, PauseBall } from './schemas.js'

const tags = ['ball']
const listQuery = Type.Object(pageParameters(['no'], 'no'), { additionalProperties: false })

export const ballRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const viewOf = ({ actor }: FastifyRequest): View => ({ actor, now: app.clock() })

  app.get('/tasks/:id/ball', {
    config: { permission: 'tasks:read', inProject: idIs('task') },
    schema: { operationId: 'listHolds', summary: 'Where the ball has been, and for how long', tags, params: IdParams, querystring: listQuery, response: { 200: Type.Array(ref(Hold)), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, query: { count, ...page } } = request
    const view = viewOf(request)
    const [rows, total] = await Promise.all([
      listHolds(app.db, { taskId: id, view, page }),
      count === true ? countHolds(app.db, { taskId: id, view }) : undefined
    ])
    if (rows.length === 0) await findTask(app.db, { id, view }) ?? raise(new NotFound('task'))
    return sendPage(request, reply, rows, total)
  })

  app.post('/tasks/:id/ball', {
    config: { permission: 'ball:pass', inProject: idIs('task') },
    schema: { operationId: 'passBall', summary: 'Hand the ball over', tags, params: IdParams, headers: IfMatch, body: PassBall, querystring: NoQuery, response: { 201: ref(Hold), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { params: { id }, body: { to_user_id: user, to_company_id: company, to_contact_id: contact, ...handover }, headers } = request
    const to = Object.keys({ to_user_id: user, to_company_id: company, to_contact_id: contact }).filter((name) => name in request.body)
    if (to.length !== 1) throw withMembers(new NotOneReceiver(), { errors: [{ path: to[1] ?? 'body', message: new NotOneReceiver().message }] })
    const view = viewOf(request)
    const change = { id, set: { ball_in_court: user ?? null, ball_company_id: company ?? null, ball_contact_id: contact ?? null }, versions: versionsOf(headers['if-match']), handover }
    const [outcome] = await changeTasks(db, { changes: [change], view, origin: originOf(request) })
    if (outcome === undefined) throw new NotFound('task')
    const refusal = refusalOf(outcome, to[0])
    if (refusal !== undefined) throw refusal
    const hold = await findCurrentHold(db, { taskId: id, view }) ?? raise(new NotFound('task'))
    return { status: 201, headers: { location: `/api/tasks/${id}/ball`, etag: taskTag(outcome) }, body: hold }
  }))

  app.post('/tasks/:id/ball/ack', {
    config: { permission: 'ball:pass', inProject: idIs('task') },
    schema: { operationId: 'acknowledgeBall', summary: 'Say that I have seen the ball in my court', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Hold), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { params: { id } } = request
    const view = viewOf(request)
    const mine = await acknowledge(db, { taskId: id, view, origin: originOf(request) }) ?? raise(new NotFound('task'))
    if (!mine) throw new NotYourBall()
    const hold = await findCurrentHold(db, { taskId: id, view }) ?? raise(new NotFound('task'))
    return { status: 200, body: hold }
  }))

  app.post('/tasks/:id/ball/nudge', {
    config: { permission: 'ball:pass', inProject: idIs('task') },
    preValidation: async (request) => { request.body ??= {} }, // there need be nothing to say
    schema: { operationId: 'nudgeHolder', summary: 'Remind whoever holds the ball', tags, params: IdParams, body: NudgeHolder, querystring: NoQuery, response: { 200: ref(Hold), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { params: { id }, body: { note } } = request
    const view = viewOf(request)
    const { court, done, wait_seconds: wait } = await nudge(db, { taskId: id, note, view, origin: originOf(request) }) ?? raise(new NotFound('task'))
    if (court !== 'theirs') throw new { nobodys: NobodysBall, outside: BallOutside, own: OwnBall }[court]()
    if (!done) {
      const seconds = wait ?? NUDGE_AGAIN_AFTER_MINUTES * 60
      reply.header('retry-after', seconds)
      throw new NudgedAlready(seconds)
    }
    return { status: 200, body: await findCurrentHold(db, { taskId: id, view }) ?? raise(new NotFound('task')) }
  }))

  async function pauseOrResume (db: Db, request: FastifyRequest, id: string, reason?: string) {
    const view = viewOf(request)
    const { is_held: isHeld, done } = await setPaused(db, { taskId: id, reason, view, origin: originOf(request) }) ?? raise(new NotFound('task'))
    if (!isHeld) throw new NobodysBall()
    if (!done) throw reason === undefined ? new BallNotPaused() : new BallPaused()
    return { status: 200, body: await findCurrentHold(db, { taskId: id, view }) ?? raise(new NotFound('task')) }
  }

  app.post('/tasks/:id/ball/pause', {
    config: { permission: 'ball:pass', inProject: idIs('task') },
    schema: { operationId: 'pauseBall', summary: 'Stop the holder\'s clock, and say why', tags, params: IdParams, body: PauseBall, querystring: NoQuery, response: { 200: ref(Hold), ...problems } }
  }, (request, reply) => app.once(request, reply, (db) => pauseOrResume(db, request, request.params.id, request.body.reason)))

  app.post('/tasks/:id/ball/resume', {
    config: { permission: 'ball:pass', inProject: idIs('task') },
    schema: { operationId: 'resumeBall', summary: 'Let the holder\'s clock go on', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Hold), ...problems } }
  }, (request, reply) => app.once(request, reply, (db) => pauseOrResume(db, request, request.params.id)))
}
