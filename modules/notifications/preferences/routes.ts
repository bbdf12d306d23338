import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { SELF } from '../../../plugins/auth/index.js'
import { InvalidValue, withMembers } from '../../../plugins/errors.js'
import { NoQuery, problems, ref } from '../../shared/schemas.js'
import { NotificationPreferences, SetNotificationPreferences } from '../schemas.js'
import { findPreferences, setPreferences } from './queries.js'

const tags = ['notifications']
const config = { permission: SELF }

export const preferenceRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/preferences', {
    config,
    schema: { operationId: 'getNotificationPreferences', summary: 'What I want to be told', tags, querystring: NoQuery, response: { 200: ref(NotificationPreferences), ...problems } }
  }, ({ actor }) => findPreferences(app.db, actor.id))

  app.put('/preferences', {
    config,
    schema: {
      operationId: 'setNotificationPreferences',
      summary: 'Say what I want to be told, all of it anew',
      tags,
      querystring: NoQuery,
      body: SetNotificationPreferences,
      response: { 200: ref(NotificationPreferences), ...problems }
    }
  }, async ({ actor, body }) => {
    const { quiet_hours: quiet } = body as SetNotificationPreferences
    if (quiet != null && quiet.from === quiet.to) throw withMembers(new InvalidValue('quiet hours end when they begin'), { errors: [{ path: 'quiet_hours.to', message: 'must not be when they begin' }] })
    await setPreferences(app.db, actor.id, body)
    return findPreferences(app.db, actor.id)
  })
}
