import { Type, type Static, type TSchema } from 'typebox'

/** A `$ref` that keeps its static type. */
export const ref = <T extends TSchema>(schema: T) => Type.Unsafe<Static<T>>({ $ref: `${(schema as { $id?: string }).$id}#` })

/** How every error is answered (RFC 9457). */
export const Problem = Type.Object({
  type: Type.String({ description: 'a URN that ends in the code' }),
  title: Type.String({ description: 'the phrase of the HTTP status' }),
  status: Type.Integer(),
  detail: Type.String({ description: 'what is wrong, for a person' }),
  instance: Type.String({ description: 'the path that was asked' }),
  code: Type.String({ description: 'what is wrong, for a program: stable' }),
  request_id: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), { description: 'the fields that are wrong' })),
  current_version: Type.Optional(Type.Integer({ description: 'of a stale change: the version that the resource has' })),
  allowed: Type.Optional(Type.Array(Type.String(), { description: 'of a forbidden step: the ones that are allowed' })),
  conflicts: Type.Optional(Type.Record(Type.String(), Type.Object({ base: Type.Unknown(), yours: Type.Unknown(), theirs: Type.Unknown() }), {
    description: 'of a merge: each field that someone else changed too'
  }))
}, { $id: 'Problem' })

/** The error answers of every route. */
const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: ref(Problem) } } })
export const problems = {
  '4xx': problem('The request cannot be served as it is; `code` and `errors` say why'),
  '5xx': problem('The service could not do it: 503 with `Retry-After` when it is worth trying again')
}

export type Problem = Static<typeof Problem>
