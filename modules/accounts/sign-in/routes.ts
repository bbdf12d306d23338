import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { raise } from '../../../plugins/errors.js'
import { NoQuery, problems, ref } from '../../shared/schemas.js'
import { inTransaction } from '../../shared/transaction.js'
import { SignInFailed } from '../errors.js'
import type { Hasher } from '../passwords/hasher.js'
import { SignedIn, SignIn } from '../schemas.js'
import { lifetimesOf, needSecret, openFor, signedIn } from '../signed-in.js'
import { checkPassword } from './check.js'

export const signInRoutes: FastifyPluginAsyncTypebox<{ hasher: Hasher }> = async (app, { hasher }) => {
  // Answers with secrets: no Idempotency-Key, whose answers are kept.
  app.post('/auth/login', {
    config: { rateLimit: 'sign_in' },
    schema: { operationId: 'signIn', summary: 'Sign in by password', tags: ['accounts'], body: SignIn, querystring: NoQuery, response: { 200: ref(SignedIn), ...problems } }
  }, async (request, reply) => {
    needSecret(app)
    const account = await checkPassword({ app, hasher }, request, reply, request.body) ?? raise(new SignInFailed())
    const opened = await inTransaction(app.db, (trx) => openFor(trx, request, { userId: account.id, passwordHash: account.password_hash }, lifetimesOf(app.config))) ?? raise(new SignInFailed())
    if (opened.hasEnded) await app.actors.settled()
    reply.header('cache-control', 'no-store')
    return signedIn(app, opened, account)
  })
}
