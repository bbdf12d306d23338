import createError from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NotFound, withMembers } from '../../../plugins/errors.js'
import { originOf } from '../../activity/index.js'
import { stale, versionsOf } from '../../shared/etags.js'
import { idIs } from '../../shared/project-scope.js'
import { IdParams, IfMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { taskTag } from '../columns.js'
import { unknownParent, unknownProject } from '../errors.js'
import { MOST_CHANGES } from '../rules.js'
import { Task } from '../schemas.js'
import { moveTask, type Moved, type MoveRefused } from './queries.js'
import { MoveTask } from './schemas.js'

const AlreadyThere = createError('EDEN_ALREADY_IN_PROJECT', 'the task is in that project already', 409)
const FamilyTooLarge = createError('EDEN_FAMILY_TOO_LARGE', `more than ${MOST_CHANGES} tasks would have to move: move parts of them first`, 422)
const OutOfSight = createError<[string]>('EDEN_OUT_OF_SIGHT', 'would lose sight of what is theirs to do: %s', 422)

const errors: Record<MoveRefused, (moved: Moved) => Error> = {
  not_found: () => new NotFound('task'),
  stale: ({ current_version: version }) => stale(version),
  project: unknownProject,
  same_project: () => new AlreadyThere(),
  parent: unknownParent,
  too_large: () => new FamilyTooLarge(),
  out_of_sight: ({ lost }) => {
    const people = lost ?? []
    return withMembers(new OutOfSight([...new Set(people.map(({ name }) => name))].join(', ')), { errors: people.map(({ field, name }) => ({ path: field, message: `is ${name}, who does not see that project` })) })
  }
}

export const moveRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/tasks/:id/move', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'moveTask', summary: 'Move a task, with all that is under it, to another project', tags: ['tasks'], params: IdParams, headers: IfMatch, body: MoveTask, querystring: NoQuery, response: { 200: ref(Task), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { actor, params: { id }, body: to, headers } = request
    const moved = await moveTask(db, { id, to, versions: versionsOf(headers['if-match']), view: { actor, now: app.clock() }, origin: originOf(request) })
    if (moved.refused !== null) throw errors[moved.refused](moved)
    return { status: 200, headers: { etag: taskTag(moved) }, body: moved }
  }))
}
