import { sql } from 'kysely'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { setDeleted } from '../shared/soft-delete.js'
import { visibleProject } from '../shared/visibility.js'
import type { CreateProject, Project, UpdateProject } from './schemas.js'
import type { Static } from 'typebox'

export type ProjectRow = Static<typeof Project>

const columns = ['p.id', 'p.code', 'p.name', 'p.description', 'p.status', 'p.visibility', 'p.created_by', 'p.version', 'p.created_at', 'p.updated_at', 'p.deleted_at'] as const

const orders: Record<string, Order> = {
  updated_at: { by: sql`p.updated_at`, type: 'timestamptz' },
  created_at: { by: sql`p.created_at`, type: 'timestamptz' },
  name: { by: sql`lower(p.name)`, type: 'text' }
}

export interface ProjectFilter { status?: string[], visibility?: string, updated_since?: string }

const filtered = (db: Db, actor: Actor, { status, visibility, updated_since: since }: ProjectFilter) => db.selectFrom('projects as p')
  .where(visibleProject(actor, { deletedToo: since !== undefined }))
  .$if(status !== undefined, (qb) => qb.where('p.status', '=', sql<string>`any(${status})`))
  .$if(visibility !== undefined, (qb) => qb.where('p.visibility', '=', visibility as string))
  .$if(since !== undefined, (qb) => qb.where('p.updated_at', '>=', since as string))

/** One page of the projects that the person may see, and one row more when there is a next page. */
export function listProjects (db: Db, { actor, filter, page }: { actor: Actor, filter: ProjectFilter, page: PageRequest }) {
  return keyset(filtered(db, actor, filter).select(columns), orders, sql`p.id`, page).$castTo<ProjectRow & Keyed>().execute()
}

export async function countProjects (db: Db, { actor, filter }: { actor: Actor, filter: ProjectFilter }): Promise<number> {
  const { total } = await filtered(db, actor, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export function findProject (db: Db, { actor, id }: { actor: Actor, id: string }) {
  return db.selectFrom('projects as p').select(columns).where('p.id', '=', id).where(visibleProject(actor)).$castTo<ProjectRow>().executeTakeFirst()
}

const fields = (alias: string) => sql`jsonb_build_object('code', ${sql.ref(alias)}.code, 'name', ${sql.ref(alias)}.name,
  'description', ${sql.ref(alias)}.description, 'status', ${sql.ref(alias)}.status, 'visibility', ${sql.ref(alias)}.visibility)`

const returned = sql.raw('id, code, name, description, status, visibility, created_by, version, created_at, updated_at, deleted_at')

/** Adds a project, with the counter of its tasks and its creator as manager, and records the event, in one statement. */
export async function createProject (db: Db, { values, origin }: { values: CreateProject, origin: Origin }): Promise<ProjectRow> {
  const { code, name, description = '', status = 'active', visibility = 'company' } = values
  const { rows: [project] } = await sql<ProjectRow>`
    with after as (
      insert into projects (id, code, name, description, status, visibility, created_by, created_at, updated_at)
      select ${newId()}::uuid, ${code}, ${name}, ${description}, ${status}, ${visibility}, ${origin.actorId}::uuid, at, at
      from (select clock_timestamp() as at) moment
      returning ${returned}
    ), counter as (
      insert into project_counters (project_id) select id from after
    ), manager as (
      insert into project_members (project_id, user_id, role, added_by) select id, created_by, 'manager', created_by from after
    ), event as (
      select ${newId()}::uuid as event_id, a.created_at as at, 'project' as entity_type, a.id as entity_id, 'created' as action, a.id as project_id,
        null::uuid as task_id, a.version, jsonb_changes('{}', jsonb_strip_nulls(${fields('a')})) as changes, '{}'::jsonb as data
      from after a
    ), ${recordEvents(origin)}
    select * from after`.execute(db)
  return project as ProjectRow
}

/** What became of a change: the project as it is now, whether the version was right, or nothing when there is none to see. */
export interface Changed { project: ProjectRow, fresh: boolean }

/** Changes a project and records the event, in one statement; a change that changes nothing records nothing. */
export async function updateProject (db: Db, { actor, id, set, versions, origin }: { actor: Actor, id: string, set: UpdateProject, versions?: number[], origin: Origin }): Promise<Changed | undefined> {
  const { rows: [row] } = await sql<ProjectRow & { fresh: boolean }>`
    with locked as materialized (
      select p.*, ${versions ?? null}::int[] is null or p.version = any(${versions ?? null}::int[]) as fresh
      from projects p where p.id = ${id} and ${visibleProject(actor)} for update of p
    ), wanted as materialized (
      select l.id, n.*, ${fields('l')} as old, ${fields('n')} as new, greatest(clock_timestamp(), l.updated_at + interval '1 microsecond') as at
      from locked l, jsonb_to_record(${fields('l')} || ${JSON.stringify(set)}::jsonb) as n (code citext, name text, description text, status text, visibility text)
      where l.fresh
    ), after as (
      update projects p set code = w.code, name = w.name, description = w.description, status = w.status, visibility = w.visibility,
        updated_at = w.at, version = p.version + 1
      from wanted w where p.id = w.id and w.old <> w.new
      returning p.id, p.code, p.name, p.description, p.status, p.visibility, p.created_by, p.version, p.created_at, p.updated_at, p.deleted_at
    ), event as (
      select ${newId()}::uuid as event_id, w.at, 'project' as entity_type, a.id as entity_id, 'updated' as action, a.id as project_id,
        null::uuid as task_id, a.version, jsonb_changes(w.old, w.new) as changes, '{}'::jsonb as data
      from after a join wanted w on w.id = a.id
    ), ${recordEvents(origin)}
    select *, true as fresh from after
    union all
    select ${returned}, fresh from locked where not exists (select from after)`.execute(db)
  if (row === undefined) return undefined
  const { fresh, ...project } = row
  return { project, fresh }
}

/** Deletes a project softly, or brings it back. */
export function setProjectDeleted (db: Db, { actor, id, deleted, versions, origin }: { actor: Actor, id: string, deleted: boolean, versions?: number[], origin: Origin }): Promise<void> {
  return setDeleted(db, { table: 'projects', entityType: 'project', joins: sql`join projects p on p.id = x.id`, projectId: sql`x.id`, taskId: sql`null::uuid` },
    { id, deleted, versions, actorId: actor.id, visible: visibleProject(actor, { deletedToo: true }), record: recordEvents(origin) })
}
