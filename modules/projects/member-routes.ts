import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Actor } from '../../plugins/auth/index.js'
import { NotFound, raise } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { onRecord, watchRefusedGrants } from '../shared/grants.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { idIs } from '../shared/project-scope.js'
import { Deleted, Id, IdParams, NoQuery, problems, ref } from '../shared/schemas.js'
import { countMembers, findMember, listMembers, removeMember, setMember } from './members.js'
import { findProject } from './queries.js'
import { Member, SetMember } from './schemas.js'

const tags = ['projects']
const listQuery = Type.Object(pageParameters(['name'], 'name'), { additionalProperties: false })
const memberParams = Type.Object({ id: Id, user_id: Id })

export const memberRoutes: FastifyPluginAsyncTypebox = async (app) => {
  watchRefusedGrants(app)
  const seen = async (actor: Actor, id: string) => await findProject(app.db, { actor, id }) ?? raise(new NotFound('project'))

  app.get('/:id/members', {
    config: { permission: 'projects:read', inProject: idIs('project') },
    schema: { operationId: 'listMembers', summary: 'The people on a project', tags, params: IdParams, querystring: listQuery, response: { 200: Type.Array(ref(Member)), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, query: { count, ...page } } = request
    const [rows, total] = await Promise.all([
      listMembers(app.db, { projectId: id, actor, page }),
      count === true ? countMembers(app.db, { projectId: id, actor }) : undefined
    ])
    if (rows.length === 0) await seen(actor, id)
    return sendPage(request, reply, rows, total)
  })

  app.put('/:id/members/:user_id', {
    config: { permission: 'projects:write', inProject: idIs('project') },
    schema: { operationId: 'setMember', summary: 'Put a person on a project, or change their role there', tags, params: memberParams, body: SetMember, querystring: NoQuery, response: { 200: ref(Member), ...problems } }
  }, async (request) => {
    const { actor, params: { id: projectId, user_id: userId }, body: { role } } = request
    await seen(actor, projectId)
    await setMember(app.db, { projectId, userId, role, actor, origin: originOf(request), record: onRecord(request) })
    return await findMember(app.db, { projectId, userId }) ?? raise(new NotFound('member'))
  })

  app.delete('/:id/members/:user_id', {
    config: { permission: 'projects:write', inProject: idIs('project') },
    schema: { operationId: 'removeMember', summary: 'Take a person off a project', tags, params: memberParams, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { actor, params: { id: projectId, user_id: userId } } = request
    await seen(actor, projectId)
    if (!await removeMember(app.db, { projectId, userId, actor, origin: originOf(request), record: onRecord(request) })) throw new NotFound('member')
    return { deleted: true as const, id: userId }
  })
}
