import createError from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import { NotFound, raise } from '../../../plugins/errors.js'
import { originOf } from '../../activity/index.js'
import { etag, sendVersioned, stale, versionsOf } from '../../shared/etags.js'
import { pageParameters, sendPage } from '../../shared/pagination.js'
import { idIs } from '../../shared/project-scope.js'
import { Deleted, IdParams, IfMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { findTask, type View } from '../queries.js'
import { countComments, countRevisions, createComment, findComment, listComments, listRevisions, setCommentDeleted, updateComment } from './queries.js'
import { Comment, CommentRevision, WriteComment } from './schemas.js'

const tags = ['comments']
const listQuery = Type.Object(pageParameters(['created_at'], 'created_at'), { additionalProperties: false })
const historyQuery = Type.Object(pageParameters(['at'], 'at'), { additionalProperties: false })
const NotYourComment = createError('EDEN_COMMENT_NOT_YOURS', 'only its author may change a comment', 403)

export const commentRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const viewOf = ({ actor }: FastifyRequest): View => ({ actor, now: app.clock() })

  app.get('/tasks/:id/comments', {
    config: { permission: 'comments:read', inProject: idIs('task') },
    schema: { operationId: 'listComments', summary: 'What people say about a task', tags, params: IdParams, querystring: listQuery, response: { 200: Type.Array(ref(Comment)), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, query: { count, ...page } } = request
    const [rows, total] = await Promise.all([
      listComments(app.db, { taskId: id, actor, page }),
      count === true ? countComments(app.db, { taskId: id, actor }) : undefined
    ])
    if (rows.length === 0) await findTask(app.db, { id, view: viewOf(request) }) ?? raise(new NotFound('task'))
    return sendPage(request, reply, rows, total)
  })

  app.post('/tasks/:id/comments', {
    config: { permission: 'comments:write', inProject: idIs('task') },
    schema: { operationId: 'createComment', summary: 'Say something about a task', tags, params: IdParams, body: WriteComment, querystring: NoQuery, response: { 201: ref(Comment), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { actor, params: { id: taskId }, body: { body } } = request
    const comment = await createComment(db, { taskId, body, actor, origin: originOf(request) }) ?? raise(new NotFound('task'))
    return { status: 201, headers: { location: `/api/comments/${comment.id}`, etag: etag(comment.version) }, body: comment }
  }))

  app.get('/comments/:id', {
    config: { permission: 'comments:read', inProject: idIs('comment') },
    schema: { operationId: 'getComment', summary: 'One comment', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Comment), ...problems } }
  }, async (request, reply) => {
    const comment = await findComment(app.db, { id: request.params.id, actor: request.actor }) ?? raise(new NotFound('comment'))
    return sendVersioned(request, reply, comment)
  })

  app.get('/comments/:id/history', {
    config: { permission: 'comments:read', inProject: idIs('comment') },
    schema: { operationId: 'listCommentHistory', summary: 'Every text that a comment had', tags, params: IdParams, querystring: historyQuery, response: { 200: Type.Array(ref(CommentRevision)), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, query: { count, ...page } } = request
    const [rows, total] = await Promise.all([
      listRevisions(app.db, { id, actor, page }),
      count === true ? countRevisions(app.db, { id, actor }) : undefined
    ])
    if (rows.length === 0) await findComment(app.db, { id, actor }) ?? raise(new NotFound('comment'))
    return sendPage(request, reply, rows, total)
  })

  app.patch('/comments/:id', {
    config: { permission: 'comments:write', inProject: idIs('comment') },
    schema: { operationId: 'updateComment', summary: 'Change my comment', tags, params: IdParams, headers: IfMatch, body: WriteComment, querystring: NoQuery, response: { 200: ref(Comment), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, body: { body }, headers } = request
    const edited = await updateComment(app.db, { id, body, actor, versions: versionsOf(headers['if-match']), origin: originOf(request) }) ?? raise(new NotFound('comment'))
    if (!edited.own) throw new NotYourComment()
    if (!edited.fresh) throw stale(edited.version)
    const comment = await findComment(app.db, { id, actor }) ?? raise(new NotFound('comment'))
    return sendVersioned(request, reply, comment)
  })

  app.delete('/comments/:id', {
    config: { permission: 'comments:write', inProject: idIs('comment') },
    schema: { operationId: 'deleteComment', summary: 'Delete a comment; it can be restored', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id }, headers } = request
    await setCommentDeleted(app.db, { id, deleted: true, actor, versions: versionsOf(headers['if-match']), origin: originOf(request) })
    return { deleted: true as const, id }
  })

  app.post('/comments/:id/restore', {
    config: { permission: 'comments:write', inProject: idIs('comment') },
    schema: { operationId: 'restoreComment', summary: 'Bring a deleted comment back', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Comment), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { actor, params: { id } } = request
    await setCommentDeleted(db, { id, deleted: false, actor, origin: originOf(request) })
    const comment = await findComment(db, { id, actor }) ?? raise(new NotFound('comment'))
    return { status: 200, headers: { etag: etag(comment.version) }, body: comment }
  }))
}
