import { Type, type Static } from 'typebox'
import { Id, Nullable } from '../../shared/schemas.js'

export const MoveTask = Type.Object({
  project_id: Type.String({ format: 'uuid', description: 'where the task goes, with all that is under it' }),
  parent_id: Type.Optional(Nullable(Id, { description: 'a task of that project to put it under' }))
}, { additionalProperties: false })
export type MoveTask = Static<typeof MoveTask>
