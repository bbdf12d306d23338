import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'
import { visibleProject } from '../shared/visibility.js'
import { storedColumns, taskFields, taskOf, taskRecord, type TaskRow } from './columns.js'
import { lockFamilies } from './families.js'
import type { View } from './queries.js'
import { flow } from './rules.js'
import type { TaskSet } from './schemas.js'

/** One change of one task. */
export interface TaskChange {
  id: string
  /** The versions that it may have now; any when left out. */
  versions?: number[]
  set: TaskSet
  /** A handover: says why, and by when something is expected; refused when the ball is there already. */
  handover?: { note?: string, expected_by?: string }
}

/** Why a change was refused. */
export type Refused = 'not_found' | 'stale' | 'status' | 'finished' | 'ball_there' | 'assignee_gone' | 'assignee_unknown' | 'holder_gone' | 'holder_unknown' | 'parent_gone' | 'blocked'

/** What became of a change: the task as it is now, or why nothing was changed, and what it is now. */
export type Outcome = { id: string, refused: Refused | null, current_version: number, current_status: string, blockers: string[] | null } & TaskRow

/** A field that says where the ball goes says all of it: whom of ours it goes to also says that no company has it. */
export const wholeCourt = (set: TaskSet): TaskSet => 'ball_in_court' in set ? { ball_company_id: null, ball_contact_id: null, ...set } : set

/**
 * Changes up to 500 tasks, all or none, in one statement: locks them in the order of their ids, checks versions and the
 * status flow, writes the new rows, ends and begins holds of the ball, and records one event each. A change that changes
 * nothing records nothing and still answers with the task.
 *
 * Finishing a task puts the ball in nobody's court; reopening gives it back to whom it was taken from, unless they left.
 * @returns one outcome for each change, in their order; when any is refused, nothing was changed
 */
export async function changeTasks (db: Db, asked: { changes: TaskChange[], view: View, origin: Origin }): Promise<Outcome[]> {
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    const outcomes = await tryToChange(db, asked)
    // The row that we waited for is newer than the snapshot, in which its last hold is missing, or the project that it was
    // moved to, or whom it goes back to was deleted meanwhile: a new statement sees it all.
    if (!outcomes.some(({ refused }) => refused === 'again' || (refused === 'not_found' && attempt === 1))) return outcomes as Outcome[]
  }
  throw new Error('the last hold of a finished task is missing, or whom it goes back to is gone')
}

/** Subtasks as the statement leaves them. */
const childrenAfter = sql`(
  select c.parent_id, c.status, c.deleted_at from tasks c where not exists (select from after a where a.id = c.id)
  union all
  select parent_id, status, deleted_at from after)`

/** Each further one needs another handover to come between a statement's start and its lock. */
const MOST_ATTEMPTS = 10

type Tried = Omit<Outcome, 'refused'> & { refused: Refused | 'again' | null }

async function tryToChange (db: Db, { changes, view, origin }: { changes: TaskChange[], view: View, origin: Origin }): Promise<Tried[]> {
  const input = JSON.stringify(changes.map(({ id, versions, set, handover }, ord) => ({ ord, id, event_id: newId(), versions, set: wholeCourt(set), is_handover: handover !== undefined, ...handover })))
  const { rows } = await sql<Tried>`
    with input as materialized (
      select * from jsonb_to_recordset(${input}::jsonb)
        as i (ord int, id uuid, event_id uuid, versions jsonb, set jsonb, is_handover boolean, note text, expected_by timestamptz)
    ), families as materialized (
      -- The locks that the trigger of parents takes, in one order for all, and before any row: so does who moves a family away.
      ${lockFamilies(sql`select t.project_id from input i join tasks t on t.id = i.id where i.set ? 'parent_id'`)}
    ), locked as materialized (
      select ${storedColumns('t')}, ${taskFields('t')} as fields
      from tasks t join projects p on p.id = t.project_id cross join (select count(*) from families) f
      where t.id = any(array(select id from input)) and t.deleted_at is null and ${visibleProject(view.actor)}
      order by t.id for no key update of t -- a stronger lock and the foreign key of parents would wait for each other
    ), asked as (
      select i.*, l.id is not null as found, l.version as current_version, l.status as current_status, l.project_id, l.ball_no, l.ball_since, l.ball_paused_since as was_paused_since,
        l.is_open as was_open, l.ball_in_court as old_ball, l.ball_company_id as old_company, l.ball_contact_id as old_contact, l.assignee_id as old_assignee, l.parent_id as old_parent, l.closed_at as old_closed_at, l.fields,
        n.title, n.description, n.status, n.priority, n.department, n.tags, n.assignee_id, n.due_at, n.parent_id,
        case when n.status in ('done', 'closed') then null when b.goes_back then b.user_id else n.ball_in_court end as ball_in_court,
        case when n.status in ('done', 'closed') then null when b.goes_back then b.company_id
          when n.ball_contact_id is not null then (select c.company_id from contacts c where c.id = n.ball_contact_id) else n.ball_company_id end as ball_company_id,
        case when n.status in ('done', 'closed') then null when b.goes_back then b.contact_id else n.ball_contact_id end as ball_contact_id,
        greatest(clock_timestamp(), l.updated_at + interval '1 microsecond') as at
      from input i left join locked l on l.id = i.id
      left join lateral jsonb_to_record(l.fields || i.set) as n ${taskRecord} on l.id is not null
      left join lateral (
        select true as goes_back, u.id as user_id, o.id as company_id, c.id as contact_id
        from ball_holds h left join users u on u.id = h.user_id and u.is_active
        left join companies o on o.id = h.company_id and o.deleted_at is null
        left join contacts c on c.id = h.contact_id and c.company_id = o.id and c.deleted_at is null
        where h.task_id = l.id and h.no = l.ball_no - 1 and not l.is_open and not i.set ? 'ball_in_court'
      ) b on true
    ), companies_there as materialized (
      -- Who deletes a company or a contact waits for this, or has been waited for: then it is not there any more.
      select o.id from companies o where o.id = any(array(select ball_company_id from asked where ball_company_id is distinct from old_company)) and o.deleted_at is null
      order by o.id for key share of o
    ), contacts_there as materialized (
      select c.id from contacts c where c.id = any(array(select ball_contact_id from asked where ball_contact_id is distinct from old_contact)) and c.deleted_at is null
      order by c.id for key share of c
    ), held_up as materialized (
      -- What is finished by the same request holds nothing up, and what is reopened by it does.
      select d.blocked_id as id, array_agg(p.code || '-' || b.number order by b.id) filter (where ${visibleProject(view.actor)}) as blockers
      from asked a join task_dependencies d on d.blocked_id = a.id
      join tasks b on b.id = d.blocker_id and b.deleted_at is null join projects p on p.id = b.project_id and p.deleted_at is null
      left join asked same on same.id = b.id
      where a.status = 'done' and a.current_status <> 'done' and coalesce(same.status, b.status) not in ('done', 'closed')
      group by d.blocked_id
    ), wanted as materialized (
      select a.*, jsonb_changes(fields, ${taskFields('a')}) as changes,
        case
          when not found then 'not_found'
          when versions is not null and not versions @> to_jsonb(current_version) then 'stale'
          when status <> current_status and not ${JSON.stringify(flow)}::jsonb -> current_status ? status then 'status'
          when status in ('done', 'closed') and coalesce(set ->> 'ball_in_court', set ->> 'ball_company_id', set ->> 'ball_contact_id') is not null then 'finished'
          when is_handover and not moves_ball then 'ball_there'
          when assignee_id is not null and assignee_id is distinct from old_assignee
            and not exists (select from users u where u.id = a.assignee_id and u.is_active)
            then case when exists (select from users u where u.id = a.assignee_id) then 'assignee_gone' else 'assignee_unknown' end
          when set ->> 'ball_in_court' is not null and ball_in_court is distinct from old_ball
            and not exists (select from users u where u.id = a.ball_in_court and u.is_active)
            then case when exists (select from users u where u.id = a.ball_in_court) then 'holder_gone' else 'holder_unknown' end
          when ball_contact_id is not null and ball_company_id is null
            or ball_company_id is distinct from old_company and ball_company_id is not null and ball_company_id not in (select id from companies_there)
            or ball_contact_id is distinct from old_contact and ball_contact_id is not null and ball_contact_id not in (select id from contacts_there)
            then case when set ? 'ball_in_court' then 'holder_unknown' else 'again' end
          when parent_id is distinct from old_parent and exists (select from tasks t where t.id = a.parent_id and t.deleted_at is not null) then 'parent_gone'
          when exists (select from held_up h where h.id = a.id) then 'blocked'
          when not was_open and ball_no > 1 and not exists (select from ball_holds h where h.task_id = a.id and h.no = a.ball_no - 1) then 'again'
        end as refused
      from (
        select *, case when not moves_ball then was_paused_since end as ball_paused_since
        from (select *, (old_ball, old_company, old_contact) is distinct from (ball_in_court, ball_company_id, ball_contact_id) or was_open = (status in ('done', 'closed')) as moves_ball from asked) m
      ) a
    ), go as materialized (
      select bool_and(refused is null) as all_good from wanted
    ), after as (
      update tasks t set title = w.title, description = w.description, status = w.status, priority = w.priority, department = w.department, tags = w.tags,
        assignee_id = w.assignee_id, due_at = w.due_at, parent_id = w.parent_id, ball_in_court = w.ball_in_court,
        ball_company_id = w.ball_company_id, ball_contact_id = w.ball_contact_id, ball_paused_since = w.ball_paused_since,
        ball_no = w.ball_no + w.moves_ball::int, ball_since = case when w.moves_ball then w.at else w.ball_since end,
        closed_at = case when w.status in ('done', 'closed') then coalesce(w.old_closed_at, w.at) end,
        last_activity_at = w.at, updated_at = w.at, version = t.version + 1
      from wanted w, go where go.all_good and t.id = w.id and w.changes <> '{}'
      returning ${storedColumns('t')}
    ), ended as (
      -- The current hold may be newer than this statement's snapshot, when we waited for the task's lock. 'on conflict'
      -- sees it all the same; a plain update would not. The row always exists: nothing is ever inserted here.
      insert into ball_holds (task_id, no, started_at, ended_at, outcome)
      select w.id, w.ball_no, w.ball_since, w.at,
        case when w.was_open and w.status in ('done', 'closed') then 'finished' when w.was_open then 'passed' else 'reopened' end
      from wanted w join after a on a.id = w.id where w.moves_ball
      on conflict (task_id, no) do update set ended_at = excluded.ended_at, outcome = excluded.outcome
      returning task_id, no, ended_at
    ), resumed as (
      -- A pause ends with its hold; by 'on conflict' for the same reason.
      insert into ball_pauses (task_id, hold_no, started_at, ended_at, reason, paused_by)
      select e.task_id, e.no, w.was_paused_since, e.ended_at, '-', ${origin.actorId}::uuid from ended e join wanted w on w.id = e.task_id where w.was_paused_since is not null
      on conflict (task_id, started_at) do update set ended_at = excluded.ended_at
    ), begun as (
      insert into ball_holds (task_id, no, user_id, company_id, contact_id, passed_by, note, expected_by, started_at)
      select e.task_id, e.no + 1, w.ball_in_court, w.ball_company_id, w.ball_contact_id, ${origin.actorId}::uuid, w.note, w.expected_by, e.ended_at
      from ended e join wanted w on w.id = e.task_id
    ), event as (
      select w.event_id, w.at, 'task' as entity_type, w.id as entity_id, w.project_id, w.id as task_id, a.version, w.changes,
        case when w.changes ? 'status' then 'status_changed' when w.changes ?| array['ball_in_court', 'ball_company_id', 'ball_contact_id'] then 'ball_passed' when w.changes ? 'assignee_id' then 'assigned' else 'updated' end as action,
        case when w.is_handover then jsonb_strip_nulls(jsonb_build_object('note', w.note, 'expected_by', w.expected_by)) else '{}' end as data
      from wanted w join after a on a.id = w.id
    ), ${recordEvents(origin)}, now_is as (
      select * from after
      union all
      select ${storedColumns('l')} from locked l where not exists (select from after a where a.id = l.id)
    )
    select w.refused, w.current_version, w.current_status, (select h.blockers from held_up h where h.id = w.id) as blockers, ${taskOf(view.now, childrenAfter)}, w.id
    from wanted w left join now_is t on t.id = w.id left join projects p on p.id = t.project_id
    order by w.ord`.execute(db)
  return rows
}
