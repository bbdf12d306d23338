import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotFound, raise } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { etag, sendVersioned, stale, versionsOf } from '../shared/etags.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { Deleted, IdParams, IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../shared/schemas.js'
import { countCompanies, createCompany, findCompany, listCompanies, setCompanyDeleted, updateCompany } from './queries.js'
import { Company, CompanyKind, CreateCompany, UpdateCompany } from './schemas.js'

const tags = ['companies']
const listQuery = Type.Object({
  ...pageParameters(['name'], 'name'),
  kind: Type.Optional(Type.Array(CompanyKind)),
  q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\p{Cc}\\p{Cs}]*$', description: 'what the name begins with, in whatever case' }))
}, { additionalProperties: false })

export const companyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/companies', {
    config: { permission: 'companies:read' },
    schema: { operationId: 'listCompanies', summary: 'The companies that we work with', tags, querystring: listQuery, response: { 200: Type.Array(ref(Company)), ...problems } }
  }, async (request, reply) => {
    const { kind, q, count, ...page } = request.query
    const filter = { kind, q }
    const [rows, total] = await Promise.all([listCompanies(app.db, { filter, page }), count === true ? countCompanies(app.db, filter) : undefined])
    return sendPage(request, reply, rows, total)
  })

  app.post('/companies', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'createCompany', summary: 'Add a company', tags, body: CreateCompany, querystring: NoQuery, response: { 201: ref(Company), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const company = await createCompany(db, { values: request.body, origin: originOf(request) }) ?? raise(new NotFound('company'))
    return { status: 201, headers: { location: `/api/companies/${company.id}`, etag: etag(company.version) }, body: company }
  }))

  app.get('/companies/:id', {
    config: { permission: 'companies:read' },
    schema: { operationId: 'getCompany', summary: 'One company', tags, params: IdParams, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(Company), ...problems } }
  }, async (request, reply) => {
    const company = await findCompany(app.db, request.params.id) ?? raise(new NotFound('company'))
    return sendVersioned(request, reply, company)
  })

  app.patch('/companies/:id', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'updateCompany', summary: 'Change a company', tags, params: IdParams, headers: IfMatch, body: UpdateCompany, querystring: NoQuery, response: { 200: ref(Company), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, body: set, headers } = request
    const { fresh, version } = await updateCompany(app.db, { id, set, versions: versionsOf(headers['if-match']), origin: originOf(request) }) ?? raise(new NotFound('company'))
    if (!fresh) throw stale(version)
    return sendVersioned(request, reply, await findCompany(app.db, id) ?? raise(new NotFound('company')))
  })

  app.delete('/companies/:id', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'deleteCompany', summary: 'Delete a company; it can be restored', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { params: { id }, headers } = request
    await setCompanyDeleted(app.db, { id, deleted: true, versions: versionsOf(headers['if-match']), origin: originOf(request) })
    return { deleted: true as const, id }
  })

  app.post('/companies/:id/restore', {
    config: { permission: 'companies:write' },
    schema: { operationId: 'restoreCompany', summary: 'Bring a deleted company back', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Company), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { params: { id } } = request
    await setCompanyDeleted(db, { id, deleted: false, origin: originOf(request) })
    const company = await findCompany(db, id) ?? raise(new NotFound('company'))
    return { status: 200, headers: { etag: etag(company.version) }, body: company }
  }))
}
