import createError from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { NotFound, raise } from '../../plugins/errors.js'
import { pageParameters, sendPage } from '../shared/pagination.js'
import { IdParams, NoQuery, OneOf, problems, ref } from '../shared/schemas.js'
import { countRuns, findRun, listRuns } from './queries.js'
import { Job, JobName, JobRun, RequestJobRun, states } from './schemas.js'

const tags = ['operations']
const UnknownJob = createError('EDEN_UNKNOWN_JOB', 'there is no such job: %s', 422)
const JobWaiting = createError('EDEN_JOB_WAITING', 'a run of this job has not begun yet: it does what this one would', 409)
const listQuery = Type.Object({
  ...pageParameters(['created_at'], '-created_at'),
  job: Type.Optional(Type.Array(JobName, { maxItems: 50 })),
  state: Type.Optional(Type.Array(OneOf(states)))
}, { additionalProperties: false })

export const jobRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/', {
    config: { permission: 'jobs:read' },
    schema: { operationId: 'listJobs', summary: 'What is done by the clock: when it ran last and how that went, when it runs next', tags, querystring: NoQuery, response: { 200: Type.Array(ref(Job)), ...problems } }
  }, async () => {
    const last = new Map((await app.jobs.lastRuns()).map((run) => [run.job, run]))
    return app.jobs.list().map(({ name, description, cron, attempts, next_run_at: next }) => ({
      name, description, schedule: cron, timezone: app.config.JOBS_TIMEZONE, attempts, next_run_at: next.toISOString(), last_run: last.get(name) ?? null
    }))
  })

  app.get('/runs', {
    config: { permission: 'jobs:read' },
    schema: { operationId: 'listJobRuns', summary: 'What jobs did', tags, querystring: listQuery, response: { 200: Type.Array(ref(JobRun)), ...problems } }
  }, async (request, reply) => {
    const { count, job, state, ...page } = request.query
    const [rows, total] = await Promise.all([listRuns(app.db, { job, state }, page), count === true ? countRuns(app.db, { job, state }) : undefined])
    return sendPage(request, reply, rows, total)
  })

  app.get('/runs/:id', {
    config: { permission: 'jobs:read' },
    schema: { operationId: 'getJobRun', summary: 'What one run did', tags, params: IdParams, querystring: NoQuery, response: { 200: ref(JobRun), ...problems } }
  }, async ({ params: { id } }) => await findRun(app.db, id) ?? raise(new NotFound('run')))

  app.post('/runs', {
    config: { permission: 'jobs:run' },
    schema: { operationId: 'runJob', summary: 'Run a job as soon as an instance is free', tags, querystring: NoQuery, body: RequestJobRun, response: { 201: ref(JobRun), ...problems } }
  }, (request, reply) => app.once(request, reply, async (db) => {
    const { actor, body: { job } } = request
    if (!app.jobs.list().some(({ name }) => name === job)) throw new UnknownJob(job)
    const id = await app.jobs.request(db, job, actor.id) ?? raise(new JobWaiting())
    return { status: 201, headers: { location: `/api/admin/jobs/runs/${id}` }, body: await findRun(db, id) ?? raise(new NotFound('run')) }
  }))
}
