import { Type } from 'typebox'
import { Id, OneOf, Timestamp } from '../../shared/schemas.js'
import { TaskStatus } from '../schemas.js'

export const Dependency = Type.Object({
  id: Id,
  relation: OneOf(['blocks', 'blocked_by'], { description: 'what the task of the path is to this one: it blocks it, or is blocked by it' }),
  task_id: Id,
  key: Type.String(),
  title: Type.String(),
  status: TaskStatus,
  is_open: Type.Boolean({ description: 'false when it is finished, and holds nothing up any more' }),
  created_at: Timestamp
}, { $id: 'Dependency', description: 'a task that waits for the one of the path, or that it waits for' })

export const AddDependency = Type.Object({
  blocks_id: Type.String({ format: 'uuid', description: 'the task that cannot be done before the one of the path is finished' })
}, { additionalProperties: false })
