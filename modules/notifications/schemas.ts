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

const Channels = Type.Object({
  in_app: Type.Boolean({ description: 'whether I am told at all' }),
  email: Type.Boolean({ description: 'whether also by e-mail' })
}, { additionalProperties: false })

const TimeOfDay = (options: { default?: string, description?: string } = {}) => Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', ...options })

export const emailModes = ['off', 'instant', 'daily'] as const

/** What a person is told, by which channel, and when they want e-mail. Times of day are those of their time zone. */
export const NotificationPreferences = Type.Object({
  types: Type.Object(Object.fromEntries(kinds.map((kind) => [kind, Channels])) as Record<NotificationKind, typeof Channels>, { additionalProperties: false }),
  email: OneOf(emailModes, { description: 'instant: soon after, what comes together in one; daily: one summary a day' }),
  daily_at: TimeOfDay({ description: 'when the daily summary is due' }),
  quiet_hours: Nullable(Type.Object({ from: TimeOfDay(), to: TimeOfDay() }, { additionalProperties: false }), { description: 'no e-mail is sent then; it comes when they are over' })
}, { $id: 'NotificationPreferences', additionalProperties: false })

/** All of them anew: what is left out is again as it is for who never said anything. */
export const SetNotificationPreferences = Type.Object({
  types: Type.Optional(Type.Object(Object.fromEntries(kinds.map((kind) => [kind, Type.Optional(Type.Partial(Channels, { additionalProperties: false, minProperties: 1 }))])), { additionalProperties: false })),
  email: Type.Optional(OneOf(emailModes)),
  daily_at: Type.Optional(TimeOfDay()),
  quiet_hours: Type.Optional(Nullable(Type.Object({ from: TimeOfDay(), to: TimeOfDay() }, { additionalProperties: false })))
}, { additionalProperties: false, minProperties: 1 })
export interface SetNotificationPreferences extends Partial<Omit<Static<typeof NotificationPreferences>, 'types'>> {
  types?: Partial<Record<NotificationKind, { in_app?: boolean, email?: boolean }>>
}
