import jwt from '@fastify/jwt'
import Fastify from 'fastify'
import pg from 'pg'
import { accessTokens } from '../plugins/auth/access-tokens.js'

/**
 * `npm run token -- <email>`: prints an access token for a person, good for 15 minutes. For scripts and first steps where
 * the development headers are off; whoever can run it has the secret anyway.
 * @throws Error when there is no such active person
 */
export async function printToken (connectionString: string, secret: string, [email = '']: string[]): Promise<void> {
  const client = new pg.Client(connectionString)
  await client.connect()
  const { rows: [user] } = await client.query<{ id: string }>('select id from users where email = $1::citext and is_active', [email])
  await client.end()
  if (user === undefined) throw new Error(`there is no active person with the address "${email}"\nusage: npm run --silent token -- admin@edenmep.ca`)
  const app = Fastify()
  await app.register(jwt, accessTokens(secret))
  console.log(app.jwt.sign({ sub: user.id }))
}
