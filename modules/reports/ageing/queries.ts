import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { conditions, isHeld, peopleOf, type Asking } from '../filters.js'
import { BUCKETS, type Ageing, type AgeingQuery } from './schemas.js'

/** How old open work is, and how long it has been where it is; every bucket has its line, the youngest first. */
export async function ageing (db: Db, { actor, now }: Asking, { person, ...filter }: AgeingQuery): Promise<Static<typeof Ageing>[]> {
  const people = peopleOf(person, actor)
  // What was made after `now` was read counts as new.
  const bucketOf = (column: unknown) => sql`greatest(width_bucket(extract(epoch from ${now}::timestamptz - ${column}), ${BUCKETS.map((days) => days * 86_400)}::numeric[]), 1)`
  const { rows } = await sql<Static<typeof Ageing>>`
    with aged as materialized (
      select ${bucketOf(sql`t.created_at`)} as age, ${bucketOf(sql`t.ball_since`)} as stay, ${isHeld} as is_held
      from tasks t join projects p on p.id = t.project_id
      where t.is_open and ${conditions(actor, filter)} ${people === undefined ? sql`` : sql`and t.ball_in_court = any(${people}::uuid[])`}
    ), by_age as (
      select age as no, count(*) from aged group by 1
    ), by_stay as (
      select stay as no, count(*) filter (where is_held) as held, count(*) filter (where not is_held) as nobodys from aged group by 1
    )
    select b.days as from_days, lead(b.days) over (order by no) as to_days, coalesce(a.count, 0) as tasks, coalesce(s.held, 0) as in_court, coalesce(s.nobodys, 0) as in_nobodys_court
    from unnest(${BUCKETS}::int[]) with ordinality b (days, no) left join by_age a using (no) left join by_stay s using (no)
    order by no`.execute(db)
  return rows
}
