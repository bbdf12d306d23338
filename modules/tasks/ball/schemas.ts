import { Type } from 'typebox'
import { Id, Nullable, OneOf, Person, Prose, ref, Timestamp } from '../../shared/schemas.js'

export const Hold = Type.Object({
  task_id: Id,
  no: Type.Integer({ description: 'the first hold of a task is 1' }),
  holder: Nullable(ref(Person), { description: 'null: in nobody\'s court' }),
  passed_by: Nullable(Id),
  note: Nullable(Type.String()),
  expected_by: Nullable(Timestamp),
  started_at: Timestamp,
  ended_at: Nullable(Timestamp, { description: 'null: the ball is there now' }),
  outcome: Nullable(OneOf(['passed', 'finished', 'reopened']), { description: 'how it ended' }),
  held_seconds: Type.Number(),
  acknowledged_at: Nullable(Timestamp)
}, { $id: 'Hold', description: 'one stay of the ball; the stays of a task meet exactly and sum to its age' })

export const PassBall = Type.Object({
  to_user_id: Nullable(Id, { description: 'who must act next; null is nobody' }),
  note: Type.Optional(Prose(2000, 1)),
  expected_by: Type.Optional(Timestamp)
}, { additionalProperties: false })
