import multipart from '@fastify/multipart'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { NotFound, raise } from '../../../plugins/errors.js'
import { idempotencyKeyOf } from '../../../plugins/idempotency.js'
import { originOf } from '../../activity/index.js'
import { etag, sendVersioned, stale, versionsOf } from '../../shared/etags.js'
import { newId } from '../../shared/ids.js'
import { pageParameters, sendPage } from '../../shared/pagination.js'
import { idIs } from '../../shared/project-scope.js'
import { Deleted, IdParams, IfMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { findTask, type View } from '../queries.js'
import { giveUp } from './collect.js'
import { sendContent } from './content.js'
import { announceFile, countAttachments, createAttachment, deleteAttachment, findAttachment, listAttachments } from './queries.js'
import { Attachment, Upload } from './schemas.js'
import { receiveFile } from './upload.js'

const tags = ['tasks']
const listQuery = Type.Object(pageParameters(['created_at'], 'created_at'), { additionalProperties: false })
/** Of the type that the file is. */
const bytes = { '*/*': { schema: Type.Unsafe({ type: 'string', format: 'binary' }) } }
const contentHeaders = Type.Object({
  range: Type.Optional(Type.String({ description: 'one range of bytes: 206; several are answered with the whole file' })),
  'if-range': Type.Optional(Type.String({ description: 'the ETag of the file that the range is of' })),
  'if-none-match': Type.Optional(Type.String({ description: 'the ETag that the caller has: 304 when it is this one' }))
})

const viewOf = (app: FastifyInstance, { actor }: FastifyRequest): View => ({ actor, now: app.clock() })

export const attachmentRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.register(uploadRoute)

  app.get('/tasks/:id/attachments', {
    config: { permission: 'tasks:read', inProject: idIs('task') },
    schema: { operationId: 'listAttachments', summary: 'The files of a task', tags, params: IdParams, querystring: listQuery, response: { 200: Type.Array(ref(Attachment)), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, query: { count, ...page } } = request
    const [rows, total] = await Promise.all([
      listAttachments(app.db, { taskId: id, actor, page }),
      count === true ? countAttachments(app.db, { taskId: id, actor }) : undefined
    ])
    if (rows.length === 0) await findTask(app.db, { id, view: viewOf(app, request) }) ?? raise(new NotFound('task'))
    return sendPage(request, reply, rows, total)
  })

  app.get('/attachments/:id', {
    config: { permission: 'tasks:read', inProject: idIs('attachment') },
    schema: { operationId: 'getAttachment', summary: 'What is known of a file', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Attachment), ...problems } }
  }, async (request, reply) => {
    const attachment = await findAttachment(app.db, { id: request.params.id, actor: request.actor }) ?? raise(new NotFound('attachment'))
    return sendVersioned(request, reply, attachment)
  })

  app.get('/attachments/:id/content', {
    compress: false, // or lengths and ranges would be of something else
    config: { permission: 'tasks:read', inProject: idIs('attachment'), untimed: true },
    schema: {
      operationId: 'getAttachmentContent',
      summary: 'The bytes of a file, to be saved',
      tags,
      params: IdParams,
      headers: contentHeaders,
      querystring: NoQuery,
      response: {
        200: { description: 'the whole file, under its name and type', content: bytes },
        206: { description: 'the bytes that Range asks for', content: bytes },
        304: Type.Null({ description: 'the caller has it' }),
        ...problems
      }
    }
  }, async (request, reply) => {
    const attachment = await findAttachment(app.db, { id: request.params.id, actor: request.actor }) ?? raise(new NotFound('attachment'))
    return sendContent(app, request, reply, attachment)
  })

  app.delete('/attachments/:id', {
    config: { permission: 'tasks:write', inProject: idIs('attachment') },
    schema: { operationId: 'deleteAttachment', summary: 'Take a file away', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id }, headers } = request
    const { fresh, version } = await deleteAttachment(app.db, { id, versions: versionsOf(headers['if-match']), actor, origin: originOf(request) }) ?? raise(new NotFound('attachment'))
    if (!fresh) throw stale(version)
    return { deleted: true as const, id }
  })
}

/** A scope of its own: here, and nowhere else, bodies are forms. */
const uploadRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.removeAllContentTypeParsers()
  await app.register(multipart)

  app.post('/tasks/:id/attachments', {
    config: { permission: 'tasks:write', inProject: idIs('task'), untimed: true },
    schema: { operationId: 'createAttachment', summary: 'Add a file to a task', tags, params: IdParams, consumes: ['multipart/form-data'], form: Upload, querystring: NoQuery, response: { 201: ref(Attachment), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id: taskId } } = request
    // Nothing is received that will be refused anyway, and while it comes no connection of the database is held.
    idempotencyKeyOf(request)
    await findTask(app.db, { id: taskId, view: viewOf(app, request) }) ?? raise(new NotFound('task'))
    const { incoming, name, contentType } = await receiveFile(app, request)
    const file = { id: newId(), storage: app.storage.current }
    let isKept = false
    try {
      await announceFile(app.db, file)
      await app.storage.keep(file, incoming)
      // What an Idempotency-Key stands for: a repetition with other bytes is a mistake, one with the same adds nothing.
      const { size, sha256 } = incoming
      request.body = { name, size, sha256: sha256.toString('hex') }
      const attachment = await app.once(request, reply, async (db) => {
        const created = await createAttachment(db, { taskId, file: { id: file.id, name, contentType, size, sha256 }, actor, origin: originOf(request) }) ?? raise(new NotFound('task'))
        return { status: 201, headers: { location: `/api/attachments/${created.id}`, etag: etag(created.version) }, body: created }
      })
      isKept = attachment.id === file.id
      return attachment
    } finally {
      await app.storage.forget(incoming)
      if (!isKept) await giveUp(app.db, app.storage, file).catch((err) => request.log.warn({ err, file_id: file.id }, 'a file is left to be collected'))
    }
  })
}
