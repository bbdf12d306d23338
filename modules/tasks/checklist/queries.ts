import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../../plugins/auth/index.js'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../../shared/pagination.js'
import { inTransaction, lookAgain } from '../../shared/transaction.js'
import { visibleProject } from '../../shared/visibility.js'
import type { ChecklistItem, UpdateChecklistItem } from './schemas.js'

export type ItemRow = Static<typeof ChecklistItem>

/** Who asks, and for what change. */
export interface By { actor: Actor, origin: Origin }

const orders: Record<string, Order> = { position: { by: sql`i.position`, type: 'integer' } }
const columns = ['i.id', 'i.task_id', 'i.label', 'i.done_at', 'i.done_by', 'i.version', 'i.created_at', 'i.updated_at'] as const

const seen = (db: Db, actor: Actor) => db.selectFrom('checklist_items as i')
  .innerJoin('tasks as t', 't.id', 'i.task_id').innerJoin('projects as p', 'p.id', 't.project_id')
  .where('t.deleted_at', 'is', null).where(visibleProject(actor))
const shown = (db: Db, actor: Actor) => seen(db, actor).select(columns).select(sql<boolean>`i.done_at is not null`.as('is_done'))

/** One page of the steps of a task, in their order, and one row more when there is a next page. */
export function listItems (db: Db, { taskId, actor, page }: { taskId: string, actor: Actor, page: PageRequest }) {
  return keyset(shown(db, actor).where('i.task_id', '=', taskId), orders, sql`i.id`, page).$castTo<ItemRow & Keyed>().execute()
}

export async function countItems (db: Db, { taskId, actor }: { taskId: string, actor: Actor }): Promise<number> {
  const { total } = await seen(db, actor).where('i.task_id', '=', taskId).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export function findItem (db: Db, { id, actor }: { id: string, actor: Actor }): Promise<ItemRow | undefined> {
  return shown(db, actor).where('i.id', '=', id).$castTo<ItemRow>().executeTakeFirst()
}

/**
 * Whoever adds, removes or reorders steps of a task waits here for the one before, in a statement of its own: the next
 * statement then sees all that the other did, so that places are neither lost nor given twice.
 */
async function lockTask (trx: Db, taskId: string, actor: Actor): Promise<boolean> {
  const task = await lookAgain(async () => (await sql`
    select from tasks t join projects p on p.id = t.project_id
    where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(actor)} for no key update of t`.execute(trx)).rows[0])
  return task !== undefined
}

/** What every change of a CTE `x` (id, task_id, version, at) records, and that it is activity of the task. */
const recorded = (action: string, { origin, changes = sql`'{}'::jsonb` }: { origin: Origin, changes?: RawBuilder<unknown> }) => sql`
  touched as (
    update tasks t set last_activity_at = greatest(t.last_activity_at, x.at) from x where t.id = x.task_id
  ), event as (
    select ${newId()}::uuid as event_id, x.at, 'checklist_item' as entity_type, x.id as entity_id, ${action}::text as action, t.project_id, x.task_id, x.version,
      ${changes} as changes, '{}'::jsonb as data
    from x join tasks t on t.id = x.task_id
  ), ${recordEvents(origin)}`

/** @returns the new last step, or undefined when there is no such task to see */
export function addItem (db: Db, { taskId, label, actor, origin }: By & { taskId: string, label: string }): Promise<ItemRow | undefined> {
  const id = newId()
  return inTransaction(db, async (trx) => {
    if (!await lockTask(trx, taskId, actor)) return undefined
    await sql`
      with x as (
        insert into checklist_items (id, task_id, label, position, created_by, created_at, updated_at)
        select ${id}::uuid, ${taskId}::uuid, ${label}, (select count(*) + 1 from checklist_items where task_id = ${taskId}), ${actor.id}::uuid, at, at
        from (select clock_timestamp() as at) moment
        returning id, task_id, label, version, created_at as at
      ), ${recorded('created', { origin, changes: sql`jsonb_build_object('label', jsonb_build_array(null, x.label))` })}
      select from x`.execute(trx)
    return findItem(trx, { id, actor })
  })
}

/**
 * Changes a step, in one statement; a change that changes nothing records nothing. The task is locked before the step, as by who
 * adds, removes or reorders steps.
 * @returns whether the version was right, or undefined when there is no such step to see
 */
export async function updateItem (db: Db, { id, set, versions, actor, origin }: By & { id: string, set: UpdateChecklistItem, versions?: number[] }): Promise<{ fresh: boolean, version: number } | undefined> {
  return lookAgain(async () => (await sql<{ fresh: boolean, version: number }>`
    with task as materialized (
      select t.id from checklist_items i join tasks t on t.id = i.task_id join projects p on p.id = t.project_id
      where i.id = ${id} and t.deleted_at is null and ${visibleProject(actor)} for no key update of t
    ), locked as materialized (
      select i.*, ${versions ?? null}::int[] is null or i.version = any(${versions ?? null}::int[]) as fresh,
        coalesce(${set.label ?? null}::text, i.label) as new_label, coalesce(${set.is_done ?? null}::boolean, i.done_at is not null) as new_done,
        greatest(clock_timestamp(), i.updated_at + interval '1 microsecond') as at
      from task join checklist_items i on i.task_id = task.id where i.id = ${id} for update of i
    ), x as (
      update checklist_items i set label = l.new_label, updated_at = l.at, version = i.version + 1,
        done_at = case when l.new_done then coalesce(l.done_at, l.at) end, done_by = case when l.new_done then coalesce(l.done_by, ${actor.id}::uuid) end
      from locked l where i.id = l.id and l.fresh and (l.label <> l.new_label or (l.done_at is not null) <> l.new_done)
      returning i.id, i.task_id, i.version, l.at, jsonb_changes(jsonb_build_object('label', l.label, 'is_done', l.done_at is not null),
        jsonb_build_object('label', i.label, 'is_done', i.done_at is not null)) as changes
    ), ${recorded('updated', { origin, changes: sql`x.changes` })}
    select fresh, version from locked`.execute(db)).rows[0])
}

/** @returns what became of it: removed, at another version, or undefined when there is no such step to see */
export function removeItem (db: Db, { id, versions, actor, origin }: By & { id: string, versions?: number[] }): Promise<{ fresh: boolean, version: number } | undefined> {
  return inTransaction(db, async (trx) => {
    const item = await findItem(trx, { id, actor })
    if (item === undefined || !await lockTask(trx, item.task_id, actor)) return undefined
    const { rows: [row] } = await sql<{ fresh: boolean, version: number }>`
      with locked as materialized (
        select *, ${versions ?? null}::int[] is null or version = any(${versions ?? null}::int[]) as fresh from checklist_items where id = ${id} for update
      ), gone as (
        delete from checklist_items i using locked l where i.id = l.id and l.fresh returning i.id, i.task_id, i.label, i.version, i.position
      ), moved as (
        update checklist_items i set position = i.position - 1 from gone g where i.task_id = g.task_id and i.position > g.position
      ), x as (
        select id, task_id, label, version, clock_timestamp() as at from gone
      ), ${recorded('deleted', { origin, changes: sql`jsonb_build_object('label', jsonb_build_array(x.label, null))` })}
      select fresh, version from locked`.execute(trx)
    return row
  })
}

/**
 * Puts the steps of a task into an order. Of two people who do it at once the second one's order holds; whatever was added
 * or removed meanwhile keeps its place behind the named ones, or is gone: no step is lost or doubled.
 * @returns whether there is such a task to see
 */
export function reorderItems (db: Db, { taskId, ids, actor, origin }: By & { taskId: string, ids: string[] }): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    if (!await lockTask(trx, taskId, actor)) return false
    await sql`
      with wanted as (
        select i.id, row_number() over (order by array_position(${ids}::uuid[], i.id) nulls last, i.position) as position from checklist_items i where i.task_id = ${taskId}
      ), moved as (
        update checklist_items i set position = w.position from wanted w where i.id = w.id and i.position <> w.position returning i.id
      ), at as (
        select clock_timestamp() as at where exists (select from moved)
      ), touched as (
        update tasks t set last_activity_at = greatest(t.last_activity_at, at.at) from at where t.id = ${taskId}
      ), event as (
        select ${newId()}::uuid as event_id, at.at, 'task' as entity_type, t.id as entity_id, 'checklist_reordered' as action, t.project_id, t.id as task_id, t.version,
          '{}'::jsonb as changes, '{}'::jsonb as data
        from at join tasks t on t.id = ${taskId}
      ), ${recordEvents(origin)}
      select from moved`.execute(trx)
    return true
  })
}
