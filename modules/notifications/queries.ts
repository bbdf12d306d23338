import { sql } from 'kysely'
import type { Actor } from '../../plugins/auth.js'
import type { Db } from '../../plugins/database/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { visibleProject } from '../shared/visibility.js'
import type { Static } from 'typebox'
import type { Notification } from './schemas.js'

export type NotificationRow = Static<typeof Notification>

const orders: Record<string, Order> = { created_at: { by: sql`n.created_at`, type: 'timestamptz' } }

export interface NotificationFilter { unread?: boolean, type?: string[], project?: string }

/** The person's own, about tasks that are there and that they may (still) see. */
const filtered = (db: Db, actor: Actor, { unread, type, project }: NotificationFilter) => db.selectFrom('notifications as n')
  .innerJoin('tasks as t', 't.id', 'n.task_id').innerJoin('projects as p', 'p.id', 'n.project_id')
  .where('n.user_id', '=', actor.id).where('t.deleted_at', 'is', null).where(visibleProject(actor))
  .$if(unread === true, (qb) => qb.where('n.read_at', 'is', null))
  .$if(unread === false, (qb) => qb.where('n.read_at', 'is not', null))
  .$if(type !== undefined, (qb) => qb.where('n.type', '=', sql<string>`any(${type})`))
  .$if(project !== undefined, (qb) => qb.where('n.project_id', '=', project as string))

const shown = (db: Db, actor: Actor, filter: NotificationFilter) => filtered(db, actor, filter).innerJoin('users as u', 'u.id', 'n.actor_id')
  .select(['n.id', 'n.type', 'n.project_id', 'n.task_id', 'n.comment_id', 'n.read_at', 'n.created_at', 't.title as task_title'])
  .select([
    sql<string>`p.code || '-' || t.number`.as('task_key'),
    sql<boolean>`n.read_at is not null`.as('is_read'),
    sql<{ id: string, name: string, email: string }>`jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email)`.as('actor'),
    sql<string>`u.name || case n.type when 'task_assigned' then ' assigned you ' when 'ball_received' then ' put the ball in your court: ' else ' mentioned you on ' end
      || p.code || '-' || t.number || ' ' || t.title`.as('message')
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
  const { numUpdatedRows } = await db.updateTable('notifications').set({ read_at: sql<string>`clock_timestamp()` })
    .where('user_id', '=', userId).where('read_at', 'is', null).executeTakeFirst()
  return Number(numUpdatedRows)
}
