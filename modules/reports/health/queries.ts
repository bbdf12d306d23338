import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { visibleProject } from '../../shared/visibility.js'
import { STALLED_AFTER_DAYS } from '../../tasks/index.js'
import { conditions, isHeld, peopleOf, type Asking } from '../filters.js'
import { countsPerProject } from '../ledger/counts.js'
import type { HealthQuery, ProjectHealth } from './schemas.js'

/** How each project is doing, in the order of their codes; a project without tasks has its line too. Counts of all tasks come from the ledger, of a person's by the index of their tasks. */
export async function projectHealth (db: Db, { actor, now }: Asking, { person, ...filter }: HealthQuery): Promise<Static<typeof ProjectHealth>[]> {
  const stalledSince = new Date(now.getTime() - STALLED_AFTER_DAYS * 86_400_000)
  const people = peopleOf(person, actor)
  const wanted = people === undefined ? conditions(actor, filter) : sql`${conditions(actor, filter)} and t.assignee_id = any(${people}::uuid[])`
  const counted = people === undefined
    ? countsPerProject(actor, 'status', filter)
    : sql`select t.project_id, t.status as key, count(*) as count from tasks t join projects p on p.id = t.project_id where ${wanted} group by 1, 2`
  // Materialized: a planner that has no statistics yet would count again for each project.
  const { rows } = await sql<Static<typeof ProjectHealth>>`
    with open as materialized (
      select t.project_id as id, count(*), count(*) filter (where t.due_sort < ${now}) as overdue, count(*) filter (where t.last_activity_at <= ${stalledSince}) as stalled,
        count(*) filter (where not ${isHeld}) as nobodys, min(t.ball_since) filter (where ${isHeld}) as oldest
      from tasks t join projects p on p.id = t.project_id where t.is_open and ${wanted} group by 1
    ), worth_doing as materialized (
      select c.project_id as id, sum(c.count) as count, coalesce(sum(c.count) filter (where c.key = 'done'), 0) as done
      from (${counted}) c where c.key <> 'closed' group by 1 having sum(c.count) > 0
    )
    select p.id as project_id, p.code, p.name, p.status, coalesce(o.count, 0) as open, coalesce(o.overdue, 0) as overdue, coalesce(o.stalled, 0) as stalled,
      coalesce(o.nobodys, 0) as nobodys, case when o.oldest is not null then greatest(extract(epoch from ${now}::timestamptz - o.oldest), 0)::float8 end as oldest_hold_seconds,
      coalesce(w.done, 0) as done, w.done::float8 / w.count as share_done
    from projects p left join open o using (id) left join worth_doing w using (id)
    where ${visibleProject(actor)} ${filter.project === undefined ? sql`` : sql`and p.id = any(${filter.project}::uuid[])`}
    order by p.code, p.id`.execute(db)
  return rows
}
