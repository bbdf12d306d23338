import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SignInThrottled } from '../errors.js'
import { isOutdated, type Hasher } from '../passwords/hasher.js'
import { askLeave, takeBack, welcomeOwner } from './lockout.js'
import { findAccount, renewHash, type Account } from './queries.js'
import { addressOf } from '../../../plugins/proxies.js'

/**
 * Checks a password, as slowly as failures before it say. It does the same work whatever is wrong: an unknown address, someone
 * who has left or has no password, a wrong password.
 * @returns the active person whose it is, with the hash that it has now, or undefined
 * @throws SignInThrottled before anything is looked at
 */
export async function checkPassword ({ app, hasher }: { app: FastifyInstance, hasher: Hasher }, request: FastifyRequest, reply: FastifyReply, { email, password }: { email: string, password: string }): Promise<Account & { password_hash: string } | undefined> {
  const attempt = { email, ip: addressOf(request), now: app.clock() }
  const leave = await askLeave(app.db, attempt)
  if (!leave.mayTry) {
    app.security(request, 'sign_in_throttled', { seconds: String(leave.seconds) })
    reply.header('retry-after', leave.seconds)
    throw new SignInThrottled(leave.seconds)
  }
  const account = await findAccount(app.db, { email })
  const hash = account?.password_hash ?? undefined
  let isRight: boolean
  try {
    isRight = await hasher.verify(hash, password)
  } catch (error) {
    await takeBack(app.db, attempt) // it was not looked at
    throw error
  }
  if (account === undefined || hash === undefined || !isRight || !account.is_active) {
    const reason = account === undefined ? 'unknown address' : !account.is_active ? 'inactive person' : hash === undefined ? 'no password' : 'wrong password'
    app.security(request, 'sign_in_failed', { reason, target: account?.id })
    return undefined
  }
  await welcomeOwner(app.db, attempt)
  if (!isOutdated(hash)) return { ...account, password_hash: hash }
  const renewed = await hasher.hash(password)
  if (await renewHash(app.db, { userId: account.id, from: hash, to: renewed })) return { ...account, password_hash: renewed }
  // It was renewed by another sign-in at this moment, or changed: which of both, only the password tells.
  const now = (await findAccount(app.db, { id: account.id }))?.password_hash ?? undefined
  return now !== undefined && await hasher.verify(now, password) ? { ...account, password_hash: now } : undefined
}
