import { sql, type RawBuilder, type SqlBool } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../../plugins/auth/index.js'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../../shared/pagination.js'
import { setDeleted } from '../../shared/soft-delete.js'
import { lookAgain } from '../../shared/transaction.js'
import { mayInProject, visibleProject } from '../../shared/visibility.js'
import { mentionsIn } from './rules.js'
import type { Comment, CommentRevision } from './schemas.js'

export type CommentRow = Static<typeof Comment>

const orders: Record<string, Order> = { created_at: { by: sql`c.created_at`, type: 'timestamptz' } }

/** People, rows of `user_id`, as a comment shows them. */
const named = (people: RawBuilder<unknown>) => sql<CommentRow['mentions']>`(
  select coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name) order by u.id), '[]') from (${people}) m join users u on u.id = m.user_id)`

const mentionsOf = named(sql`select user_id from comment_mentions where comment_id = c.id`)

const shown = sql.raw('c.id, c.task_id, c.author_id, c.body, c.edited_at, c.version, c.created_at, c.updated_at, c.deleted_at')

const ofTask = (db: Db, taskId: string, actor: Actor) => db.selectFrom('comments as c')
  .innerJoin('tasks as t', 't.id', 'c.task_id').innerJoin('projects as p', 'p.id', 't.project_id')
  .where('c.task_id', '=', taskId).where('c.deleted_at', 'is', null).where('t.deleted_at', 'is', null).where(visibleProject(actor))

/** One page of the comments of a task, the oldest first, and one row more when there is a next page. */
export function listComments (db: Db, { taskId, actor, page }: { taskId: string, actor: Actor, page: PageRequest }) {
  const comments = ofTask(db, taskId, actor)
    .select(['c.id', 'c.task_id', 'c.author_id', 'c.body', 'c.edited_at', 'c.version', 'c.created_at', 'c.updated_at', 'c.deleted_at', mentionsOf.as('mentions')])
  return keyset(comments, orders, sql`c.id`, page).execute()
}

export async function countComments (db: Db, { taskId, actor }: { taskId: string, actor: Actor }): Promise<number> {
  const { total } = await ofTask(db, taskId, actor).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/** The comment, when the person may see its task and both are there. */
export async function findComment (db: Db, { id, actor }: { id: string, actor: Actor }): Promise<CommentRow | undefined> {
  const { rows } = await sql<CommentRow>`
    select ${shown}, ${mentionsOf} as mentions
    from comments c join tasks t on t.id = c.task_id join projects p on p.id = t.project_id
    where c.id = ${id} and c.deleted_at is null and t.deleted_at is null and ${visibleProject(actor)}`.execute(db)
  return rows[0]
}

const revisionOrders: Record<string, Order> = { at: { by: sql`a.created_at`, type: 'timestamptz' } }

/** Every text that the comment had, from the log, for who may see the comment. */
const revisions = (db: Db, id: string, actor: Actor) => db.selectFrom('comments as c')
  .innerJoin('tasks as t', 't.id', 'c.task_id').innerJoin('projects as p', 'p.id', 't.project_id')
  .innerJoin('activity_log as a', (join) => join.onRef('a.entity_id', '=', 'c.id').on('a.entity_type', '=', 'comment').onRef('a.created_at', '>=', 'c.created_at'))
  .where('c.id', '=', id).where('c.deleted_at', 'is', null).where('t.deleted_at', 'is', null).where(visibleProject(actor))
  .where('a.action', '=', sql<string>`any(${['created', 'updated']}::text[])`)

/** One page of the texts of a comment, the oldest first, and one row more when there is a next page. */
export function listRevisions (db: Db, { id, actor, page }: { id: string, actor: Actor, page: PageRequest }) {
  return keyset(revisions(db, id, actor).select(['a.id', 'a.version', 'a.created_at as at', sql<string>`a.changes -> 'body' ->> 1`.as('body')]), revisionOrders, sql`a.id`, page)
    .$castTo<Static<typeof CommentRevision> & Keyed>().execute()
}

export async function countRevisions (db: Db, { id, actor }: { id: string, actor: Actor }): Promise<number> {
  const { total } = await revisions(db, id, actor).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/** The active people whom a text mentions, as rows of `user_id`. */
const mentioned = (names: string[]): RawBuilder<unknown> => sql`
  select u.id as user_id from users u
  where u.is_active and (split_part(u.email::text, '@', 1) = any(${names}::text[]) or u.email = any(${names}::citext[]))`

/**
 * Adds a comment with its mentions, notes that something happened to the task, and records the event, in one statement.
 * @returns undefined when there is no such task to see
 */
export async function createComment (db: Db, { taskId, body, actor, origin }: { taskId: string, body: string, actor: Actor, origin: Origin }): Promise<CommentRow | undefined> {
  return lookAgain(async () => (await sql<CommentRow>`
    with task as materialized (
      select t.id, t.project_id from tasks t join projects p on p.id = t.project_id
      where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(actor)} for no key update of t
    ), moment as materialized (
      select *, clock_timestamp() as at from task
    ), c as (
      insert into comments (id, task_id, author_id, body, created_at, updated_at)
      select ${newId()}::uuid, id, ${actor.id}::uuid, ${body}, at, at from moment
      returning *
    ), touched as (
      update tasks t set last_activity_at = greatest(t.last_activity_at, m.at) from moment m where t.id = m.id
    ), people as materialized (
      ${mentioned(mentionsIn(body))}
    ), mention as (
      insert into comment_mentions (comment_id, user_id) select c.id, user_id from c, people
    ), named as (
      select coalesce(array_agg(user_id order by user_id), '{}') as mentions from people
    ), event as (
      select ${newId()}::uuid as event_id, c.created_at as at, 'comment' as entity_type, c.id as entity_id, 'created' as action, m.project_id, c.task_id, c.version,
        jsonb_build_object('body', jsonb_build_array(null, c.body)) as changes,
        case when named.mentions = '{}' then '{}' else jsonb_build_object('mentions', named.mentions) end as data
      from c, moment m, named
    ), ${recordEvents(origin)}
    select ${shown}, ${named(sql`select user_id from people`)} as mentions from c`.execute(db)).rows[0])
}

/** What became of an edit: whether it was the author's, and of the right version. */
export interface Edited { version: number, own: boolean, fresh: boolean }

interface Edit { id: string, body: string, versions?: number[], actor: Actor, origin: Origin }

/**
 * Changes the text of one's own comment, and whom it mentions, and records the event. Its task is locked first, in a statement of
 * its own: one that waited would not see, and so not drop, the mentions of whom it waited for, nor where the task has moved.
 */
export function updateComment (db: Db, edit: Edit): Promise<Edited | undefined> {
  return db.transaction().execute(async (trx) => {
    await sql`select from tasks where id = (select task_id from comments where id = ${edit.id} and author_id = ${edit.actor.id}) for no key update`.execute(trx)
    return changeComment(trx, edit)
  })
}

async function changeComment (db: Db, { id, body, versions, actor, origin }: Edit): Promise<Edited | undefined> {
  const { rows: [edited] } = await sql<Edited>`
    with locked as materialized (
      select c.*, t.project_id, c.author_id = ${actor.id} as own, ${versions ?? null}::int[] is null or c.version = any(${versions ?? null}::int[]) as fresh
      from comments c join tasks t on t.id = c.task_id join projects p on p.id = t.project_id
      where c.id = ${id} and c.deleted_at is null and t.deleted_at is null and ${visibleProject(actor)} for update of c
    ), wanted as materialized (
      select *, greatest(clock_timestamp(), updated_at + interval '1 microsecond') as at from locked where own and fresh and body <> ${body}
    ), after as (
      update comments c set body = ${body}, edited_at = w.at, updated_at = w.at, version = c.version + 1 from wanted w where c.id = w.id
      returning c.id, c.version
    ), touched as (
      update tasks t set last_activity_at = greatest(t.last_activity_at, w.at) from wanted w where t.id = w.task_id
    ), people as materialized (
      ${mentioned(mentionsIn(body))}
    ), dropped as (
      delete from comment_mentions m using after a where m.comment_id = a.id and m.user_id not in (select user_id from people)
    ), mention as (
      insert into comment_mentions (comment_id, user_id) select a.id, user_id from after a, people on conflict do nothing returning user_id
    ), named as (
      select array_agg(user_id order by user_id) as mentions from mention
    ), event as (
      select ${newId()}::uuid as event_id, w.at, 'comment' as entity_type, w.id as entity_id, 'updated' as action, w.project_id, w.task_id, a.version,
        jsonb_build_object('body', jsonb_build_array(w.body, ${body}::text)) as changes,
        case when named.mentions is null then '{}' else jsonb_build_object('mentions', named.mentions) end as data
      from wanted w join after a on a.id = w.id, named
    ), ${recordEvents(origin)}
    select version, own, fresh from locked`.execute(db)
  return edited
}

/** Deletes a comment softly, or brings it back: the author may, unless a moderator deleted it, and who moderates. */
export function setCommentDeleted (db: Db, { id, deleted, versions, actor, origin }: { id: string, deleted: boolean, versions?: number[], actor: Actor, origin: Origin }): Promise<void> {
  const permission = 'comments:moderate'
  const may = sql<SqlBool>`(${mayInProject(actor, permission)} or (x.author_id = ${actor.id} and (x.deleted_by is null or x.deleted_by = x.author_id)))`
  return setDeleted(db, {
    table: 'comments',
    entityType: 'comment',
    joins: sql`join tasks t on t.id = x.task_id and t.deleted_at is null join projects p on p.id = t.project_id`,
    projectId: sql`t.project_id`,
    taskId: sql`x.task_id`,
    keeps: sql`for key share of t`
  }, { id, deleted, versions, actorId: actor.id, visible: visibleProject(actor), unless: { may, permission }, record: recordEvents(origin) })
}
