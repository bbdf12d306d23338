import { Type } from 'typebox'
import { Id, Nullable, OneOf, Person, ref, Timestamp } from '../shared/schemas.js'

export const NotificationType = OneOf(['task_assigned', 'ball_received', 'mentioned'])

export const Notification = Type.Object({
  id: Id,
  type: NotificationType,
  message: Type.String({ description: 'a sentence for a person' }),
  actor: ref(Person),
  project_id: Id,
  task_id: Id,
  task_key: Type.String(),
  task_title: Type.String(),
  comment_id: Nullable(Id),
  is_read: Type.Boolean(),
  read_at: Nullable(Timestamp),
  created_at: Timestamp
}, { $id: 'Notification' })
