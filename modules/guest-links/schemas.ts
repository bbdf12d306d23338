import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, OneOf, Person, ref, Timestamp } from '../shared/schemas.js'
import { Priority, TaskStatus } from '../tasks/index.js'

/** What a link can be. `suspended`: what it shows is deleted, or who made it may not show it now; it is good again when that changes. */
export const states = ['live', 'suspended', 'expired', 'revoked'] as const
export const State = OneOf(states)

const fields = {
  id: Id,
  name: Type.String({ description: 'for whom it is, as its maker calls them' }),
  project: Type.Object({ id: Id, code: Type.String(), name: Type.String() }),
  task: Nullable(Type.Object({ id: Id, key: Type.String(), title: Type.String() }), { description: 'null: the link shows the project' }),
  state: State,
  created_by: ref(Person),
  created_at: Timestamp,
  expires_at: Timestamp,
  revoked_at: Nullable(Timestamp),
  last_used_at: Nullable(Timestamp, { description: 'to the minute; the audit log has from where' })
}

export const GuestLink = Type.Object(fields, { $id: 'GuestLink', description: 'a link for guests, without what makes it one' })

export const NewGuestLink = Type.Object({
  ...fields,
  token: Type.String({ description: 'for `GET /api/guest/{token}`: shown here and never again' })
}, { $id: 'NewGuestLink' })

export const CreateGuestLink = Type.Object({
  name: Line(100),
  project_id: Type.Optional(Id),
  task_id: Type.Optional(Id),
  expires_at: Type.String({ format: 'date-time', description: 'within what `GUEST_LINK_MAX_DAYS` allows' })
}, { additionalProperties: false, description: 'takes exactly one of project_id and task_id' })
export type CreateGuestLink = Static<typeof CreateGuestLink>

/** A task as guests see it: how it is going and with whom it is, by name. No ids, no addresses, nothing that people say to each other. */
export const GuestTask = Type.Object({
  key: Type.String(),
  title: Type.String(),
  description: Type.String(),
  status: TaskStatus,
  priority: Priority,
  assignee: Nullable(Type.String(), { description: 'a name' }),
  ball_holder: Nullable(Type.Object({
    kind: OneOf(['user', 'company', 'contact']),
    name: Type.String(),
    company: Nullable(Type.String(), { description: 'of a contact' })
  }), { description: 'in whose court the ball is; null is nobody' }),
  ball_since: Timestamp,
  due_at: Nullable(Timestamp),
  is_overdue: Type.Boolean(),
  subtasks: Type.Object({ total: Type.Integer(), done: Type.Integer() }),
  closed_at: Nullable(Timestamp),
  created_at: Timestamp,
  updated_at: Timestamp
}, { $id: 'GuestTask' })

export const GuestView = Type.Object({
  name: Type.String({ description: 'for whom the link is' }),
  expires_at: Timestamp,
  project: Type.Object({
    code: Type.String(),
    name: Type.String(),
    description: Nullable(Type.String(), { description: 'null where the link shows one task' }),
    status: Nullable(Type.String(), { description: 'active, on_hold or closed; null where the link shows one task' })
  }),
  tasks: Type.Array(ref(GuestTask), { description: 'the one task, or a page of the project\'s; the `Link` header has the next' })
}, { $id: 'GuestView' })
