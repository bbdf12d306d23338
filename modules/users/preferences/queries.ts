import { sql } from 'kysely'
import type { Actor } from '../../../plugins/auth/index.js'
import type { Db } from '../../../plugins/database/index.js'
import { visibleProject } from '../../shared/visibility.js'
import { defaults, type Preferences } from './schemas.js'

/** What a person prefers: version 0 and the defaults when they never said. */
export async function findPreferences (db: Db, actor: Actor): Promise<Preferences> {
  const { rows: [said] } = await sql<Preferences>`
    select u.week_starts_on, u.date_format, u.time_format, u.theme, u.items_per_page, p.id as default_project_id, u.version
    from user_preferences u left join projects p on p.id = u.default_project_id and ${visibleProject(actor)}
    where u.user_id = ${actor.id}`.execute(db)
  return said ?? { ...defaults, version: 0 }
}

/**
 * Replaces what a person prefers, in one statement; the same again is no new version. What one likes is no event of the
 * company.
 * @param versions the versions that it may have now, 0 for none yet; any when left out
 * @returns whether it was written (not, when it says the same already or is at another version), and whether the person
 * sees the project
 */
export async function setPreferences (db: Db, { actor, values: v, versions }: { actor: Actor, values: Omit<Preferences, 'version'>, versions?: number[] }): Promise<{ written: boolean, project_seen: boolean }> {
  const { rows: [row] } = await sql<{ written: boolean, project_seen: boolean }>`
    with asked as materialized (
      select ${v.default_project_id}::uuid is null or exists (select from projects p where p.id = ${v.default_project_id} and ${visibleProject(actor)}) as project_seen,
        ${versions ?? null}::int[] as versions
    ), after as (
      insert into user_preferences as u (user_id, week_starts_on, date_format, time_format, theme, items_per_page, default_project_id)
      select ${actor.id}::uuid, ${v.week_starts_on}, ${v.date_format}, ${v.time_format}, ${v.theme}, ${v.items_per_page}::int, ${v.default_project_id}::uuid from asked
      where project_seen and (versions is null or 0 = any(versions) or exists (select from user_preferences where user_id = ${actor.id}))
      on conflict (user_id) do update set week_starts_on = excluded.week_starts_on, date_format = excluded.date_format, time_format = excluded.time_format,
        theme = excluded.theme, items_per_page = excluded.items_per_page, default_project_id = excluded.default_project_id, version = u.version + 1, updated_at = clock_timestamp()
      where (${versions ?? null}::int[] is null or u.version = any(${versions ?? null}::int[]))
        and (u.week_starts_on, u.date_format, u.time_format, u.theme, u.items_per_page, u.default_project_id)
          is distinct from (excluded.week_starts_on, excluded.date_format, excluded.time_format, excluded.theme, excluded.items_per_page, excluded.default_project_id)
      returning u.user_id
    )
    select project_seen, exists (select from after) as written from asked`.execute(db)
  return row as NonNullable<typeof row>
}
