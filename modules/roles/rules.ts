import createError from '@fastify/error'
import { GrantExceedsOwn } from '../shared/grants.js'

export const SystemRole = createError('EDEN_SYSTEM_ROLE', 'a role that ships with the system cannot be deleted', 409)
export const AdministratorWhole = createError('EDEN_ADMINISTRATOR_WHOLE', 'the role admin keeps every permission', 409)

/** What is asked for and not held: nobody can give, or take, what they do not hold. */
export function refuseBeyond (own: readonly string[], asked: readonly string[]): void {
  const beyond = asked.filter((code) => !own.includes(code))
  if (beyond.length > 0) throw new GrantExceedsOwn(beyond.sort().join(', '))
}
