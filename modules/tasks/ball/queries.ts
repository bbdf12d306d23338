import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../../shared/pagination.js'
import { lookAgain } from '../../shared/transaction.js'
import { workingSeconds } from '../../shared/working-time.js'
import { visibleProject } from '../../shared/visibility.js'
import type { Static } from 'typebox'
import { holderOf } from '../columns.js'
import type { View } from '../queries.js'
import type { Hold } from './schemas.js'

export type HoldRow = Static<typeof Hold>

const orders: Record<string, Order> = { no: { by: sql`h.no`, type: 'integer' } }

/** A time inside JSON as it is outside: `Z` for UTC. */
const jsonTime = (column: string) => sql`replace(to_jsonb(${sql.ref(column)}) #>> '{}', '+00:00', 'Z')`

const endOf = (alias: 'h' | 'b', { now }: View) => sql`coalesce(${sql.ref(`${alias}.ended_at`)}, ${now}::timestamptz)`

const ofTask = (db: Db, taskId: string, { actor }: View) => db.selectFrom('ball_holds as h')
  .innerJoin('tasks as t', 't.id', 'h.task_id').innerJoin('projects as p', 'p.id', 't.project_id')
  .where('h.task_id', '=', taskId).where('t.deleted_at', 'is', null).where(visibleProject(actor))

const holds = (db: Db, taskId: string, view: View) => ofTask(db, taskId, view)
  .select(['h.task_id as id', 'h.task_id', 'h.no', 'h.passed_by', 'h.note', 'h.expected_by', 'h.started_at', 'h.ended_at', 'h.outcome', 'h.acknowledged_at'])
  .select(holderOf('h.user_id', 'h.company_id', 'h.contact_id').as('holder'))
  .select(sql<number>`coalesce((select extract(epoch from sum(greatest(coalesce(b.ended_at, ${view.now}::timestamptz) - b.started_at, interval '0'))) from ball_pauses b where b.task_id = h.task_id and b.hold_no = h.no), 0)`.as('paused_seconds'))
  .select(sql<number>`greatest(${workingSeconds(sql`h.started_at`, endOf('h', view))}
    - coalesce((select sum(${workingSeconds(sql`b.started_at`, endOf('b', view))}) from ball_pauses b where b.task_id = h.task_id and b.hold_no = h.no), 0), 0)`.as('held_working_seconds'))
  .select(sql<unknown[]>`coalesce((select jsonb_agg(jsonb_build_object('started_at', ${jsonTime('b.started_at')}, 'ended_at', ${jsonTime('b.ended_at')}, 'reason', b.reason, 'paused_by', b.paused_by) order by b.started_at)
    from ball_pauses b where b.task_id = h.task_id and b.hold_no = h.no), '[]')`.as('pauses'))
  .select(sql<number>`greatest(extract(epoch from coalesce(h.ended_at, ${view.now}::timestamptz) - h.started_at), 0)`.as('held_seconds'))

/** One page of the holds of a task's ball, the first hold first, and one row more when there is a next page. */
export function listHolds (db: Db, { taskId, view, page }: { taskId: string, view: View, page: PageRequest }) {
  return keyset(holds(db, taskId, view), orders, sql`h.task_id`, page).$castTo<HoldRow & Keyed>().execute()
}

export async function countHolds (db: Db, { taskId, view }: { taskId: string, view: View }): Promise<number> {
  const { total } = await ofTask(db, taskId, view).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/** Where the ball is now. */
export function findCurrentHold (db: Db, { taskId, view }: { taskId: string, view: View }) {
  return holds(db, taskId, view).where('h.ended_at', 'is', null).$castTo<HoldRow>().executeTakeFirst()
}

/**
 * Notes that whoever holds the ball has seen it, and records the event, in one statement; a second time changes nothing.
 * @returns whether the ball was in the caller's court, or undefined when there is no such task to see
 */
export async function acknowledge (db: Db, { taskId, view, origin }: { taskId: string, view: View, origin: Origin }): Promise<boolean | undefined> {
  const row = await lookAgain(async () => (await sql<{ mine: boolean }>`
    with locked as materialized (
      select t.id, t.project_id, t.version, t.ball_no, t.ball_since, t.ball_in_court is not distinct from ${origin.actorId}::uuid as mine
      from tasks t join projects p on p.id = t.project_id
      where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(view.actor)} for no key update of t
    ), moment as materialized (
      select *, greatest(clock_timestamp(), ball_since) as at from locked where mine
    ), after as (
      -- As for a handover: the hold may be newer than the snapshot, and 'on conflict' sees it all the same.
      insert into ball_holds (task_id, no, user_id, started_at, acknowledged_at)
      select id, ball_no, ${origin.actorId}::uuid, ball_since, at from moment
      on conflict (task_id, no) do update set acknowledged_at = excluded.acknowledged_at where ball_holds.acknowledged_at is null
      returning acknowledged_at
    ), touched as (
      update tasks t set last_activity_at = greatest(t.last_activity_at, a.acknowledged_at) from after a where t.id = ${taskId}
    ), event as (
      select ${newId()}::uuid as event_id, m.at, 'task' as entity_type, m.id as entity_id, 'ball_acknowledged' as action, m.project_id, m.id as task_id,
        m.version, '{}'::jsonb as changes, '{}'::jsonb as data
      from after join moment m on true
    ), ${recordEvents(origin)}
    select mine from locked`.execute(db)).rows[0])
  return row?.mine
}
