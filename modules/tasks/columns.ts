import { sql, type AliasedRawBuilder, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import { etag } from '../shared/etags.js'
import type { Task } from './schemas.js'

/** A task as it goes over the wire. */
export type TaskRow = Static<typeof Task>

/** The entity tag of a task: its version and, when it has subtasks, how far they are, or a cached parent would never move. */
export const taskTag = ({ version, subtasks: { total, done } }: Pick<TaskRow, 'version' | 'subtasks'>): string =>
  etag(version, total === 0 ? undefined : `${done}-${total}`)

/** The stored columns that a task shows. */
const stored = ['id', 'project_id', 'number', 'parent_id', 'title', 'description', 'status', 'priority', 'department', 'tags',
  'assignee_id', 'ball_in_court', 'ball_company_id', 'ball_contact_id', 'ball_since', 'ball_paused_since', 'due_at', 'closed_at', 'last_activity_at', 'created_by', 'version', 'created_at',
  'updated_at', 'deleted_at'] as const

/** Who holds a ball, as JSON: someone of ours, someone at a company, a company, or null for nobody. Takes the columns that say so. */
export const holderOf = (user: string, company: string, contact: string): RawBuilder<unknown> => sql`case
  when ${sql.ref(user)} is not null then (select jsonb_build_object('kind', 'user', 'id', u.id, 'name', u.name, 'email', u.email, 'company', null) from users u where u.id = ${sql.ref(user)})
  when ${sql.ref(contact)} is not null then (select jsonb_build_object('kind', 'contact', 'id', c.id, 'name', c.name, 'email', c.email, 'company', jsonb_build_object('id', o.id, 'name', o.name))
    from contacts c join companies o on o.id = c.company_id where c.id = ${sql.ref(contact)})
  when ${sql.ref(company)} is not null then (select jsonb_build_object('kind', 'company', 'id', o.id, 'name', o.name, 'email', null, 'company', null) from companies o where o.id = ${sql.ref(company)})
end`

/** What a changing statement returns of `alias`, for `taskOf` to show: the stored columns, and whether it is open. */
export const storedColumns = (alias: string): RawBuilder<unknown> =>
  sql.join([...stored, 'is_open', 'ball_no'].map((column) => sql.ref(`${alias}.${column}`)))

/** All tasks, where their parents look for them. */
const allTasks = sql`tasks`

/** What a task `t` is called, with the code of its project `p`. */
export const taskKey = sql<string>`p.code || '-' || t.number`

/** Whether a task `t` is open and was due before an instant. */
export const isOverdue = (now: Date | string): RawBuilder<boolean> => sql<boolean>`coalesce(t.is_open and t.due_at < ${now}::timestamptz, false)`

/** How far the subtasks of a task `t` are, of those that will be done. */
export const progress = (children: RawBuilder<unknown> = allTasks): RawBuilder<unknown> => sql`(select jsonb_build_object('total', count(*), 'done', count(*) filter (where s.status = 'done'))
    from ${children} s where s.parent_id = t.id and s.deleted_at is null and s.status <> 'closed')`

/**
 * The whole task, to select: the stored columns of `t`, its key from the project `p`, how far its subtasks are, and what
 * the clock adds. The children are counted by index alone; a counter kept on the parent would make their writers wait for
 * each other.
 * @param now the instant that overdue, stalled and held are counted to
 * @param children where the subtasks are, with parent_id, status and deleted_at: what a statement changes it still sees as it was
 */
export const taskSelection = (now: Date | string, children: RawBuilder<unknown> = allTasks): AliasedRawBuilder<unknown, string>[] => [
  ...stored.map((column) => sql`${sql.ref(`t.${column}`)}`.as(column)),
  taskKey.as('key'),
  holderOf('t.ball_in_court', 't.ball_company_id', 't.ball_contact_id').as('ball_holder'),
  isOverdue(now).as('is_overdue'),
  sql`case when t.is_open then greatest(floor(extract(epoch from ${now}::timestamptz - t.last_activity_at) / 86400), 0)::int else 0 end`.as('stalled_days'),
  sql`greatest(extract(epoch from ${now}::timestamptz - t.ball_since), 0)`.as('ball_held_seconds'),
  progress(children).as('subtasks')
]

/** The same, for statements that are written out. */
export const taskOf = (now: Date | string, children?: RawBuilder<unknown>): RawBuilder<unknown> => sql.join(taskSelection(now, children))

/** The fields whose changes are events, as an object: what the log compares and what a change overrides. */
export const taskFields = (alias: string): RawBuilder<unknown> =>
  sql`jsonb_build_object(${sql.join(['title', 'description', 'status', 'priority', 'department', 'tags', 'assignee_id', 'ball_in_court', 'ball_company_id', 'ball_contact_id', 'ball_paused_since', 'due_at', 'parent_id']
    .flatMap((field) => [sql.lit(field), sql.ref(`${alias}.${field}`)]))})`

/** The same fields with their types, for what a request's JSON becomes. */
export const taskRecord = sql.raw(`(title text, description text, status text, priority text, department text, tags text[],
  assignee_id uuid, ball_in_court uuid, ball_company_id uuid, ball_contact_id uuid,
  ball_paused_since timestamptz, due_at timestamptz, parent_id uuid)`)
