import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../../plugins/auth/index.js'
import type { Db } from '../../../plugins/database/index.js'
import type { StorageName, StoredFile } from '../../../plugins/storage/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../../shared/pagination.js'
import { lookAgain } from '../../shared/transaction.js'
import { visibleProject } from '../../shared/visibility.js'
import type { Attachment } from './schemas.js'

export type AttachmentRow = Static<typeof Attachment>

const orders: Record<string, Order> = { created_at: { by: sql`a.created_at`, type: 'timestamptz' } }
const columns = ['a.id', 'a.task_id', 'a.name', 'a.content_type', 'a.size_bytes', 'a.uploaded_by', 'a.version', 'a.created_at'] as const
const sha256 = sql<string>`encode(a.sha256, 'hex')`

const seen = (db: Db, actor: Actor) => db.selectFrom('attachments as a')
  .innerJoin('tasks as t', 't.id', 'a.task_id').innerJoin('projects as p', 'p.id', 't.project_id')
  .where('t.deleted_at', 'is', null).where(visibleProject(actor))
const shown = (db: Db, actor: Actor) => seen(db, actor).select(columns).select(sha256.as('sha256'))

/** One page of the files of a task, the oldest first, and one row more when there is a next page. */
export function listAttachments (db: Db, { taskId, actor, page }: { taskId: string, actor: Actor, page: PageRequest }): Promise<(AttachmentRow & Keyed)[]> {
  return keyset(shown(db, actor).where('a.task_id', '=', taskId), orders, sql`a.id`, page).execute()
}

export async function countAttachments (db: Db, { taskId, actor }: { taskId: string, actor: Actor }): Promise<number> {
  const { total } = await seen(db, actor).where('a.task_id', '=', taskId).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/** The file, when the person may see its task and both are there; and where its bytes are. */
export function findAttachment (db: Db, { id, actor }: { id: string, actor: Actor }): Promise<AttachmentRow & { storage: StorageName } | undefined> {
  return shown(db, actor).innerJoin('stored_files as f', 'f.id', 'a.id').select('f.storage').where('a.id', '=', id)
    .$castTo<AttachmentRow & { storage: StorageName }>().executeTakeFirst()
}

/** Notes that bytes may be put into the storage, before they are: whatever happens then, they can be found. */
export async function announceFile (db: Db, { id, storage }: StoredFile): Promise<void> {
  await db.insertInto('stored_files').values({ id, storage, state: 'pending', since: sql<string>`clock_timestamp()` }).execute()
}

/** What both changes of a CTE `x` record, and that it is activity of the task. */
const recorded = (action: 'created' | 'deleted', changes: RawBuilder<unknown>, origin: Origin): RawBuilder<unknown> => sql`
  touched as (
    update tasks t set last_activity_at = greatest(t.last_activity_at, x.at) from x where t.id = x.task_id
  ), event as (
    select ${newId()}::uuid as event_id, x.at, 'attachment' as entity_type, x.id as entity_id, ${action}::text as action, t.project_id, x.task_id, x.version,
      ${changes} as changes, jsonb_build_object('content_type', x.content_type, 'size_bytes', x.size_bytes, 'sha256', encode(x.sha256, 'hex')) as data
    from x join tasks t on t.id = x.task_id
  ), ${recordEvents(origin)}`

/** What is known of a file whose bytes are in the storage. */
export interface NewAttachment { id: string, name: string, contentType: string, size: number, sha256: Buffer }

/**
 * Makes the bytes that were announced a file of a task, and records the event, in one statement.
 * @returns undefined when there is no such task to see, or the bytes were given up meanwhile: they were announced too long ago
 */
export async function createAttachment (db: Db, { taskId, file, actor, origin }: { taskId: string, file: NewAttachment, actor: Actor, origin: Origin }): Promise<AttachmentRow | undefined> {
  return lookAgain(async () => (await sql<AttachmentRow>`
    with task as materialized (
      select t.id from tasks t join projects p on p.id = t.project_id
      where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(actor)} for no key update of t
    ), kept as (
      update stored_files f set state = 'kept', since = clock_timestamp() from task where f.id = ${file.id} and f.state = 'pending'
      returning f.id, task.id as task_id, f.since as at
    ), x as (
      insert into attachments (id, task_id, name, content_type, size_bytes, sha256, uploaded_by, created_at)
      select id, task_id, ${file.name}, ${file.contentType}, ${file.size}::bigint, ${file.sha256}::bytea, ${actor.id}::uuid, at from kept
      returning *, created_at as at
    ), ${recorded('created', sql`jsonb_build_object('name', jsonb_build_array(null, x.name))`, origin)}
    select id, task_id, name, content_type, size_bytes, encode(sha256, 'hex') as sha256, uploaded_by, version, created_at from x`.execute(db)).rows[0])
}

/**
 * Takes a file away from its task, gives its bytes up, and records the event, in one statement. The task is locked first: who waits
 * for one that is moving looks again where it went.
 * @returns whether the version was right, or undefined when there is no such file to see
 */
export async function deleteAttachment (db: Db, { id, versions, actor, origin }: { id: string, versions?: number[], actor: Actor, origin: Origin }): Promise<{ fresh: boolean, version: number } | undefined> {
  return lookAgain(async () => (await sql<{ fresh: boolean, version: number }>`
    with task as materialized (
      select t.id from attachments a join tasks t on t.id = a.task_id join projects p on p.id = t.project_id
      where a.id = ${id} and t.deleted_at is null and ${visibleProject(actor)} for no key update of t
    ), locked as materialized (
      select a.id, a.version, ${versions ?? null}::int[] is null or a.version = any(${versions ?? null}::int[]) as fresh
      from task join attachments a on a.task_id = task.id where a.id = ${id} for update of a
    ), x as (
      delete from attachments a using locked l where a.id = l.id and l.fresh returning a.*, clock_timestamp() as at
    ), dropped as (
      update stored_files f set state = 'dropped', since = x.at from x where f.id = x.id
    ), ${recorded('deleted', sql`jsonb_build_object('name', jsonb_build_array(x.name, null))`, origin)}
    select fresh, version from locked`.execute(db)).rows[0])
}
