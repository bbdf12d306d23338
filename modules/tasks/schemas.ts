import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, OneOf, Prose, ref, Timestamp } from '../shared/schemas.js'
import { pageParameters } from '../shared/pagination.js'
import { Department } from '../users/index.js'
import { MOST_CHANGES, priorities, statuses } from './rules.js'

export const TaskStatus = OneOf(statuses)
export const Priority = OneOf(priorities)
const title = Line(500)
const description = Prose(20000)
const tags = Type.Array(Line(50), { maxItems: 20, uniqueItems: true })
const DueAt = Nullable(Type.String({ format: 'date-time' }))

/** Who holds a ball: someone of ours, someone at a company, or a company. */
export const Holder = Type.Object({
  kind: OneOf(['user', 'company', 'contact']),
  id: Id,
  name: Type.String(),
  email: Nullable(Type.String()),
  company: Nullable(Type.Object({ id: Id, name: Type.String() }), { description: 'where a contact is' })
}, { $id: 'Holder' })

export const Task = Type.Object({
  id: Id,
  key: Type.String({ description: 'the project\'s code and the task\'s number: PS-001-42' }),
  project_id: Id,
  number: Type.Integer(),
  parent_id: Nullable(Id),
  subtasks: Type.Object({
    total: Type.Integer({ description: 'direct subtasks, without those that will not be done (closed)' }),
    done: Type.Integer({ description: 'those of them that are done' })
  }, { description: 'how far the task is by its subtasks; its own status is set by people' }),
  title: Type.String(),
  description: Type.String(),
  status: TaskStatus,
  priority: Priority,
  department: Nullable(Department),
  tags: Type.Array(Type.String()),
  assignee_id: Nullable(Id),
  ball_in_court: Nullable(Id, { description: 'who of ours must act next; null is an outside party, or nobody' }),
  ball_company_id: Nullable(Id, { description: 'the company that must act next' }),
  ball_contact_id: Nullable(Id, { description: 'who must act next there' }),
  ball_holder: Nullable(ref(Holder), { description: 'whoever that is; null is nobody' }),
  ball_since: Timestamp,
  ball_paused_since: Nullable(Timestamp, { description: 'null: not paused' }),
  ball_held_seconds: Type.Number({ description: 'how long the ball has been there, pauses included' }),
  due_at: Nullable(Timestamp),
  is_overdue: Type.Boolean({ description: 'open, and due before now' }),
  stalled_days: Type.Integer({ description: 'whole days since anything happened to it; 0 when finished' }),
  closed_at: Nullable(Timestamp),
  last_activity_at: Timestamp,
  created_by: Id,
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp,
  deleted_at: Nullable(Timestamp)
}, { $id: 'Task' })

const fields = {
  description: Type.Optional(description),
  status: Type.Optional(TaskStatus),
  priority: Type.Optional(Priority),
  department: Type.Optional(Nullable(Department)),
  tags: Type.Optional(tags),
  assignee_id: Type.Optional(Nullable(Id)),
  ball_in_court: Type.Optional(Nullable(Id)),
  due_at: Type.Optional(DueAt),
  parent_id: Type.Optional(Nullable(Id))
}

/** A task of the project in the path. */
export const CreateProjectTask = Type.Object({ title, ...fields }, { additionalProperties: false })
export const CreateTask = Type.Object({ project_id: Id, title, ...fields }, { additionalProperties: false })
export type CreateTask = Static<typeof CreateTask>

/** The fields of a task that a change may set: a missing one is kept, null clears. */
export const TaskFields = Type.Object({ title: Type.Optional(title), ...fields }, { additionalProperties: false, minProperties: 1 })
export type TaskFields = Static<typeof TaskFields>

/** What a change may set inside: a handover also gives the ball to an outside party. Whoever says where the ball goes says all three. */
export type TaskSet = TaskFields & { ball_company_id?: string | null, ball_contact_id?: string | null }

const baseVersion = Type.Optional(Type.Integer({ minimum: 1, maximum: 2147483647, description: 'asks for a merge: fields that nobody changed since that version are applied' }))
export const UpdateTask = Type.Object({ base_version: baseVersion, title: Type.Optional(title), ...fields }, { additionalProperties: false, minProperties: 1 })
export type UpdateTask = Static<typeof UpdateTask>

export const BulkChange = Type.Object({
  id: Id,
  version: Type.Optional(Type.Integer({ minimum: 1, maximum: 2147483647, description: 'the version that the change is based on' })),
  set: TaskFields
}, { additionalProperties: false })
export const BulkUpdate = Type.Object({ changes: Type.Array(BulkChange, { minItems: 1, maxItems: MOST_CHANGES }) }, { additionalProperties: false })
export type BulkUpdate = Static<typeof BulkUpdate>

export const GetTask = Type.Object({
  as_of: Type.Optional(Type.String({ format: 'date-time', description: 'the task as it was then, rebuilt from the log; a time that has not come is now' }))
}, { additionalProperties: false })

/** A user id, `me`, or `none`. */
const Whom = Type.String({ pattern: '^(me|none|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$', maxLength: 36 })

/** The same, or `company:` and the id of a company, which is also where the ball of its contacts is. */
const Court = Type.String({ pattern: '^(me|none|(company:)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$', maxLength: 44 })

export const ListTasks = {
  ...pageParameters(['updated_at', 'created_at', 'due_at'], '-updated_at'),
  status: Type.Optional(Type.Array(TaskStatus)),
  priority: Type.Optional(Type.Array(Priority)),
  department: Type.Optional(Type.Array(Department)),
  assignee: Type.Optional(Type.Array(Whom, { maxItems: 50, description: 'user ids, me, none' })),
  ball: Type.Optional(Type.Array(Court, { maxItems: 50, description: 'whose court the ball is in: user ids, me, none, company:<id>; open tasks only' })),
  tag: Type.Optional(Type.Array(Line(50), { maxItems: 20 })),
  due_from: Type.Optional(Timestamp),
  due_to: Type.Optional(Timestamp),
  overdue: Type.Optional(Type.Boolean({ description: 'true: open and due before now' })),
  stalled: Type.Optional(Type.String({ pattern: '^(true|false|[1-9][0-9]{0,3})$', description: 'true, or a number of days: open, and nothing happened for that long (7 days)' })),
  parent: Type.Optional(Type.Array(Id, { maxItems: 50 })),
  watched: Type.Optional(Type.Boolean({ description: 'true: those that I watch' })),
  created_by: Type.Optional(Type.Array(Whom, { maxItems: 50 })),
  q: Type.Optional(Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\p{Cc}\\p{Cs}]*$', description: 'words in title and description; "quoted phrases", or, and -without work' })),
  updated_since: Type.Optional(Type.String({ format: 'date-time', description: 'what changed since, deletions included; sort=updated_at reads it in order' }))
}
export const ListProjectTasks = Type.Object(ListTasks, { additionalProperties: false })
export const ListAllTasks = Type.Object({ ...ListTasks, project: Type.Optional(Type.Array(Id, { maxItems: 50 })) }, { additionalProperties: false })
export type TaskQuery = Static<typeof ListAllTasks>
