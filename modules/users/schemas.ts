import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, OneOf, Timestamp } from '../shared/schemas.js'

export const departments = ['Operations', 'Procurement', 'Accounting', 'Service', 'Estimating', 'Scheduling'] as const
export const Department = OneOf(departments)

export const User = Type.Object({
  id: Id,
  email: Type.String(),
  name: Type.String(),
  job_title: Nullable(Type.String()),
  department: Nullable(Department),
  timezone: Type.String({ description: 'an IANA time zone: "today" and "overdue" follow it' }),
  locale: Type.String(),
  is_active: Type.Boolean(),
  roles: Type.Array(Type.String(), { description: 'slugs of the roles that the person holds' }),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp
}, { $id: 'User' })

export const UpdateMe = Type.Object({
  name: Type.Optional(Line(200)),
  job_title: Type.Optional(Nullable(Line(200))),
  timezone: Type.Optional(Type.String({ minLength: 1, maxLength: 64, format: 'time-zone' })),
  locale: Type.Optional(Type.String({ pattern: '^[a-z]{2,3}(-[A-Z]{2})?$' }))
}, { additionalProperties: false, minProperties: 1 })
export type UpdateMe = Static<typeof UpdateMe>
