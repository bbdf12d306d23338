import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../../plugins/auth/index.js'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../../shared/pagination.js'
import { lookAgain } from '../../shared/transaction.js'
import { visibleProject } from '../../shared/visibility.js'
import type { Dependency } from './schemas.js'

export type DependencyRow = Static<typeof Dependency>

const orders: Record<string, Order> = { created_at: { by: sql`d.created_at`, type: 'timestamptz' } }

/** The tasks on the other end, where both ends are there and the person may see them. */
const ofTask = (db: Db, taskId: string, actor: Actor) => db.selectFrom('task_dependencies as d')
  .innerJoin('tasks as t', (join) => join.on(sql<boolean>`t.id = case when d.blocker_id = ${taskId} then d.blocked_id else d.blocker_id end`))
  .innerJoin('projects as p', 'p.id', 't.project_id')
  .where(sql<boolean>`(d.blocker_id = ${taskId} or d.blocked_id = ${taskId})`)
  .where('t.deleted_at', 'is', null).where(visibleProject(actor))
  // The visibility of the task of the path: the same rule, for the same alias in a query of its own.
  .where(sql<boolean>`exists (select from tasks own join projects p on p.id = own.project_id where own.id = ${taskId} and own.deleted_at is null and ${visibleProject(actor)})`)

const dependencies = (db: Db, taskId: string, actor: Actor) => ofTask(db, taskId, actor)
  .select(['d.id', 't.id as task_id', 't.title', 't.status', 't.is_open', 'd.created_at'])
  .select([
    sql<string>`p.code || '-' || t.number`.as('key'),
    sql<string>`case when d.blocker_id = ${taskId} then 'blocks' else 'blocked_by' end`.as('relation')
  ])

/** One page of what waits for a task and what it waits for, the oldest first, and one row more when there is a next page. */
export function listDependencies (db: Db, { taskId, actor, page }: { taskId: string, actor: Actor, page: PageRequest }) {
  return keyset(dependencies(db, taskId, actor), orders, sql`d.id`, page).$castTo<DependencyRow & Keyed>().execute()
}

export async function countDependencies (db: Db, { taskId, actor }: { taskId: string, actor: Actor }): Promise<number> {
  const { total } = await ofTask(db, taskId, actor).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

interface Pair { blockerId: string, blockedId: string, actor: Actor, origin: Origin }

/**
 * The CTEs `blocker` and `blocked`: the two tasks, where they are there to see. They are kept where they are until the end, in
 * the order in which a move locks its family; who waits for one that is moving looks again where it went.
 */
const bothEnds = ({ blockerId, blockedId, actor }: Pair): RawBuilder<unknown> => sql`
  ends as materialized (
    select t.id, t.project_id from tasks t join projects p on p.id = t.project_id
    where t.id in (${blockerId}, ${blockedId}) and t.deleted_at is null and ${visibleProject(actor)} order by t.id for key share of t
  ), blocker as (select * from ends where id = ${blockerId}), blocked as (select * from ends where id = ${blockedId})`

/** What both changes record: an event of the task that waits. */
const eventOf = (cte: 'added' | 'removed', action: 'created' | 'deleted'): RawBuilder<unknown> => sql`
  select ${newId()}::uuid as event_id, clock_timestamp() as at, 'dependency' as entity_type, x.id as entity_id, ${action}::text as action, b.project_id, b.id as task_id,
    1 as version, '{}'::jsonb as changes, jsonb_build_object('blocker_id', x.blocker_id, 'blocked_id', x.blocked_id) as data
  from ${sql.table(cte)} x join blocked b on b.id = x.blocked_id`

/**
 * Lets one task wait for another, and records the event, in one statement. A circle and a pair that is there already are
 * refused by the database.
 * @returns the dependency as the blocker sees it, or which of the two tasks is not there to see
 */
export async function addDependency (db: Db, pair: Pair): Promise<DependencyRow | 'no blocker' | 'no blocked'> {
  const { blockerId, actor, origin } = pair
  const id = newId()
  let hasBlocker = false
  const added = await lookAgain(async () => {
    const { rows: [row] } = await sql<{ has_blocker: boolean, has_blocked: boolean }>`
    with ${bothEnds(pair)}, added as (
      insert into task_dependencies (id, blocker_id, blocked_id, created_by, created_at)
      select ${id}::uuid, blocker.id, blocked.id, ${actor.id}::uuid, clock_timestamp() from blocker, blocked
      returning id, blocker_id, blocked_id
    ), event as (${eventOf('added', 'created')}), ${recordEvents(origin)}
    select exists (select from blocker) as has_blocker, exists (select from blocked) as has_blocked`.execute(db)
    hasBlocker = row?.has_blocker === true
    return hasBlocker && row?.has_blocked === true ? row : undefined
  })
  if (added === undefined) return hasBlocker ? 'no blocked' : 'no blocker'
  // Who deletes one of the two right after this leaves nothing to show.
  return await dependencies(db, blockerId, actor).where('d.id', '=', id).$castTo<DependencyRow>().executeTakeFirst() ?? 'no blocker'
}

/**
 * Lets a task wait no more, and records the event, in one statement.
 * @returns the id of what was removed, or undefined when there is no such pair to see
 */
export async function removeDependency (db: Db, pair: Pair): Promise<string | undefined> {
  const row = await lookAgain(async () => (await sql<{ id: string }>`
    with ${bothEnds(pair)}, removed as (
      delete from task_dependencies d using blocker, blocked where d.blocker_id = blocker.id and d.blocked_id = blocked.id
      returning d.id, d.blocker_id, d.blocked_id
    ), event as (${eventOf('removed', 'deleted')}), ${recordEvents(pair.origin)}
    select id from removed`.execute(db)).rows[0])
  return row?.id
}
