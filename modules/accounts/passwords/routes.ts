import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { recordAudit } from '../../../plugins/audit/record.js'
import { SELF } from '../../../plugins/auth/index.js'
import { raise, withMembers } from '../../../plugins/errors.js'
import { NoQuery, problems, ref } from '../../shared/schemas.js'
import { inTransaction } from '../../shared/transaction.js'
import { LinkNotGood, PasswordRefused, PasswordWrong } from '../errors.js'
import { findLink, redeemLink } from '../links/queries.js'
import { requestMail } from '../mails/queries.js'
import { Accepted, ChangePassword, EndedSessions, ForgotPassword, ResetPassword } from '../schemas.js'
import { endSessions } from '../sessions/queries.js'
import { checkPassword } from '../sign-in/check.js'
import { welcomeOwner } from '../sign-in/lockout.js'
import type { Hasher } from './hasher.js'
import { changePassword } from './queries.js'
import { passwordProblem } from './rules.js'
import { addressOf } from '../../../plugins/proxies.js'

const tags = ['accounts']

/** @throws PasswordRefused that names the field */
export function needGoodPassword (path: string, password: string, owner: { email: string, name: string }): void {
  const message = passwordProblem(password, owner)
  if (message !== undefined) throw withMembers(new PasswordRefused(`${path} ${message}`), { errors: [{ path, message }] })
}

/** What no answer is kept of: no route here takes an Idempotency-Key, for the hash of a request would be one of a password. */
export const passwordRoutes: FastifyPluginAsyncTypebox<{ hasher: Hasher, post: () => void }> = async (app, { hasher, post }) => {
  app.post('/auth/password', {
    config: { permission: SELF },
    schema: { operationId: 'changePassword', summary: 'Change my password; my other sessions end', tags, body: ChangePassword, querystring: NoQuery, response: { 200: ref(EndedSessions), ...problems } }
  }, async (request, reply) => {
    const { actor, proof, body: { current_password: current, new_password: wanted } } = request
    needGoodPassword('new_password', wanted, actor)
    const wrong = () => withMembers(new PasswordWrong(), { errors: [{ path: 'current_password', message: 'is wrong' }] })
    const account = await checkPassword({ app, hasher }, request, reply, { email: actor.email, password: current }) ?? raise(wrong())
    const hash = await hasher.hash(wanted)
    const ended = await inTransaction(app.db, async (trx) => {
      if (!await changePassword(trx, { userId: actor.id, from: account.password_hash, to: hash })) throw wrong()
      const sessions = await endSessions(trx, { userId: actor.id, but: proof.sessionId, reason: 'password_changed' })
      await recordAudit(trx, request, { event: 'password_changed', targetType: 'user', targetId: actor.id, details: { sessions } })
      return sessions
    })
    await app.actors.settled()
    return { ended_sessions: ended }
  })

  // The same statement for every address; who it belongs to is looked at after the answer.
  app.post('/auth/password/forgot', {
    config: { rateLimit: 'sign_in' },
    schema: { operationId: 'forgotPassword', summary: 'Have a link sent that resets a password', tags, body: ForgotPassword, querystring: NoQuery, response: { 202: ref(Accepted), ...problems } }
  }, async (request, reply) => {
    if (app.mailer.isOn) {
      await requestMail(app.db, { purpose: 'password_reset', email: request.body.email })
      post()
    }
    app.security(request, 'password_reset_requested')
    reply.code(202)
    return { accepted: true as const }
  })

  app.post('/auth/password/reset', {
    config: { rateLimit: 'sign_in' },
    schema: { operationId: 'resetPassword', summary: 'Set a new password by a link; all sessions end', tags, body: ResetPassword, querystring: NoQuery, response: { 200: ref(EndedSessions), ...problems } }
  }, async (request) => {
    const { token, new_password: password } = request.body
    const owner = await findLink(app.db, token, 'password_reset') ?? raise(new LinkNotGood())
    needGoodPassword('new_password', password, owner)
    const passwordHash = await hasher.hash(password)
    const ended = await inTransaction(app.db, async (trx) => {
      const userId = await redeemLink(trx, { token, purpose: 'password_reset', passwordHash }) ?? raise(new LinkNotGood())
      const sessions = await endSessions(trx, { userId, reason: 'password_reset' })
      await recordAudit(trx, request, { event: 'password_reset', actorId: userId, targetType: 'user', targetId: userId, details: { sessions } })
      return sessions
    })
    await app.actors.settled()
    await welcomeOwner(app.db, { email: owner.email, ip: addressOf(request), now: app.clock() }) // who has the mailbox is the owner
    return { ended_sessions: ended }
  })
}
