import { createHasher } from '../modules/accounts/index.js'
import type { Config } from '../plugins/config.js'

/** The password of everybody in the demo company: no secret, and never in production. */
export const DEMO_PASSWORD = 'whose court is the ball in'

/** @returns undefined in production, where nobody of the demo company signs in by a password that all know */
export async function demoPasswordHash ({ NODE_ENV: environment }: Pick<Config, 'NODE_ENV'>): Promise<string | undefined> {
  return environment === 'production' ? undefined : createHasher({ atOnce: 1, mostWaiting: 0 }).hash(DEMO_PASSWORD)
}
