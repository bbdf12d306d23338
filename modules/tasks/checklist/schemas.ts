import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, Timestamp } from '../../shared/schemas.js'

const label = Line(500)

export const ChecklistItem = Type.Object({
  id: Id,
  task_id: Id,
  label: Type.String(),
  is_done: Type.Boolean(),
  done_at: Nullable(Timestamp),
  done_by: Nullable(Id),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp
}, { $id: 'ChecklistItem', description: 'one step of a task; their order is that of the list' })

export const AddChecklistItem = Type.Object({ label }, { additionalProperties: false })

export const UpdateChecklistItem = Type.Object({
  label: Type.Optional(label),
  is_done: Type.Optional(Type.Boolean())
}, { additionalProperties: false, minProperties: 1 })
export type UpdateChecklistItem = Static<typeof UpdateChecklistItem>

/** The wanted order. Items that are not named follow in their old order; one that someone removed meanwhile is passed over. */
export const ReorderChecklist = Type.Object({
  ids: Type.Array(Id, { minItems: 1, maxItems: 200, uniqueItems: true })
}, { additionalProperties: false })
