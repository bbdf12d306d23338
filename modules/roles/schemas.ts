import { Type, type Static } from 'typebox'
import { Id, Line, Prose, RoleSlug, Timestamp } from '../shared/schemas.js'

export const Permission = Type.Object({ code: Type.String(), description: Type.String() }, { $id: 'Permission', description: 'something that a role may allow' })

const name = Line(100)
const description = Prose(1000)
const permissions = Type.Array(Type.String({ maxLength: 80, pattern: '^[a-z_]+:[a-z_]+$' }), { maxItems: 200, uniqueItems: true, description: 'codes of what it allows' })

export const Role = Type.Object({
  id: Id,
  slug: Type.String(),
  name: Type.String(),
  description: Type.String(),
  is_system: Type.Boolean({ description: 'shipped: it can be changed, but not deleted' }),
  permissions: Type.Array(Type.String()),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp
}, { $id: 'Role' })

export const CreateRole = Type.Object({
  slug: RoleSlug('what people\'s roles are called in lists, for good'),
  name,
  description: Type.Optional(description),
  permissions: Type.Optional(permissions)
}, { additionalProperties: false })
export type CreateRole = Static<typeof CreateRole>

export const UpdateRole = Type.Object({
  name: Type.Optional(name),
  description: Type.Optional(description),
  permissions: Type.Optional(permissions)
}, { additionalProperties: false, minProperties: 1 })
export type UpdateRole = Static<typeof UpdateRole>

/** A person, and a role by its slug or its id. */
export const GrantParams = Type.Object({
  id: Id,
  role: Type.String({ minLength: 1, maxLength: 63, pattern: '^([a-z][a-z0-9_-]*|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$', description: 'the slug of a role, or its id' })
})
