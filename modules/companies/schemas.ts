import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, OneOf, Timestamp } from '../shared/schemas.js'

export const CompanyKind = OneOf(['gc', 'architect', 'engineer', 'vendor', 'sub', 'owner', 'ahj'], { description: 'gc: general contractor; sub: subcontractor; ahj: authority having jurisdiction' })
const name = Line(200)
const phone = Nullable(Line(50))

export const Company = Type.Object({
  id: Id,
  name: Type.String(),
  kind: CompanyKind,
  phone: Nullable(Type.String()),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp
}, { $id: 'Company', description: 'an outside party' })

export const CreateCompany = Type.Object({ name, kind: CompanyKind, phone: Type.Optional(phone) }, { additionalProperties: false })
export type CreateCompany = Static<typeof CreateCompany>

export const UpdateCompany = Type.Object({
  name: Type.Optional(name),
  kind: Type.Optional(CompanyKind),
  phone: Type.Optional(phone)
}, { additionalProperties: false, minProperties: 1 })
export type UpdateCompany = Static<typeof UpdateCompany>

const contactFields = {
  email: Type.Optional(Nullable(Type.String({ maxLength: 254, pattern: '^[^@\\s\\p{Cc}\\p{Cs}]+@[^@\\s\\p{Cc}\\p{Cs}]+$' }))),
  phone: Type.Optional(phone),
  title: Type.Optional(Nullable(Line(200)))
}

export const Contact = Type.Object({
  id: Id,
  company_id: Id,
  name: Type.String(),
  email: Nullable(Type.String()),
  phone: Nullable(Type.String()),
  title: Nullable(Type.String()),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp
}, { $id: 'Contact', description: 'someone at a company, for good: who goes to another is a new contact there' })

export const CreateContact = Type.Object({ name, ...contactFields }, { additionalProperties: false })
export type CreateContact = Static<typeof CreateContact>

export const UpdateContact = Type.Object({ name: Type.Optional(name), ...contactFields }, { additionalProperties: false, minProperties: 1 })
export type UpdateContact = Static<typeof UpdateContact>
