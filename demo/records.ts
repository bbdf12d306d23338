/** The rows that the generator makes, by table, in column order. Times are Unix ms. Generated columns are left to PostgreSQL. */

export type TaskStatus = 'open' | 'todo' | 'in_progress' | 'review' | 'done' | 'closed'
export type Priority = 'low' | 'normal' | 'high' | 'urgent'

export interface TaskRow {
  id: string
  project_id: string
  number: number
  parent_id: string | null
  title: string
  description: string
  status: TaskStatus
  priority: Priority
  department: string | null
  tags: string[]
  assignee_id: string | null
  ball_in_court: string | null
  ball_company_id: string | null
  ball_contact_id: string | null
  ball_no: number
  ball_since: number
  due_at: number | null
  closed_at: number | null
  last_activity_at: number
  created_by: string
  version: number
  created_at: number
  updated_at: number
  deleted_at: number | null
  deleted_by: string | null
}

export interface HoldRow {
  task_id: string
  no: number
  user_id: string | null
  company_id: string | null
  contact_id: string | null
  passed_by: string
  note: string | null
  expected_by: number | null
  started_at: number
  ended_at: number | null
  outcome: 'passed' | 'finished' | 'reopened' | null
  acknowledged_at: number | null
}

export interface CompanyRow { id: string, name: string, kind: string, phone: string | null, version: number, created_at: number, updated_at: number }
export interface ContactRow { id: string, company_id: string, name: string, email: string, phone: string | null, title: string, version: number, created_at: number, updated_at: number }

export interface CommentRow {
  id: string
  task_id: string
  author_id: string
  body: string
  edited_at: number | null
  version: number
  created_at: number
  updated_at: number
  deleted_at: number | null
  deleted_by: string | null
}

export interface StoredFileRow { id: string, storage: 'local', state: 'kept', since: number }

export interface AttachmentRow {
  id: string
  task_id: string
  name: string
  content_type: string
  size_bytes: number
  /** As PostgreSQL writes bytes: \x and hexadecimal digits. */
  sha256: string
  uploaded_by: string
  created_at: number
}

export interface MentionRow { comment_id: string, user_id: string }

/** Old and new value of each field that changed. */
export type Changes = Record<string, [unknown, unknown]>

export interface EventRow {
  id: string
  created_at: number
  entity_type: 'project' | 'task' | 'comment' | 'attachment'
  entity_id: string
  action: string
  actor_id: string
  project_id: string
  task_id: string | null
  version: number
  changes: Changes
  data: Record<string, unknown>
  request_id: string
}

export interface NotificationRow {
  id: string
  user_id: string
  type: 'task_assigned' | 'ball_received' | 'mentioned'
  event_id: string
  actor_id: string
  project_id: string
  task_id: string
  comment_id: string | null
  read_at: number | null
  created_at: number
}

export interface UserRow {
  id: string
  email: string
  name: string
  job_title: string
  phone: string
  department: string
  is_active: boolean
  version: number
  created_at: number
  updated_at: number
}

export interface ProjectRow {
  id: string
  code: string
  name: string
  description: string
  status: string
  visibility: string
  created_by: string
  version: number
  created_at: number
  updated_at: number
}

export interface MemberRow { project_id: string, user_id: string, role: string, added_by: string, created_at: number, updated_at: number }
export interface UserRoleRow { user_id: string, role_id: string }
export interface CounterRow { project_id: string, last_task_number: number }

export interface Tables {
  users: UserRow
  user_roles: UserRoleRow
  projects: ProjectRow
  project_members: MemberRow
  project_counters: CounterRow
  companies: CompanyRow
  contacts: ContactRow
  tasks: TaskRow
  ball_holds: HoldRow
  comments: CommentRow
  comment_mentions: MentionRow
  stored_files: StoredFileRow
  attachments: AttachmentRow
  activity_log: EventRow
  notifications: NotificationRow
}

export type TableName = keyof Tables

/** A moment as PostgreSQL writes it into jsonb in UTC: no fraction when it is a whole second. */
export function jsonTime (ms: number): string
export function jsonTime (ms: number | null): string | null
export function jsonTime (ms: number | null): string | null {
  if (ms === null) return null
  const iso = new Date(ms).toISOString()
  return `${iso.slice(0, 19)}${ms % 1000 === 0 ? '' : iso.slice(19, 23).replace(/0+$/, '')}+00:00`
}
