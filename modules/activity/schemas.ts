import { Type } from 'typebox'
import { Id, Nullable, Person, ref, Timestamp } from '../shared/schemas.js'

const Values = Type.Record(Type.String(), Type.Array(Type.Unknown(), { minItems: 2, maxItems: 2 }), { description: 'for each changed field: from what, to what' })

export const ActivityEvent = Type.Object({
  id: Id,
  at: Timestamp,
  entity_type: Type.String(),
  entity_id: Id,
  action: Type.String(),
  sentence: Type.String({ description: 'the change in English, for a person to read' }),
  actor: ref(Person),
  project_id: Nullable(Id),
  task_id: Nullable(Id),
  version: Type.Integer({ description: 'of the entity, after the change' }),
  changes: Values,
  data: Type.Record(Type.String(), Type.Unknown(), { description: 'what else was said, such as the note of a handover' }),
  request_id: Nullable(Type.String())
}, { $id: 'ActivityEvent' })

export const Change = Type.Object({
  position: Type.Integer({ description: 'gapless, in the order of commits' }),
  type: Type.String({ description: 'the entity and what happened to it: task.ball_passed' }),
  entity_type: Type.String(),
  entity_id: Id,
  project_id: Nullable(Id),
  at: Timestamp,
  data: Type.Object({
    action: Type.String(),
    actor_id: Id,
    task_id: Nullable(Id),
    version: Type.Integer(),
    changes: Values,
    detail: Type.Record(Type.String(), Type.Unknown()),
    request_id: Nullable(Type.String())
  })
}, { $id: 'Change' })
