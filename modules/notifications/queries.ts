import { sql } from 'kysely'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { BATCH, inBatches } from '../../plugins/jobs/batches.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { visibleProject } from '../shared/visibility.js'
import type { Static } from 'typebox'
import { CONSUMER } from './consumer.js'
import { messageOf } from './message.js'
import type { Notification } from './schemas.js'

export type NotificationRow = Static<typeof Notification>

const orders: Record<string, Order> = { created_at: { by: sql`n.created_at`, type: 'timestamptz' } }

export interface NotificationFilter { unread?: boolean, type?: string[], project?: string }

/** The person's own, about tasks that are there and that they may (still) see. */
const filtered = (db: Db, actor: Actor, { unread, type, project }: NotificationFilter) => db.selectFrom('notifications as n')
  .innerJoin('tasks as t', 't.id', 'n.task_id').innerJoin('projects as p', 'p.id', 't.project_id')
  .where('n.user_id', '=', actor.id).where('t.deleted_at', 'is', null).where(visibleProject(actor))
  .$if(unread === true, (qb) => qb.where('n.read_at', 'is', null))
  .$if(unread === false, (qb) => qb.where('n.read_at', 'is not', null))
  .$if(type !== undefined, (qb) => qb.where('n.type', '=', sql<string>`any(${type})`))
  .$if(project !== undefined, (qb) => qb.where('t.project_id', '=', project as string))

const shown = (db: Db, actor: Actor, filter: NotificationFilter) => filtered(db, actor, filter).innerJoin('users as u', 'u.id', 'n.actor_id')
  .select(['n.id', 'n.type', 't.project_id', 'n.task_id', 'n.comment_id', 'n.event_count', 'n.read_at', 'n.created_at', 't.title as task_title'])
  .select([
    sql<string>`p.code || '-' || t.number`.as('task_key'),
    sql<string>`coalesce(n.updated_at, n.created_at)`.as('updated_at'),
    sql<boolean>`n.read_at is not null`.as('is_read'),
    sql<{ id: string, name: string, email: string }>`jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email)`.as('actor'),
    messageOf.as('message')
  ])

/** One page of the person's notifications, and one row more when there is a next page. */
export function listNotifications (db: Db, { actor, filter, page }: { actor: Actor, filter: NotificationFilter, page: PageRequest }) {
  return keyset(shown(db, actor, filter), orders, sql`n.id`, page).$castTo<NotificationRow & Keyed>().execute()
}

export async function countNotifications (db: Db, { actor, filter }: { actor: Actor, filter: NotificationFilter }): Promise<number> {
  const { count } = await filtered(db, actor, filter).select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
  return count
}

/**
 * Marks one of the person's notifications as read; a second time keeps the first time.
 * @returns undefined when it is not theirs
 */
export async function markRead (db: Db, { id, actor }: { id: string, actor: Actor }) {
  await db.updateTable('notifications').set({ read_at: sql<string>`clock_timestamp()` })
    .where('id', '=', id).where('user_id', '=', actor.id).where('read_at', 'is', null).execute()
  return shown(db, actor, {}).where('n.id', '=', id).$castTo<NotificationRow>().executeTakeFirst()
}

/**
 * Marks all of the person's notifications as read.
 * @returns how many were not
 */
export async function markAllRead (db: Db, userId: string): Promise<number> {
  const { numUpdatedRows } = await db
    // In the order in which the consumer locks them too: the two would wait for each other otherwise.
    .with('mine', (cte) => cte.selectFrom('notifications').select('id').where('user_id', '=', userId).where('read_at', 'is', null).orderBy('id').forNoKeyUpdate())
    .updateTable('notifications').from('mine').set({ read_at: sql<string>`clock_timestamp()` })
    .whereRef('notifications.id', '=', 'mine.id').executeTakeFirst()
  return Number(numUpdatedRows)
}

const consumed = sql<number>`coalesce((select position from event_cursors where consumer = ${CONSUMER}), 0)`

/** The position after which a stream begins: the one that a client knows, but never one that was not reached yet; else now. */
export async function whereToBegin (db: Db, known?: number): Promise<number> {
  const { rows: [row] } = await sql<{ position: number }>`select least(${known ?? null}::bigint, ${consumed}) as position`.execute(db)
  return (row as NonNullable<typeof row>).position
}

/** What the person was told after a position, in the order of positions, as the list would show it. */
export function streamedAfter (db: Db, { actor, after, limit }: { actor: Actor, after: number, limit: number }) {
  return shown(db, actor, {}).select('n.position').where('n.position', '>', after).orderBy('n.position').limit(limit)
    .$castTo<NotificationRow & { position: number }>().execute()
}

/**
 * Which of these people were told something after a position, the position up to which everybody has been told, and who of
 * them is not active any more, all as of one moment. Without a position nobody was told anything.
 */
export async function whoWasTold (db: Db, { users, after }: { users: string[], after?: number }): Promise<{ cursor: number, users: string[], gone: string[] }> {
  const { rows: [row] } = await sql<{ cursor: number, users: string[], gone: string[] }>`
    select ${consumed} as cursor,
      array(select u.id from unnest(${users}::uuid[]) u (id)
        where ${after ?? null}::bigint is null or exists (select from notifications n where n.user_id = u.id and n.position > ${after ?? null}::bigint)) as users,
      array(select u.id from unnest(${users}::uuid[]) u (id) where not exists (select from users where users.id = u.id and users.is_active)) as gone`.execute(db)
  return row as NonNullable<typeof row>
}

/**
 * Deletes what people were told so long ago, read or not.
 * @returns how many
 */
export const expireNotifications = (db: Db, { days, signal }: { days: number, signal?: AbortSignal }): Promise<number> => inBatches(async () => {
  const { numAffectedRows } = await sql`
    delete from notifications where id = any(array(
      select id from notifications where created_at < now() - make_interval(days => ${days}::int) order by created_at limit ${BATCH} for update skip locked))`.execute(db)
  return Number(numAffectedRows)
}, signal)
