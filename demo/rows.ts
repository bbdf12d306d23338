import type { TableName, Tables } from './records.js'

type Kind = 'plain' | 'text' | 'time' | 'tags' | 'json'
type Columns<T> = { [column in keyof T]-?: Kind }

/** The columns that are loaded, and how each value is written: what needs no escaping is not looked at. */
const columns: { [table in TableName]: Columns<Tables[table]> } = {
  users: { id: 'plain', email: 'text', name: 'text', job_title: 'text', phone: 'plain', department: 'plain', is_active: 'plain', version: 'plain', created_at: 'time', updated_at: 'time' },
  user_roles: { user_id: 'plain', role_id: 'plain' },
  projects: { id: 'plain', code: 'plain', name: 'text', description: 'text', status: 'plain', visibility: 'plain', created_by: 'plain', version: 'plain', created_at: 'time', updated_at: 'time' },
  project_members: { project_id: 'plain', user_id: 'plain', role: 'plain', added_by: 'plain', created_at: 'time', updated_at: 'time' },
  project_counters: { project_id: 'plain', last_task_number: 'plain' },
  companies: { id: 'plain', name: 'text', kind: 'plain', phone: 'plain', version: 'plain', created_at: 'time', updated_at: 'time' },
  contacts: { id: 'plain', company_id: 'plain', name: 'text', email: 'text', phone: 'plain', title: 'text', version: 'plain', created_at: 'time', updated_at: 'time' },
  tasks: {
    id: 'plain',
    project_id: 'plain',
    number: 'plain',
    parent_id: 'plain',
    title: 'text',
    description: 'text',
    status: 'plain',
    priority: 'plain',
    department: 'plain',
    tags: 'tags',
    assignee_id: 'plain',
    ball_in_court: 'plain',
    ball_company_id: 'plain',
    ball_contact_id: 'plain',
    ball_no: 'plain',
    ball_since: 'time',
    due_at: 'time',
    closed_at: 'time',
    last_activity_at: 'time',
    created_by: 'plain',
    version: 'plain',
    created_at: 'time',
    updated_at: 'time',
    deleted_at: 'time',
    deleted_by: 'plain'
  },
  ball_holds: { task_id: 'plain', no: 'plain', user_id: 'plain', company_id: 'plain', contact_id: 'plain', passed_by: 'plain', note: 'text', expected_by: 'time', started_at: 'time', ended_at: 'time', outcome: 'plain', acknowledged_at: 'time' },
  comments: { id: 'plain', task_id: 'plain', author_id: 'plain', body: 'text', edited_at: 'time', version: 'plain', created_at: 'time', updated_at: 'time', deleted_at: 'time', deleted_by: 'plain' },
  comment_mentions: { comment_id: 'plain', user_id: 'plain' },
  stored_files: { id: 'plain', storage: 'plain', state: 'plain', since: 'time' },
  attachments: { id: 'plain', task_id: 'plain', name: 'text', content_type: 'plain', size_bytes: 'plain', sha256: 'text', uploaded_by: 'plain', created_at: 'time' },
  activity_log: { id: 'plain', created_at: 'time', entity_type: 'plain', entity_id: 'plain', action: 'plain', actor_id: 'plain', project_id: 'plain', task_id: 'plain', version: 'plain', changes: 'json', data: 'json', request_id: 'plain' },
  notifications: { id: 'plain', user_id: 'plain', type: 'plain', event_id: 'plain', actor_id: 'plain', project_id: 'plain', task_id: 'plain', comment_id: 'plain', read_at: 'time', created_at: 'time' }
}

/** The tables in the order in which their foreign keys allow them to be loaded. */
export const tableNames = Object.keys(columns) as TableName[]

const fields = Object.fromEntries(tableNames.map((table) => [table, Object.entries(columns[table])])) as Record<TableName, Array<[string, Kind]>>

/** The names of the columns that are loaded, for a COPY statement. */
export const columnList = (table: TableName): string => fields[table].map(([name]) => name).join(', ')

/** One row in the text format of COPY (PostgreSQL manual, COPY, "Text Format"), with its line end. */
export function copyLine<T extends TableName> (table: T, row: Tables[T]): string {
  let line = ''
  for (const [name, kind] of fields[table]) {
    const value = row[name as keyof Tables[T]] as unknown
    if (line !== '') line += '\t'
    line += value === null ? '\\N' : writers[kind](value)
  }
  return line + '\n'
}

const writers: Record<Kind, (value: any) => string> = {
  plain: (value: string | number | boolean) => `${value}`,
  text: escape,
  time: writeTime,
  // Tags are words and hyphens: nothing to quote.
  tags: (value: string[]) => `{${value.join(',')}}`,
  json: (value: object) => escape(JSON.stringify(value))
}

const dates = new Map<number, string>()

/** ISO 8601 in UTC. A million tasks share a thousand dates, so each is written once; five times as fast as toISOString. */
function writeTime (ms: number): string {
  const day = Math.floor(ms / 86_400_000)
  let date = dates.get(day)
  if (date === undefined) dates.set(day, date = new Date(ms).toISOString().slice(0, 11))
  const rest = ms - day * 86_400_000
  const second = Math.floor(rest / 1000)
  return `${date}${clock[Math.floor(second / 3600)]}:${clock[Math.floor(second / 60) % 60]}:${clock[second % 60]}.${String(rest % 1000).padStart(3, '0')}Z`
}

const clock = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'))

const special = /[\\\t\n\r]/
const escapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function escape (text: string): string {
  return special.test(text) ? text.replace(/[\\\t\n\r]/g, (char) => escapes[char]!) : text
}
