import { sql, type Expression, type SqlBool } from 'kysely'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'
import { keyset, keysetOfEach, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { isAny, planEachTime } from '../shared/sql.js'
import { setDeleted } from '../shared/soft-delete.js'
import { seesOnlyOwnProjects, visibleProject, visibleProjects } from '../shared/visibility.js'
import { storedColumns, taskFields, taskOf, taskSelection, type TaskRow } from './columns.js'
import { lockFamilies } from './families.js'
import { isFinished, STALLED_AFTER_DAYS } from './rules.js'
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
  const named = isAny(column, 'uuid', ids)
  if (!whom.includes('none')) return named
  return ids.length === 0 ? sql<SqlBool>`${sql.ref(column)} is null` : sql<SqlBool>`(${named} or ${sql.ref(column)} is null)`
}

const COMPANY = 'company:'

/** In the court of one of the people or companies named. */
function isInCourtOf (whom: string[], actor: Actor): Expression<SqlBool> {
  const companies = whom.filter((one) => one.startsWith(COMPANY)).map((one) => one.slice(COMPANY.length))
  const people = whom.filter((one) => one !== 'none' && !one.startsWith(COMPANY))
  const either = [
    ...(people.length > 0 ? [isOneOf('t.ball_in_court', people, actor)] : []),
    ...(companies.length > 0 ? [isAny('t.ball_company_id', 'uuid', companies)] : []),
    ...(whom.includes('none') ? [sql<SqlBool>`(t.ball_in_court is null and t.ball_company_id is null)`] : [])
  ]
  return either.length === 1 ? either[0] as Expression<SqlBool> : sql<SqlBool>`(${sql.join(either, sql` or `)})`
}

const when = <T>(value: T | undefined, condition: (value: T) => Expression<SqlBool>) => value === undefined ? [] : [condition(value)]

/** The conditions of a filter: every one that is given holds; tags and words apart, in `matches`. */
function conditions (f: TaskFilter, { actor, now }: View): Expression<SqlBool>[] {
  const open = sql<SqlBool>`t.is_open`
  return [
    visibleProject(actor, { deletedToo: f.updated_since !== undefined }),
    ...(f.updated_since === undefined ? [sql<SqlBool>`t.deleted_at is null`] : [sql<SqlBool>`t.updated_at >= ${f.updated_since}`]),
    ...when(f.project, (ids) => isAny('t.project_id', 'uuid', ids)),
    ...when(f.status, (names) => isAny('t.status', 'text', names)),
    // Follows from the statuses, and lets the planner use the small indexes of open tasks.
    ...(f.status?.some(isFinished) === false ? [open] : []),
    ...when(f.priority, (names) => isAny('t.priority', 'text', names)),
    ...when(f.department, (names) => isAny('t.department', 'text', names)),
    ...when(f.assignee, (whom) => isOneOf('t.assignee_id', whom, actor)),
    ...when(f.ball, (whom) => sql<SqlBool>`${open} and ${isInCourtOf(whom, actor)}`),
    // What is never due is stored as infinity: it is no answer to "due from then on".
    ...when(f.due_from, (from) => sql<SqlBool>`t.due_sort >= ${from} and t.due_sort < 'infinity'`),
    ...when(f.due_to, (to) => sql<SqlBool>`t.due_sort <= ${to}`),
    ...when(f.overdue, (overdue) => overdue ? sql<SqlBool>`${open} and t.due_sort < ${now}` : sql<SqlBool>`not (${open} and t.due_sort < ${now})`),
    ...when(f.stalled, (stalled) => {
      const days = stalled === 'true' || stalled === 'false' ? STALLED_AFTER_DAYS : Number(stalled)
      const since = new Date(now.getTime() - days * 86_400_000)
      // The last condition follows from the one before, by a check of the table; it is what the default order can begin at.
      return stalled === 'false'
        ? sql<SqlBool>`not (${open} and t.last_activity_at <= ${since})`
        : sql<SqlBool>`${open} and t.last_activity_at <= ${since} and t.updated_at <= ${since}`
    }),
    ...when(f.parent, (ids) => isAny('t.parent_id', 'uuid', ids)),
    ...when(f.watched, (watched) => sql<SqlBool>`${watched ? sql`` : sql`not `}exists (select from task_watchers w where w.user_id = ${actor.id} and w.task_id = t.id)`),
    ...when(f.created_by, (whom) => isOneOf('t.created_by', whom, actor))
  ]
}

/** What an inverted index answers: tags and words. Some match half of all tasks, others none. */
const matches = ({ tag, q }: TaskFilter): Expression<SqlBool>[] => [
  ...when(tag, (tags) => sql<SqlBool>`${planEachTime} t.tags && ${tags}::text[]`),
  ...when(q, (words) => sql<SqlBool>`${planEachTime} t.search @@ websearch_to_tsquery('english', ${words})`)
]

const filtered = (db: Db, filter: TaskFilter, view: View) => db.selectFrom('tasks as t').innerJoin('projects as p', 'p.id', 't.project_id')
  .where((eb) => eb.and(conditions(filter, view)))

/** Up to so many matches are sorted; more are found by walking the order until a page is full. */
const FEW_MATCHES = 1000

/** One page of the tasks that the person may see, and one row more when there is a next page. One statement. */
export async function listTasks (db: Db, { filter, view, page }: { filter: TaskFilter, view: View, page: PageRequest }): Promise<(TaskRow & Keyed)[]> {
  const walk = (condition: Expression<SqlBool>) =>
    keyset(filtered(db, filter, view).where(condition).select(taskSelection(view.now)), orders, sql`t.id`, page).$castTo<TaskRow & Keyed>()
  const ofOwn = (condition: Expression<SqlBool>) => keysetOfEach<TaskRow & Keyed>(visibleProjects(view.actor, { deletedToo: filter.updated_since !== undefined }),
    (project) => walk(sql<SqlBool>`t.project_id = ${project} and ${condition}`), orders, page)
  const pageOf = (condition: Expression<SqlBool>) => seesOnlyOwnProjects(view.actor) && filter.project === undefined ? ofOwn(condition) : sql<TaskRow & Keyed>`${walk(condition)}`
  const matching = matches(filter)
  if (matching.length === 0) return (await pageOf(sql<SqlBool>`true`).execute(db)).rows
  // Walking the order for a word that is on no task would read every task, and sorting what a common word matches would
  // read most of them. So the statement looks first, and then does the one or the other.
  const all = sql<SqlBool>`${sql.join(matching, sql` and `)}`
  const { rows } = await sql<TaskRow & Keyed>`
    with matched as materialized (select t.id from tasks t where ${all} limit ${FEW_MATCHES + 1})
    (${pageOf(sql<SqlBool>`(select count(*) from matched) <= ${FEW_MATCHES} and t.id in (select id from matched)`)})
    union all
    (${pageOf(sql<SqlBool>`(select count(*) from matched) > ${FEW_MATCHES} and ${all}`)})`.execute(db)
  return rows
}

export async function countTasks (db: Db, { filter, view }: { filter: TaskFilter, view: View }): Promise<number> {
  const { total } = await filtered(db, filter, view).where((eb) => eb.and(matches(filter)))
    .select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
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
export type Created = { task: TaskRow } | { refused: 'project' | 'assignee_id' | 'ball_in_court' | 'parent' }

/**
 * Adds a task under the next number of its project, opens the first hold of its ball, and records the event, in one
 * statement. The counter's row is locked until the end: numbers have no gap that a race could make.
 */
export async function createTask (db: Db, { values, view, origin }: { values: CreateTask, view: View, origin: Origin }): Promise<Created> {
  const v = { description: '', status: 'open', priority: 'normal', department: null, tags: [], assignee_id: null, ball_in_court: null, due_at: null, parent_id: null, ...values }
  const finished = isFinished(v.status)
  const { rows: [row] } = await sql<TaskRow & { project_seen: boolean, assignee_gone: boolean, holder_gone: boolean, parent_gone: boolean }>`
    with asked as materialized (
      select exists (select from projects p where p.id = ${v.project_id} and ${visibleProject(view.actor)}) as project_seen,
        exists (select from users where id = ${v.assignee_id} and not is_active) as assignee_gone,
        exists (select from users where id = ${v.ball_in_court} and not is_active) as holder_gone,
        exists (select from tasks where id = ${v.parent_id} and deleted_at is not null) as parent_gone
    ), families as materialized (
      ${lockFamilies(sql`select ${v.project_id}::uuid as project_id where ${v.parent_id}::uuid is not null`)}
    ), counter as (
      update project_counters c set last_task_number = last_task_number + 1 from asked, (select count(*) from families) f
      where c.project_id = ${v.project_id} and project_seen and not (assignee_gone or holder_gone or parent_gone)
      returning c.project_id, last_task_number as number, clock_timestamp() as at
    ), after as (
      insert into tasks (id, project_id, number, parent_id, title, description, status, priority, department, tags, assignee_id, ball_in_court,
        ball_since, due_at, closed_at, last_activity_at, created_by, created_at, updated_at)
      select ${newId()}::uuid, project_id, number, ${v.parent_id}::uuid, ${v.title}, ${v.description}, ${v.status}, ${v.priority}, ${v.department},
        ${v.tags}::text[], ${v.assignee_id}::uuid, ${v.ball_in_court}::uuid, at, ${v.due_at}::timestamptz,
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
  const { project_seen: projectSeen, assignee_gone: assigneeGone, holder_gone: holderGone, parent_gone: parentGone, ...task } = row as NonNullable<typeof row>
  if (!projectSeen) return { refused: 'project' }
  if (assigneeGone) return { refused: 'assignee_id' }
  if (holderGone) return { refused: 'ball_in_court' }
  if (parentGone) return { refused: 'parent' }
  return { task }
}

/** Deletes a task softly, or brings it back. Its ball stays where it is: the time goes on. */
export function setTaskDeleted (db: Db, { id, deleted, view, versions, origin }: { id: string, deleted: boolean, view: View, versions?: number[], origin: Origin }): Promise<void> {
  return setDeleted(db, { table: 'tasks', entityType: 'task', joins: sql`join projects p on p.id = x.project_id`, projectId: sql`x.project_id`, taskId: sql`x.id`, also: sql`, last_activity_at = w.at` },
    { id, deleted, versions, actorId: origin.actorId, visible: visibleProject(view.actor), record: recordEvents(origin) })
}
