import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, OneOf, Timestamp } from '../shared/schemas.js'

export const departments = ['Operations', 'Procurement', 'Accounting', 'Service', 'Estimating', 'Scheduling'] as const
export const Department = OneOf(departments)

export const User = Type.Object({
  id: Id,
  email: Type.String(),
  name: Type.String(),
  job_title: Nullable(Type.String()),
  phone: Nullable(Type.String()),
  department: Nullable(Department),
  timezone: Type.String({ description: 'an IANA time zone: "today" and "overdue" follow it' }),
  locale: Type.String({ description: 'a language tag in its canonical form (BCP 47): fr-CA' }),
  is_active: Type.Boolean(),
  roles: Type.Array(Type.String(), { description: 'slugs of the roles that the person holds' }),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp
}, { $id: 'User' })

const profile = {
  name: Line(200),
  job_title: Type.Optional(Nullable(Line(200))),
  phone: Type.Optional(Nullable(Type.String({ maxLength: 40, pattern: '^[+(]?[0-9][0-9 ().-]{3,}( ?(x|ext\\.?) ?[0-9]+)?$', description: 'as people write it, with an extension: +1 416 555 0142 x7' }))),
  timezone: Type.Optional(Type.String({ minLength: 1, maxLength: 64, format: 'time-zone' })),
  locale: Type.Optional(Type.String({ minLength: 2, maxLength: 35, format: 'locale', description: 'a language tag (BCP 47)' }))
}
const email = Type.String({ maxLength: 254, pattern: '^[^@\\s\\p{Cc}\\p{Cs}]+@[^@\\s\\p{Cc}\\p{Cs}]+$' })
const department = Type.Optional(Nullable(Department))

export const UpdateMe = Type.Object({ ...profile, name: Type.Optional(profile.name) }, { additionalProperties: false, minProperties: 1 })
export type UpdateMe = Static<typeof UpdateMe>

export const CreateUser = Type.Object({ email, ...profile, department }, { additionalProperties: false })
export type CreateUser = Static<typeof CreateUser>

export const UpdateUser = Type.Object({
  email: Type.Optional(email),
  ...profile,
  name: Type.Optional(profile.name),
  department,
  is_active: Type.Optional(Type.Boolean({ description: 'false sends a person away: they keep what they hold, and true brings them back' }))
}, { additionalProperties: false, minProperties: 1 })
export type UpdateUser = Static<typeof UpdateUser>
