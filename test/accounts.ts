import { hash } from '@node-rs/argon2'
import type { LightMyRequestResponse } from 'fastify'
import type { Person, TestApp } from './helper.js'

export const PASSWORD = 'correct horse battery staple'

/** A cheap hash: it is verified with the parameters that are in it, and renewed at the first sign-in. */
const cheap = (password: string) => hash(password, { memoryCost: 8, timeCost: 1, parallelism: 1 })

/** Gives a person a password, past the service. */
export async function givePassword (s: TestApp, { id }: Person, password = PASSWORD): Promise<void> {
  await s.query('insert into user_credentials (user_id, password_hash) values ($1, $2) on conflict (user_id) do update set password_hash = excluded.password_hash', [id, await cheap(password)])
}

interface From { ip?: string, headers?: Record<string, string> }

/** What a client may do that has no identity yet, from whatever address. */
export function clientOf (s: Pick<TestApp, 'app'>) {
  const post = (path: string, body: unknown, { ip = '203.0.113.5', headers = {} }: From = {}): Promise<LightMyRequestResponse> =>
    s.app.inject({ method: 'POST', url: `/api/auth${path}`, remoteAddress: ip, headers, payload: body as object })
  return {
    post,
    login: (email: string, password = PASSWORD, from?: From) => post('/login', { email, password }, from),
    refresh: (token: string, from?: From) => post('/refresh', { refresh_token: token }, from),
    /** The status of `GET /api/me` with an access token. */
    me: async (token: string) => (await s.app.inject({ url: '/api/me', headers: { authorization: `Bearer ${token}` } })).statusCode,
    bearer: (token: string) => ({ authorization: `Bearer ${token}` })
  }
}

/** How often something was counted, by its name and labels in `/metrics`. */
export async function counted ({ app }: Pick<TestApp, 'app'>, series: string): Promise<number> {
  const line = (await app.inject('/metrics')).body.split('\n').find((one) => one.startsWith(`${series} `))
  return Number(line?.split(' ')[1])
}
