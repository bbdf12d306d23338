import { sql } from 'kysely'
import type { Actor } from '../../../plugins/auth/index.js'
import type { Db } from '../../../plugins/database/index.js'
import { visibleProject } from '../../shared/visibility.js'

interface Whose { taskId: string, actor: Actor }

/**
 * Lets the person watch a task; a second time changes nothing. What a person watches is theirs: it is no event of the task.
 * @returns whether there is such a task to see
 */
export async function watch (db: Db, { taskId, actor }: Whose): Promise<boolean> {
  const { rows } = await sql`
    with task as (
      select t.id from tasks t join projects p on p.id = t.project_id where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(actor)}
    ), added as (
      insert into task_watchers (task_id, user_id) select id, ${actor.id}::uuid from task on conflict do nothing
    )
    select from task`.execute(db)
  return rows.length > 0
}

/** The opposite; for one who does not watch it changes nothing. */
export async function unwatch (db: Db, { taskId, actor }: Whose): Promise<boolean> {
  const { rows } = await sql`
    with task as (
      select t.id from tasks t join projects p on p.id = t.project_id where t.id = ${taskId} and t.deleted_at is null and ${visibleProject(actor)}
    ), removed as (
      delete from task_watchers w using task where w.task_id = task.id and w.user_id = ${actor.id}
    )
    select from task`.execute(db)
  return rows.length > 0
}
