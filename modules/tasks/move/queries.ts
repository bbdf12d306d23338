import { sql } from 'kysely'
import type { Db } from '../../../plugins/database/index.js'
import { recordEvents, type Origin } from '../../activity/index.js'
import { newId } from '../../shared/ids.js'
import { inTransaction } from '../../shared/transaction.js'
import { projectVisibleTo, visibleProject } from '../../shared/visibility.js'
import { storedColumns, taskOf, type TaskRow } from '../columns.js'
import { lockFamilies } from '../families.js'
import type { View } from '../queries.js'
import { MOST_CHANGES } from '../rules.js'
import type { MoveTask } from './schemas.js'

/** Why a task was not moved. */
export type MoveRefused = 'not_found' | 'stale' | 'project' | 'same_project' | 'parent' | 'too_large' | 'out_of_sight'

/** The task as it is now, or why it was not moved; `lost` are those who would lose sight of what is theirs to do. */
export type Moved = { refused: MoveRefused | null, current_version: number, lost: { field: string, name: string }[] | null } & TaskRow

interface Move { id: string, to: MoveTask, versions?: number[], view: View, origin: Origin }

/**
 * Moves a task and all that is under it to another project, in one transaction: each task gets the next number there, keeps
 * the key it had as a former one, and has one event in the new project; the old project has one event that names what left.
 * Nothing is burnt by a move that fails: the counter goes back with it.
 *
 * Moves take turns in the company, so that nobody else changes a task's project in between, and families of both projects
 * are locked before any row, as by everyone who gives a task a parent.
 */
export function moveTask (db: Db, move: Move): Promise<Moved> {
  return inTransaction(db, async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('task moves', 0))`.execute(trx)
    await sql`${lockFamilies(sql`select project_id from tasks where id = ${move.id} union select ${move.to.project_id}::uuid`)}`.execute(trx)
    return moveFamily(trx, move)
  })
}

async function moveFamily (db: Db, { id, to, versions, view, origin }: Move): Promise<Moved> {
  const { rows: [row] } = await sql<Moved>`
    with recursive root as materialized (
      select t.id, t.project_id from tasks t join projects p on p.id = t.project_id where t.id = ${id} and t.deleted_at is null and ${visibleProject(view.actor)}
    ), target as materialized (
      select p.* from projects p where p.id = ${to.project_id} and ${visibleProject(view.actor)}
    ), family (id) as (
      select id from root union all select c.id from family f join tasks c on c.parent_id = f.id
    ), locked as materialized (
      select t.*, greatest(clock_timestamp(), t.updated_at + interval '1 microsecond') as at
      from tasks t where t.id = any(array(select id from family limit ${MOST_CHANGES + 1})) order by t.id for update of t
    ), own as materialized (
      select l.version, l.deleted_at, l.project_id, p.code from locked l join projects p on p.id = l.project_id where l.id = ${id}
    ), lost as materialized (
      select w.field, u.name
      from locked l cross join lateral (values ('assignee_id', l.assignee_id), ('ball_in_court', l.ball_in_court)) w (field, user_id)
      join users u on u.id = w.user_id
      where l.is_open and l.deleted_at is null and u.is_active
        and exists (select from projects p where p.id = l.project_id and ${projectVisibleTo(sql.ref('u.id'))}) and not exists (select from target p where ${projectVisibleTo(sql.ref('u.id'))})
      group by w.field, u.name
    ), judged as materialized (
      select case
        when not exists (select from own where deleted_at is null) then 'not_found'
        when not exists (select from target) then 'project'
        when ${versions ?? null}::int[] is not null and not exists (select from own where version = any(${versions ?? null}::int[])) then 'stale'
        when exists (select from own join target on target.id = own.project_id) then 'same_project'
        when ${to.parent_id ?? null}::uuid is not null
          and not exists (select from tasks t join target on target.id = t.project_id where t.id = ${to.parent_id ?? null} and t.deleted_at is null) then 'parent'
        when (select count(*) from locked) > ${MOST_CHANGES} then 'too_large'
        when exists (select from lost) then 'out_of_sight'
      end as refused
    ), counter as (
      update project_counters c set last_task_number = last_task_number + (select count(*) from locked) from judged j
      where c.project_id = ${to.project_id} and j.refused is null
      returning c.last_task_number - (select count(*) from locked) as taken
    ), numbered as materialized (
      select l.id, taken + row_number() over (order by l.number) as number, case when l.id = ${id} then ${to.parent_id ?? null}::uuid else l.parent_id end as parent_id
      from locked l, counter
    ), after as (
      update tasks t set project_id = ${to.project_id}, number = n.number, parent_id = n.parent_id,
        updated_at = l.at, last_activity_at = greatest(t.last_activity_at, l.at), version = t.version + 1
      from numbered n join locked l on l.id = n.id where t.id = n.id
      returning ${storedColumns('t')}
    ), kept as (
      insert into task_former_keys (project_id, number, task_id, created_at) select l.project_id, l.number, l.id, l.at from locked l join after a on a.id = l.id
    ), arrivals as materialized (
      select l.at, a.id, a.project_id, a.version, jsonb_changes(
        jsonb_build_object('project_id', l.project_id, 'number', l.number, 'parent_id', l.parent_id),
        jsonb_build_object('project_id', a.project_id, 'number', a.number, 'parent_id', a.parent_id)) as changes
      from after a join locked l on l.id = a.id
    ), departure as materialized (
      select max(l.at) as at, own.project_id, jsonb_agg(jsonb_build_object('id', l.id, 'key', own.code || '-' || l.number) order by l.number) as tasks
      from locked l join after a on a.id = l.id, own group by own.project_id
    ), ids as materialized (
      select * from unnest((select array_agg(id order by id) from arrivals), ${Array.from({ length: MOST_CHANGES }, newId)}::uuid[]) as i (id, event_id) where id is not null
    ), event as (
      select i.event_id, r.at, 'task' as entity_type, r.id as entity_id, 'moved' as action, r.project_id, r.id as task_id, r.version, r.changes, '{}'::jsonb as data
      from arrivals r join ids i on i.id = r.id
      union all
      select ${newId()}::uuid, d.at, 'project', d.project_id, 'tasks_left', d.project_id, null, p.version, '{}', jsonb_build_object('tasks', d.tasks)
      from departure d join projects p on p.id = d.project_id
    ), ${recordEvents(origin)}
    select j.refused, coalesce((select version from own), 0) as current_version, (select jsonb_agg(to_jsonb(lost) order by field, name) from lost) as lost, ${taskOf(view.now)}
    from judged j left join after t on t.id = ${id} left join projects p on p.id = t.project_id`.execute(db)
  return row as Moved
}
