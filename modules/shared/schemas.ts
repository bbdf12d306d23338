import { Type, type TSchema } from 'typebox'

export { problems, ref } from '../../plugins/problem.js'

/** A UUID. */
export const Id = Type.String({ format: 'uuid' })

/** An RFC 3339 time in UTC, with microseconds, as PostgreSQL keeps it. */
export const Timestamp = Type.String({ format: 'date-time' })

/** One of some texts. Says that they are texts, which `Type.Enum` leaves to be guessed by whoever generates a client. */
export const OneOf = <const V extends string[]>(values: readonly [...V], options: { default?: string, description?: string } = {}) => Type.Enum([...values] as V, { type: 'string', ...options })

/** `T | null`, as JSON Schema 2020-12 and OpenAPI 3.1 write it. */
export const Nullable = <T extends TSchema>(schema: T, options: { description?: string } = {}) => Type.Union([schema, Type.Null()], options)

/** One line of text: something to read in it after any white space, no control characters, no broken surrogates. */
export const Line = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[^\\p{Cc}\\p{Cs}\\S]*[^\\p{Cc}\\p{Cs}\\s][^\\p{Cc}\\p{Cs}]*$' })

/** Text over several lines: tabs and line ends, no other control characters. */
export const Prose = (maxLength: number, minLength = 0) => Type.String({ minLength, maxLength, pattern: '^(?:[^\\p{Cc}\\p{Cs}]|[\\t\\n\\r])*$' })

/** The path parameters of one resource. */
export const IdParams = Type.Object({ id: Id })

/** The answer to a DELETE. */
export const Deleted = Type.Object({ deleted: Type.Literal(true), id: Id }, { $id: 'Deleted' })

/** Someone, where a name is enough. */
export const Person = Type.Object({ id: Id, name: Type.String(), email: Type.String() }, { $id: 'Person' })

/** A precondition on the version: `"3"`, a list of such, or `*`. */
export const IfMatch = Type.Object({
  'if-match': Type.Optional(Type.String({ pattern: '^\\s*(\\*|(W/)?"[^"]*"(\\s*,\\s*(W/)?"[^"]*")*)\\s*$', description: 'the ETag that the change is based on' }))
})

export const IfNoneMatch = Type.Object({
  'if-none-match': Type.Optional(Type.String({ description: 'the ETag that the caller has: 304 when it is current' }))
})

/** What a role is called in lists, for good. */
export const RoleSlug = (description: string) => Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z][a-z0-9_-]*$', description })

/** For routes that take no query parameters: any is refused by name. */
export const NoQuery = Type.Object({}, { additionalProperties: false })
