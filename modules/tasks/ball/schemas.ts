import { Type } from 'typebox'
import { Id, Nullable, OneOf, Prose, ref, Timestamp } from '../../shared/schemas.js'
import { Holder } from '../schemas.js'

export const Hold = Type.Object({
  task_id: Id,
  no: Type.Integer({ description: 'the first hold of a task is 1' }),
  holder: Nullable(ref(Holder), { description: 'null: in nobody\'s court' }),
  passed_by: Nullable(Id),
  note: Nullable(Type.String()),
  expected_by: Nullable(Timestamp),
  started_at: Timestamp,
  ended_at: Nullable(Timestamp, { description: 'null: the ball is there now' }),
  outcome: Nullable(OneOf(['passed', 'finished', 'reopened']), { description: 'how it ended' }),
  held_seconds: Type.Number({ description: 'pauses included' }),
  held_working_seconds: Type.Number({ description: 'of the company\'s working time, without pauses' }),
  paused_seconds: Type.Number({ description: 'of these, how many it was paused' }),
  pauses: Type.Array(Type.Object({ started_at: Timestamp, ended_at: Nullable(Timestamp), reason: Type.String(), paused_by: Id }), { description: 'the first pause first' }),
  acknowledged_at: Nullable(Timestamp)
}, { $id: 'Hold', description: 'one stay of the ball; the stays of a task meet exactly and sum to its age' })

export const PauseBall = Type.Object({ reason: Prose(2000, 1) }, { additionalProperties: false })

export const NudgeHolder = Type.Object({ note: Type.Optional(Prose(2000, 1)) }, { additionalProperties: false })

export const PassBall = Type.Object({
  to_user_id: Type.Optional(Nullable(Id, { description: 'who of ours must act next; null is nobody' })),
  to_company_id: Type.Optional(Id),
  to_contact_id: Type.Optional(Id),
  note: Type.Optional(Prose(2000, 1)),
  expected_by: Type.Optional(Timestamp)
}, { additionalProperties: false, description: 'takes exactly one of to_user_id, to_company_id and to_contact_id' })
