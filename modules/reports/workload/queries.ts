import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { isDueSoon } from '../../tasks/index.js'
import { visibleProject } from '../../shared/visibility.js'
import { conditions, peopleOf, type Asking } from '../filters.js'
import type { Workload, WorkloadQuery } from './schemas.js'

/** What each person has on their plate, the fullest first; who sees some projects only is shown the people of those. */
export async function workload (db: Db, { actor, now }: Asking, { person, ...filter }: WorkloadQuery): Promise<Static<typeof Workload>[]> {
  const people = peopleOf(person, actor)
  const isColleague = actor.byProjectRole === undefined
    ? sql`true`
    : sql`exists (
    select from project_members own join projects p on p.id = own.project_id where own.user_id = u.id and ${visibleProject(actor)})`
  const { rows } = await sql<Static<typeof Workload>>`
    with counts as (
      select w.id, count(*) filter (where w.id = t.assignee_id) as assigned, count(*) filter (where w.id = t.ball_in_court) as ball,
        count(*) filter (where t.due_sort < ${now}) as overdue, count(*) filter (where ${isDueSoon(sql`t.due_sort`, { actor, now })}) as due_soon
      from tasks t join projects p on p.id = t.project_id
      cross join lateral unnest(case when t.assignee_id = t.ball_in_court then array[t.assignee_id] else array[t.assignee_id, t.ball_in_court] end) w (id)
      where t.is_open and w.id is not null and ${conditions(actor, filter)} group by w.id
    )
    select u.id as person_id, u.email as owner, u.name, u.department, coalesce(c.assigned, 0) as assigned, coalesce(c.ball, 0) as ball,
      coalesce(c.overdue, 0) as overdue, coalesce(c.due_soon, 0) as due_soon
    from users u left join counts c using (id)
    where (c.id is not null or (u.is_active and ${isColleague})) ${people === undefined ? sql`` : sql`and u.id = any(${people}::uuid[])`}
    order by coalesce(c.ball, 0) desc, coalesce(c.assigned, 0) desc, u.email`.execute(db)
  return rows
}
