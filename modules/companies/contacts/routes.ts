import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotFound, raise } from '../../../plugins/errors.js'
import { originOf } from '../../activity/index.js'
import { etag, sendVersioned, stale, versionsOf } from '../../shared/etags.js'
import { pageParameters, sendPage } from '../../shared/pagination.js'
import { Deleted, IdParams, IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { findCompany } from '../queries.js'
import { Contact, CreateContact, UpdateContact } from '../schemas.js'
import { countContacts, createContact, findContact, listContacts, setContactDeleted, updateContact } from './queries.js'

const tags = ['companies']
const listQuery = Type.Object(pageParameters(['name'], 'name'), { additionalProperties: false })

export const contactRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/companies/:id/contacts', {
    config: { permission: 'companies:read' },
    schema: { operationId: 'listContacts', summary: 'Whom we talk to at a company', tags, params: IdParams, querystring: listQuery, response: { 200: Type.Array(ref(Contact)), ...problems } }
  }, async (request, reply) => {
    const { params: { id: companyId }, query: { count, ...page } } = request
    const [rows, total] = await Promise.all([listContacts(app.db, { companyId, page }), count === true ? countContacts(app.db, companyId) : undefined])
    if (rows.length === 0) await findCompany(app.db, companyId) ?? raise(new NotFound('company'))
    return sendPage(request, reply, rows, total)
  })

  app.post('/companies/:id/contacts', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'createContact', summary: 'Add a contact to a company', tags, params: IdParams, body: CreateContact, querystring: NoQuery, response: { 201: ref(Contact), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const contact = await createContact(db, { companyId: request.params.id, values: request.body, origin: originOf(request) }) ?? raise(new NotFound('company'))
    return { status: 201, headers: { location: `/api/contacts/${contact.id}`, etag: etag(contact.version) }, body: contact }
  }))

  app.get('/contacts/:id', {
    config: { permission: 'companies:read' },
    schema: { operationId: 'getContact', summary: 'One contact', tags, params: IdParams, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(Contact), ...problems } }
  }, async (request, reply) => {
    const contact = await findContact(app.db, request.params.id) ?? raise(new NotFound('contact'))
    return sendVersioned(request, reply, contact)
  })

  app.patch('/contacts/:id', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'updateContact', summary: 'Change a contact', tags, params: IdParams, headers: IfMatch, body: UpdateContact, querystring: NoQuery, response: { 200: ref(Contact), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, body: set, headers } = request
    const { fresh, version } = await updateContact(app.db, { id, set, versions: versionsOf(headers['if-match']), origin: originOf(request) }) ?? raise(new NotFound('contact'))
    if (!fresh) throw stale(version)
    return sendVersioned(request, reply, await findContact(app.db, id) ?? raise(new NotFound('contact')))
  })

  app.delete('/contacts/:id', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'deleteContact', summary: 'Delete a contact; it can be restored', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { params: { id }, headers } = request
    await setContactDeleted(app.db, { id, deleted: true, versions: versionsOf(headers['if-match']), origin: originOf(request) })
    return { deleted: true as const, id }
  })

  app.post('/contacts/:id/restore', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'restoreContact', summary: 'Bring a deleted contact back', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Contact), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { params: { id } } = request
    await setContactDeleted(db, { id, deleted: false, origin: originOf(request) })
    const contact = await findContact(db, id) ?? raise(new NotFound('contact'))
    return { status: 200, headers: { etag: etag(contact.version) }, body: contact }
  }))
}
