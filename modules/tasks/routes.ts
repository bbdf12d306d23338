import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Db } from '../../plugins/database/index.js'
import { NotFound, raise, withMembers } from '../../plugins/errors.js'
import { originOf } from '../activity/index.js'
import { findProject } from '../projects/index.js'
import { sendVersioned, versionsOf } from '../shared/etags.js'
import { sendPage } from '../shared/pagination.js'
import { anyProject, bodyNames, idIs } from '../shared/project-scope.js'
import { Deleted, IdParams, IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../shared/schemas.js'
import { findTaskAsOf } from './as-of.js'
import { changeTasks } from './change.js'
import { taskTag } from './columns.js'
import { finished, inactive, NothingToChange, refusalOf, TwiceInBulk, unknownParent, unknownProject } from './errors.js'
import { mergeTask } from './merge.js'
import { isFinished } from './rules.js'
import { countTasks, createTask, findTask, listTasks, setTaskDeleted, type View } from './queries.js'
import { BulkUpdate, CreateProjectTask, CreateTask, GetTask, ListAllTasks, ListProjectTasks, Task, UpdateTask, type TaskQuery } from './schemas.js'

const tags = ['tasks']

export const taskRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const viewOf = ({ actor }: FastifyRequest): View => ({ actor, now: app.clock() })

  async function list (request: FastifyRequest, reply: FastifyReply, { limit, cursor, sort, count, ...filter }: TaskQuery) {
    const view = viewOf(request)
    const [rows, total] = await Promise.all([
      listTasks(app.db, { filter, view, page: { limit, cursor, sort } }),
      count === true ? countTasks(app.db, { filter, view }) : undefined
    ])
    return sendPage(request, reply, rows, total)
  }

  async function create (db: Db, request: FastifyRequest, values: CreateTask) {
    if (isFinished(values.status) && values.ball_in_court != null) throw finished('ball_in_court')
    const created = await createTask(db, { values, view: viewOf(request), origin: originOf(request) })
    if ('refused' in created) {
      const { refused } = created
      throw refused === 'project' ? unknownProject() : refused === 'parent' ? unknownParent() : inactive(refused)
    }
    return { status: 201, headers: { location: `/api/tasks/${created.task.id}`, etag: taskTag(created.task) }, body: created.task }
  }

  app.get('/tasks', {
    config: { permission: 'tasks:read', inProject: anyProject },
    schema: { operationId: 'listTasks', summary: 'Tasks of all projects that I see', tags, querystring: ListAllTasks, response: { 200: Type.Array(ref(Task)), ...problems } }
  }, (request, reply) => list(request, reply, request.query))

  app.get('/projects/:id/tasks', {
    config: { permission: 'tasks:read', inProject: idIs('project') },
    schema: { operationId: 'listProjectTasks', summary: 'Tasks of one project', tags, params: IdParams, querystring: ListProjectTasks, response: { 200: Type.Array(ref(Task)), ...problems } }
  }, async (request, reply) => {
    const { actor, params: { id }, query } = request
    const tasks = await list(request, reply, { ...query, project: [id] })
    if (tasks.length === 0) await findProject(app.db, { actor, id }) ?? raise(new NotFound('project'))
    return tasks
  })

  app.post('/tasks', {
    config: { permission: 'tasks:write', inProject: bodyNames<CreateTask>('project', ({ project_id: id }) => [id]) },
    schema: { operationId: 'createTask', summary: 'Add a task', tags, body: CreateTask, querystring: NoQuery, response: { 201: ref(Task), ...problems } }
  }, (request, reply) => app.once(request, reply, (db) => create(db, request, request.body)))

  app.post('/projects/:id/tasks', {
    config: { permission: 'tasks:write', inProject: idIs('project') },
    schema: { operationId: 'createProjectTask', summary: 'Add a task to a project', tags, params: IdParams, body: CreateProjectTask, querystring: NoQuery, response: { 201: ref(Task), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    await findProject(db, { actor: request.actor, id: request.params.id }) ?? raise(new NotFound('project'))
    return create(db, request, { ...request.body, project_id: request.params.id })
  }))

  app.get('/tasks/:id', {
    config: { permission: 'tasks:read', inProject: idIs('task') },
    schema: { operationId: 'getTask', summary: 'One task, now or as it was', tags, params: IdParams, headers: IfNoneMatch, querystring: GetTask, response: { 200: ref(Task), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, query: { as_of: asOf } } = request
    const view = viewOf(request)
    const found = asOf === undefined ? await findTask(app.db, { id, view }) : await findTaskAsOf(app.db, { id, view, asOf })
    const task = found ?? raise(new NotFound('task'))
    return sendVersioned(request, reply, task, taskTag(task))
  })

  app.patch('/tasks/:id', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'updateTask', summary: 'Change a task', tags, params: IdParams, headers: IfMatch, body: UpdateTask, querystring: NoQuery, response: { 200: ref(Task), ...problems } }
  }, async (request, reply) => {
    const { params: { id }, body: { base_version: baseVersion, ...set }, headers } = request
    if (Object.keys(set).length === 0) throw withMembers(new NothingToChange(), { errors: [{ path: 'body', message: 'names no field to change' }] })
    const change = { id, set, versions: versionsOf(headers['if-match']) }
    const by = { view: viewOf(request), origin: originOf(request) }
    const outcome = baseVersion === undefined
      ? (await changeTasks(app.db, { changes: [change], ...by }))[0] ?? raise(new NotFound('task'))
      : await mergeTask(app.db, { ...change, baseVersion, ...by })
    const refusal = refusalOf(outcome)
    if (refusal !== undefined) throw refusal
    return sendVersioned(request, reply, outcome, taskTag(outcome))
  })

  app.post('/tasks/bulk', {
    config: { permission: 'tasks:write', inProject: bodyNames<BulkUpdate>('task', ({ changes }) => changes.map(({ id }) => id)) },
    schema: { operationId: 'changeTasks', summary: 'Change up to 500 tasks, all or none', tags, body: BulkUpdate, querystring: NoQuery, response: { 200: Type.Array(ref(Task)), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const changes = request.body.changes.map(({ id, version, set }) => ({ id: id.toLowerCase(), set, versions: version === undefined ? undefined : [version] }))
    if (new Set(changes.map(({ id }) => id)).size < changes.length) throw withMembers(new TwiceInBulk(), { errors: [{ path: 'changes', message: 'has a task twice' }] })
    const outcomes = await changeTasks(db, { changes, view: viewOf(request), origin: originOf(request) })
    const refused = outcomes.findIndex((outcome) => outcome.refused !== null)
    const refusal = refused === -1 ? undefined : refusalOf(outcomes[refused] as (typeof outcomes)[number])
    if (refusal !== undefined) throw withMembers(refusal, { ...(refusal as { members?: object }).members, errors: [{ path: `changes.${refused}`, message: refusal.message }] })
    return { status: 200, body: outcomes }
  }))

  app.delete('/tasks/:id', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'deleteTask', summary: 'Delete a task; it can be restored', tags, params: IdParams, headers: IfMatch, querystring: NoQuery, response: { 200: ref(Deleted), ...problems } }
  }, async (request) => {
    const { params: { id }, headers } = request
    await setTaskDeleted(app.db, { id, deleted: true, view: viewOf(request), versions: versionsOf(headers['if-match']), origin: originOf(request) })
    return { deleted: true as const, id }
  })

  app.post('/tasks/:id/restore', {
    config: { permission: 'tasks:write', inProject: idIs('task') },
    schema: { operationId: 'restoreTask', summary: 'Bring a deleted task back', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(Task), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { params: { id } } = request
    await setTaskDeleted(db, { id, deleted: false, view: viewOf(request), origin: originOf(request) })
    const task = await findTask(db, { id, view: viewOf(request) }) ?? raise(new NotFound('task'))
    return { status: 200, headers: { etag: taskTag(task) }, body: task }
  }))
}
