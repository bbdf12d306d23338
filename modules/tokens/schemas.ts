import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, OneOf, Person, ref, Timestamp } from '../shared/schemas.js'

const scope = Type.String({ pattern: '^[a-z_]{1,40}:[a-z_]{1,40}$', description: 'the code of a permission' })

/** What a token can be: `revoked` also when it would have expired meanwhile. */
export const states = ['live', 'expired', 'revoked'] as const
export const State = OneOf(states)

const fields = {
  id: Id,
  name: Type.String(),
  scopes: Type.Array(scope, { description: 'what it may do, as far as its holder may' }),
  state: State,
  created_at: Timestamp,
  expires_at: Timestamp,
  revoked_at: Nullable(Timestamp),
  last_used_at: Nullable(Timestamp, { description: 'to the minute, and only what went well' }),
  last_used_ip: Nullable(Type.String())
}

export const ApiToken = Type.Object(fields, { $id: 'ApiToken', description: 'a personal access token, without what makes it one' })

export const NewApiToken = Type.Object({
  ...fields,
  token: Type.String({ description: 'the token itself: shown here and never again' })
}, { $id: 'NewApiToken' })

export const HeldApiToken = Type.Object({ ...fields, holder: ref(Person) }, { $id: 'HeldApiToken', description: 'a personal access token of anyone' })

export const CreateApiToken = Type.Object({
  name: Line(100),
  scopes: Type.Array(scope, { minItems: 1, maxItems: 100, uniqueItems: true, description: 'permissions that the caller has' }),
  expires_at: Type.String({ format: 'date-time', description: 'within what `API_TOKEN_MAX_DAYS` allows' })
}, { additionalProperties: false })
export type CreateApiToken = Static<typeof CreateApiToken>
