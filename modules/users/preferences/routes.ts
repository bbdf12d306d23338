import createError from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { SELF } from '../../../plugins/auth/index.js'
import { withMembers } from '../../../plugins/errors.js'
import { sendVersioned, stale, versionsOf } from '../../shared/etags.js'
import { IfMatch, IfNoneMatch, NoQuery, problems, ref } from '../../shared/schemas.js'
import { findPreferences, setPreferences } from './queries.js'
import { defaults, Preferences, SetPreferences } from './schemas.js'

const tags = ['users']
const config = { permission: SELF }
const UnknownProject = createError('EDEN_UNKNOWN_PROJECT', 'default_project_id names no project', 422)

export const preferenceRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/me/preferences', {
    config,
    schema: { operationId: 'getMyPreferences', summary: 'How I want things to look', tags, headers: IfNoneMatch, querystring: NoQuery, response: { 200: ref(Preferences), ...problems } }
  }, async (request, reply) => sendVersioned(request, reply, await findPreferences(app.db, request.actor)))

  app.put('/me/preferences', {
    config,
    schema: { operationId: 'setMyPreferences', summary: 'Say how I want things to look; what is left out has its default', tags, headers: IfMatch, body: SetPreferences, querystring: NoQuery, response: { 200: ref(Preferences), ...problems } }
  }, async (request, reply) => {
    const { actor, body, headers } = request
    const versions = versionsOf(headers['if-match'])
    const { written, project_seen: projectSeen } = await setPreferences(app.db, { actor, values: { ...defaults, ...body }, versions })
    if (!projectSeen) throw withMembers(new UnknownProject(), { errors: [{ path: 'default_project_id', message: 'names no project' }] })
    const now = await findPreferences(app.db, actor)
    if (!written && versions?.includes(now.version) === false) throw stale(now.version)
    return sendVersioned(request, reply, now)
  })
}
