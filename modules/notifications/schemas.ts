import { Type, type Static } from 'typebox'
import { Id, Nullable, OneOf, Person, ref, Timestamp } from '../shared/schemas.js'
import { kinds, type NotificationKind } from './rules.js'

export const NotificationType = OneOf(kinds)

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
  event_count: Type.Integer({ description: 'of how many events it tells: those that came in short order, while it was unread, are put together' }),
  is_read: Type.Boolean(),
  read_at: Nullable(Timestamp),
  created_at: Timestamp,
  updated_at: Type.String({ format: 'date-time', description: 'when the newest of its events happened' })
}, { $id: 'Notification' })

const channels = Type.Object({ in_app: Type.Boolean({ description: 'whether I am told here' }) }, { additionalProperties: false })

/** Of each type, by which channel a person is told. */
export const NotificationPreferences = Type.Object(Object.fromEntries(kinds.map((kind) => [kind, channels])) as Record<NotificationKind, typeof channels>,
  { $id: 'NotificationPreferences', additionalProperties: false })

/** All of them anew: a type that is left out is on again, as it is for who never said anything. */
export const SetNotificationPreferences = Type.Partial(NotificationPreferences, { additionalProperties: false, minProperties: 1 })
export type SetNotificationPreferences = Static<typeof SetNotificationPreferences>
