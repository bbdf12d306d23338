import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { visibleProject } from '../../shared/visibility.js'
import { taskOf, type TaskRow } from '../columns.js'
import type { View } from '../queries.js'
import { DUE_SOON_DAYS } from '../rules.js'
import type { Work } from './schemas.js'

/**
 * Whether something is due from now until the end of the last of the days that count as soon, where the person is. The
 * day is told by its own date: where clocks go back at midnight, there are two midnights. The bound, a day wider, is for an index.
 */
export function isDueSoon (column: RawBuilder<unknown>, { actor: { timezone }, now }: View): RawBuilder<unknown> {
  const today = sql`(${now}::timestamptz at time zone ${timezone})::date`
  return sql`(${column} >= ${now} and ${column} < (${today} + ${DUE_SOON_DAYS + 2}::int)::timestamp at time zone ${timezone}
    and (${column} at time zone ${timezone})::date <= ${today} + ${DUE_SOON_DAYS}::int)`
}

type Section = keyof Static<typeof Work>

/** What waits for the person: how many tasks, and the first of them by due time, in each section. One statement. */
export async function myWork (db: Db, { view, limit }: { view: View, limit: number }): Promise<Static<typeof Work>> {
  const { actor, now } = view
  const isOpen = sql`t.is_open and t.deleted_at is null and ${visibleProject(actor)}`
  const { rows } = await sql<{ section: Section, total: number } & TaskRow>`
    with mine as (
      select 'court' as section, t.id, t.due_sort from tasks t join projects p on p.id = t.project_id where t.ball_in_court = ${actor.id} and ${isOpen}
      union all
      select 'assigned', t.id, t.due_sort from tasks t join projects p on p.id = t.project_id where t.assignee_id = ${actor.id} and ${isOpen}
    ), sections as (
      select * from mine
      union all
      select 'watched', t.id, t.due_sort from task_watchers w join tasks t on t.id = w.task_id join projects p on p.id = t.project_id where w.user_id = ${actor.id} and ${isOpen}
      union all
      select distinct 'due_soon', id, due_sort from mine where ${isDueSoon(sql`due_sort`, view)}
    ), first as (
      select * from (select section, id, count(*) over (partition by section) as total, row_number() over (partition by section order by due_sort, id) as place from sections) numbered
      where place <= ${limit}
    )
    select f.section, f.total, ${taskOf(now)}
    from first f join tasks t on t.id = f.id join projects p on p.id = t.project_id
    order by f.section, f.place`.execute(db)
  const work: Static<typeof Work> = { court: { total: 0, tasks: [] }, assigned: { total: 0, tasks: [] }, watched: { total: 0, tasks: [] }, due_soon: { total: 0, tasks: [] } }
  for (const { section, total, ...task } of rows) {
    work[section].total = total
    work[section].tasks.push(task)
  }
  return work
}
