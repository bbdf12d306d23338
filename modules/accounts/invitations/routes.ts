import createError from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { recordAudit } from '../../../plugins/audit/record.js'
import { InvalidValue, raise, withMembers } from '../../../plugins/errors.js'
import { NoQuery, problems, ref } from '../../shared/schemas.js'
import { inTransaction } from '../../shared/transaction.js'
import { updateUser } from '../../users/index.js'
import { LinkNotGood, MailUnavailable, PasswordThere } from '../errors.js'
import { findLink, redeemLink } from '../links/queries.js'
import { requestMail } from '../mails/queries.js'
import type { Hasher } from '../passwords/hasher.js'
import { needGoodPassword } from '../passwords/routes.js'
import { Accepted, AcceptInvitation, Invite, SignedIn } from '../schemas.js'
import { welcomeOwner } from '../sign-in/lockout.js'
import { findAccount } from '../sign-in/queries.js'
import { lifetimesOf, needSecret, openFor, signedIn } from '../signed-in.js'
import { addressOf } from '../../../plugins/proxies.js'

const tags = ['accounts']
const UnknownUser = createError<[string]>('EDEN_UNKNOWN_USER', '%s names nobody', 422)
const InactivePerson = createError<[string]>('EDEN_INACTIVE_PERSON', '%s names someone who has left', 422)

export const invitationRoutes: FastifyPluginAsyncTypebox<{ hasher: Hasher, post: () => void }> = async (app, { hasher, post }) => {
  app.post('/auth/invitations', {
    config: { permission: 'users:write' },
    schema: { operationId: 'invitePerson', summary: 'Invite somebody who has no password yet, by e-mail', tags, body: Invite, querystring: NoQuery, response: { 202: ref(Accepted), ...problems } }
  }, async (request, reply) => {
    const answer = await app.once(request, reply, (db) => inTransaction(db, async (trx) => {
      const { actor, body: { user_id: id, email } } = request
      if (id !== undefined && email !== undefined) throw withMembers(new InvalidValue('email is superfluous beside user_id'), { errors: [{ path: 'email', message: 'is superfluous beside user_id' }] })
      if (!app.mailer.isOn) throw new MailUnavailable()
      const path = id === undefined ? 'email' : 'user_id'
      const refuse = (error: Error, message: string) => withMembers(error, { errors: [{ path, message }] })
      const account = await findAccount(trx, id === undefined ? { email: email as string } : { id }) ?? raise(refuse(new UnknownUser(path), 'names nobody'))
      if (!account.is_active) throw refuse(new InactivePerson(path), 'names someone who has left')
      if (account.password_hash !== null) throw new PasswordThere()
      await requestMail(trx, { purpose: 'invitation', email: account.email, invitedBy: actor.id })
      await recordAudit(trx, request, { event: 'invited', targetType: 'user', targetId: account.id })
      return { status: 202, body: { accepted: true as const } }
    }))
    post()
    return answer
  })

  // Answers with secrets: no Idempotency-Key, whose answers are kept.
  app.post('/auth/invitations/accept', {
    config: { rateLimit: 'sign_in' },
    schema: { operationId: 'acceptInvitation', summary: 'Choose a password by an invitation, and sign in', tags, body: AcceptInvitation, querystring: NoQuery, response: { 200: ref(SignedIn), ...problems } }
  }, async (request, reply) => {
    needSecret(app)
    const { token, password, name } = request.body
    const owner = await findLink(app.db, token, 'invitation') ?? raise(new LinkNotGood())
    const person = { ...owner, name: name ?? owner.name }
    needGoodPassword('password', password, person)
    const passwordHash = await hasher.hash(password)
    const opened = await inTransaction(app.db, async (trx) => {
      const userId = await redeemLink(trx, { token, purpose: 'invitation', passwordHash }) ?? raise(new LinkNotGood())
      if (name !== undefined) await updateUser(trx, { id: userId, set: { name }, origin: { actorId: userId, requestId: request.id } })
      await recordAudit(trx, request, { event: 'invitation_accepted', actorId: userId, targetType: 'user', targetId: userId })
      return await openFor(trx, request, { userId, passwordHash }, lifetimesOf(app.config)) ?? raise(new LinkNotGood())
    })
    if (name !== undefined) app.events.poke()
    await welcomeOwner(app.db, { email: owner.email, ip: addressOf(request), now: app.clock() }) // who has the mailbox is the owner
    reply.header('cache-control', 'no-store')
    return signedIn(app, opened, person)
  })
}
