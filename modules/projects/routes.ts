import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotFound, raise } from '../../plugins/errors.js'
import { etag, sendVersioned, stale, versionsOf } from '../shared/etags.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { originOf } from '../activity/index.js'
import { anyProject, idIs } from '../shared/project-scope.js'
import { Deleted, IdParams, IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../shared/schemas.js'
import { countProjects, createProject, findProject, listProjects, setProjectDeleted, updateProject } from './queries.js'
import { CreateProject, Project, ProjectStatus, UpdateProject, Visibility } from './schemas.js'

const tags = ['projects']
const listQuery = Type.Object({
  ...pageParameters(['updated_at', 'created_at', 'name'], '-updated_at'),
  status: Type.Optional(Type.Array(ProjectStatus)),
  visibility: Type.Optional(Visibility),
  updated_since: Type.Optional(Type.String({ format: 'date-time', description: 'what changed since, deletions included; sort=updated_at reads it in order' }))
}, { additionalProperties: false })

export const projectRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/', {
    config: { permission: 'projects:read', inProject: anyProject },
    schema: { operationId: 'listProjects', summary: 'The projects that I see', tags, querystring: listQuery, response: { 200: Type.Array(ref(Project)), ...problems } }
  }, async (request, reply) => {
    const { actor, query: { limit, cursor, sort, count, ...filter } } = request
    const [rows, total] = await Promise.all([
      listProjects(app.db, { actor, filter, page: { limit, cursor, sort } }),
      count === true ? countProjects(app.db, { actor, filter }) : undefined
    ])
    return sendPage(request, reply, rows, total)
  })

  app.post('/', {
    config: { permission: 'projects:write' },
    schema: { operationId: 'createProject', summary: 'Add a project', tags, body: CreateProject, querystring: NoQuery, response: { 201: ref(Project), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const project = await createProject(db, { values: request.body, origin: originOf(request) })
    return { status: 201, headers: { location: `/api/projects/${project.id}`, etag: etag(project.version) }, body: project }
  }))

  app.get('/:id', {
    config: { permission: 'projects:read', inProject: idIs('project') },
    schema: { operationId: 'getProject', summary: 'One project', tags, params: IdParams, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(Project), ...problems } }
  }, async (request, reply) => {
    const project = await findProject(app.db, { actor: request.actor, id: request.params.id }) ?? raise(new NotFound('project'))
    return sendVersioned(request, reply, project)
  })

  app.patch('/:id', {
    config: { permission: 'projects:write', inProject: idIs('project') },
    schema: { operationId: 'updateProject', summary: 'Change a project', tags, params: IdParams, headers: IfMatch, body: UpdateProject, querystring: NoQuery, response: { 200: ref(Project), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, body: set, headers } = request
    const { project, fresh } = await updateProject(app.db, { actor, id, set, versions: versionsOf(headers['if-match']), origin: originOf(request) }) ?? raise(new NotFound('project'))
    if (!fresh) throw stale(project.version)
    return sendVersioned(request, reply, project)
  })

  app.delete('/:id', {
    config: { permission: 'projects:write', inProject: idIs('project') },
    schema: { operationId: 'deleteProject', summary: 'Delete a project; it can be restored', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id }, headers } = request
    await setProjectDeleted(app.db, { actor, id, deleted: true, versions: versionsOf(headers['if-match']), origin: originOf(request) })
    return { deleted: true as const, id }
  })

  app.post('/:id/restore', {
    config: { permission: 'projects:write', inProject: idIs('project') },
    schema: { operationId: 'restoreProject', summary: 'Bring a deleted project back', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Project), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { actor, params: { id } } = request
    await setProjectDeleted(db, { actor, id, deleted: false, origin: originOf(request) })
    const project = await findProject(db, { actor, id }) ?? raise(new NotFound('project'))
    return { status: 200, headers: { etag: etag(project.version) }, body: project }
  }))
}
