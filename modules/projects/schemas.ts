import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, OneOf, Prose, RoleSlug, Timestamp } from '../shared/schemas.js'

export const ProjectStatus = OneOf(['active', 'on_hold', 'closed'])
export const Visibility = OneOf(['company', 'members'], { description: 'whether the whole company sees it, or its members alone' })
const code = Type.String({ minLength: 1, maxLength: 32, pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$', description: 'unique, whatever the case; the beginning of the keys of its tasks' })
const name = Line(200)
const description = Prose(20000)

export const Project = Type.Object({
  id: Id,
  code: Type.String(),
  name: Type.String(),
  description: Type.String(),
  status: ProjectStatus,
  visibility: Visibility,
  created_by: Id,
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp,
  deleted_at: Nullable(Timestamp)
}, { $id: 'Project' })

export const CreateProject = Type.Object({
  code,
  name,
  description: Type.Optional(description),
  status: Type.Optional(ProjectStatus),
  visibility: Type.Optional(Visibility)
}, { additionalProperties: false })
export type CreateProject = Static<typeof CreateProject>

export const UpdateProject = Type.Object({
  code: Type.Optional(code),
  name: Type.Optional(name),
  description: Type.Optional(description),
  status: Type.Optional(ProjectStatus),
  visibility: Type.Optional(Visibility)
}, { additionalProperties: false, minProperties: 1 })
export type UpdateProject = Static<typeof UpdateProject>

/** Any of the company's roles: it allows in the project what it allows, as far as that is about projects. */
const memberRole = RoleSlug('the slug of a role: manager, member, viewer, or another')
export const Member = Type.Object({
  id: Id,
  name: Type.String(),
  email: Type.String(),
  role: memberRole,
  created_at: Timestamp
}, { $id: 'Member', description: 'a person on a project; the id is the person\'s' })
export const SetMember = Type.Object({ role: memberRole }, { additionalProperties: false })
