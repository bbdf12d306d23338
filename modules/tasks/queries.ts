import { sql, type Expression, type SqlBool } from 'kysely'
import type { Actor } from '../../plugins/auth.js'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { setDeleted } from '../shared/soft-delete.js'
import { visibleProject } from '../shared/visibility.js'
import { storedColumns, taskFields, taskOf, taskSelection, type TaskRow } from './columns.js'
import { STALLED_AFTER_DAYS } from './rules.js'
import type { CreateTask, TaskQuery } from './schemas.js'

const orders: Record<string, Order> = {
  updated_at: { by: sql`t.updated_at`, type: 'timestamptz' },
  created_at: { by: sql`t.created_at`, type: 'timestamptz' },
  due_at: { by: sql`t.due_sort`, type: 'timestamptz' }
}

export type TaskFilter = Omit<TaskQuery, keyof PageRequest | 'count'>

/** Who sees, through which clock. */
export interface View { actor: Actor, now: Date }

/** `column` is one of the people named; `me` is the caller and `none` is nobody. */
function isOneOf (column: string, whom: string[], { id }: Actor): Expression<SqlBool> {
  const ids = whom.filter((one) => one !== 'none').map((one) => one === 'me' ? id : one)
  const named = sql<SqlBool>`${sql.ref(column)} = any(${ids}::uuid[])`
  if (!whom.includes('none')) return named
  return ids.length === 0 ? sql<SqlBool>`${sql.ref(column)} is null` : sql<SqlBool>`(${named} or ${sql.ref(column)} is null)`
}

/** A list of one is an equality, which an index can also sort by; of more, a set. */
const isAny = (column: string, type: string, values: readonly string[]): Expression<SqlBool> => values.length === 1
  ? sql<SqlBool>`${sql.ref(column)} = ${values[0]}::${sql.raw(type)}`
  : sql<SqlBool>`${sql.ref(column)} = any(${values}::${sql.raw(type)}[])`

/** The conditions of a filter: every one that is given holds. */
function conditions (f: TaskFilter, { actor, now }: View): Expression<SqlBool>[] {
  const when = <T>(value: T | undefined, condition: (value: T) => Expression<SqlBool>) => value === undefined ? [] : [condition(value)]
  const open = sql<SqlBool>`t.is_open`
  return [
    visibleProject(actor, { deletedToo: f.updated_since !== undefined }),
    ...(f.updated_since === undefined ? [sql<SqlBool>`t.deleted_at is null`] : [sql<SqlBool>`t.updated_at >= ${f.updated_since}`]),
    ...when(f.project, (ids) => isAny('t.project_id', 'uuid', ids)),
    ...when(f.status, (names) => isAny('t.status', 'text', names)),
    ...when(f.priority, (names) => isAny('t.priority', 'text', names)),
    ...when(f.department, (names) => isAny('t.department', 'text', names)),
    ...when(f.assignee, (whom) => isOneOf('t.assignee_id', whom, actor)),
    ...when(f.ball, (whom) => sql<SqlBool>`${open} and ${isOneOf('t.ball_in_court', whom, actor)}`),
    ...when(f.tag, (tags) => sql<SqlBool>`t.tags && ${tags}::text[]`),
    ...when(f.due_from, (from) => sql<SqlBool>`t.due_sort >= ${from}`),
    ...when(f.due_to, (to) => sql<SqlBool>`t.due_sort <= ${to}`),
    ...when(f.overdue, (overdue) => overdue ? sql<SqlBool>`${open} and t.due_sort < ${now}` : sql<SqlBool>`not (${open} and t.due_sort < ${now})`),
    ...when(f.stalled, (stalled) => {
      const days = stalled === 'true' || stalled === 'false' ? STALLED_AFTER_DAYS : Number(stalled)
      const condition = sql<SqlBool>`${open} and t.last_activity_at <= ${new Date(now.getTime() - days * 86_400_000)}`
      return stalled === 'false' ? sql<SqlBool>`not (${condition})` : condition
    }),
    ...when(f.parent, (ids) => isAny('t.parent_id', 'uuid', ids)),
    ...when(f.created_by, (whom) => isOneOf('t.created_by', whom, actor)),
    ...when(f.q, (q) => sql<SqlBool>`t.search @@ websearch_to_tsquery('english', ${q})`)
  ]
}

const filtered = (db: Db, filter: TaskFilter, view: View) => db.selectFrom('tasks as t').innerJoin('projects as p', 'p.id', 't.project_id')
  .where((eb) => eb.and(conditions(filter, view)))

/** One page of the tasks that the person may see, and one row more when there is a next page. One statement. */
export function listTasks (db: Db, { filter, view, page }: { filter: TaskFilter, view: View, page: PageRequest }) {
  return keyset(filtered(db, filter, view).select(taskSelection(view.now)), orders, sql`t.id`, page).$castTo<TaskRow & Keyed>().execute()
}

export async function countTasks (db: Db, { filter, view }: { filter: TaskFilter, view: View }): Promise<number> {
  const { total } = await filtered(db, filter, view).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/** @param deletedToo for the log and the restoration of a deleted task */
export async function findTask (db: Db, { id, view, deletedToo = false }: { id: string, view: View, deletedToo?: boolean }): Promise<TaskRow | undefined> {
  const { rows } = await sql<TaskRow>`
    select ${taskOf(view.now)} from tasks t join projects p on p.id = t.project_id
    where t.id = ${id} and ${visibleProject(view.actor)} and ${deletedToo ? sql`true` : sql`t.deleted_at is null`}`.execute(db)
  return rows[0]
}

/** What a created task turned out to be, or why it was not created. */
export type Created = { task: TaskRow } | { refused: 'project' | 'assignee_id' | 'ball_in_court' }

/**
 * Adds a task under the next number of its project, opens the first hold of its ball, and records the event, in one
 * statement. The counter's row is locked until the end: numbers have no gap that a race could make.
 */
export async function createTask (db: Db, { values, view, origin }: { values: CreateTask, view: View, origin: Origin }): Promise<Created> {
  const v = { description: '', status: 'open', priority: 'normal', department: null, tags: [], assignee_id: null, ball_in_court: null, due_at: null, parent_id: null, ...values }
  const finished = v.status === 'done' || v.status === 'closed'
  const { rows: [row] } = await sql<TaskRow & { project_seen: boolean, assignee_gone: boolean, holder_gone: boolean }>`
    with asked as materialized (
      select exists (select from projects p where p.id = ${v.project_id} and ${visibleProject(view.actor)}) as project_seen,
        exists (select from users where id = ${v.assignee_id} and not is_active) as assignee_gone,
        exists (select from users where id = ${v.ball_in_court} and not is_active) as holder_gone
    ), counter as (
      update project_counters c set last_task_number = last_task_number + 1 from asked
      where c.project_id = ${v.project_id} and project_seen and not assignee_gone and not holder_gone
      returning c.project_id, last_task_number as number, clock_timestamp() as at
    ), after as (
      insert into tasks (id, project_id, number, parent_id, title, description, status, priority, department, tags, assignee_id, ball_in_court,
        ball_since, due_at, closed_at, last_activity_at, created_by, created_at, updated_at)
      select ${newId()}::uuid, project_id, number, ${v.parent_id}::uuid, ${v.title}, ${v.description}, ${v.status}, ${v.priority}, ${v.department},
        ${v.tags}::text[], ${v.assignee_id}::uuid, ${finished ? null : v.ball_in_court}::uuid, at, ${v.due_at}::timestamptz,
        ${finished ? sql`at` : sql`null`}, at, ${origin.actorId}::uuid, at, at
      from counter
      returning ${storedColumns('tasks')}
    ), hold as (
      insert into ball_holds (task_id, no, user_id, passed_by, started_at) select id, 1, ball_in_court, created_by, created_at from after
    ), event as (
      select ${newId()}::uuid as event_id, created_at as at, 'task' as entity_type, id as entity_id, 'created' as action, project_id, id as task_id, version,
        jsonb_changes('{}', jsonb_strip_nulls(${taskFields('a')})) as changes, '{}'::jsonb as data
      from after a
    ), ${recordEvents(origin)}
    select asked.*, ${taskOf(view.now)} from asked left join after t on true left join projects p on p.id = t.project_id`.execute(db)
  const { project_seen: projectSeen, assignee_gone: assigneeGone, holder_gone: holderGone, ...task } = row as NonNullable<typeof row>
  if (!projectSeen) return { refused: 'project' }
  if (assigneeGone) return { refused: 'assignee_id' }
  if (holderGone) return { refused: 'ball_in_court' }
  return { task }
}

/** Deletes a task softly, or brings it back. Its ball stays where it is: the time goes on. */
export function setTaskDeleted (db: Db, { id, deleted, view, versions, origin }: { id: string, deleted: boolean, view: View, versions?: number[], origin: Origin }): Promise<void> {
  return setDeleted(db, { table: 'tasks', entityType: 'task', joins: sql`join projects p on p.id = x.project_id`, projectId: sql`x.project_id`, taskId: sql`x.id` },
    { id, deleted, versions, actorId: origin.actorId, allowed: visibleProject(view.actor), record: recordEvents(origin) })
}
