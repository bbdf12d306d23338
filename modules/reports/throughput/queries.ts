import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { conditions, peopleOf, type Asking } from '../filters.js'
import { created } from '../ledger/created.js'
import type { Span, Throughput, ThroughputQuery } from './schemas.js'

/** Without a beginning the report has so many lines. */
const LINES: Record<Span, number> = { day: 30, week: 12 }

/**
 * How much came and how much was finished in each day or week, the earliest first; each has its line. What falls into a
 * day is told by its own date, not by two midnights: where clocks go back at midnight, there are two of those.
 */
export async function throughput (db: Db, { actor, now }: Asking, { project, department, from, to, person, per = 'week' }: ThroughputQuery): Promise<Static<typeof Throughput>[]> {
  const zone = actor.timezone
  const people = peopleOf(person, actor)
  const spanOf = (at: unknown) => sql`date_trunc(${per}, ${at} at time zone ${zone})`
  const step = sql`${`1 ${per}`}::interval`
  const last = to === undefined ? sql`${now}::timestamptz` : sql`least(${to}::timestamptz - interval '1 microsecond', ${now}::timestamptz)`
  const first = from === undefined ? sql`(${spanOf(last)} - ${LINES[per as Span] - 1} * ${step})` : spanOf(sql`${from}::timestamptz`)
  const since = from === undefined ? sql`(${first} at time zone ${zone} - interval '1 day')` : sql`${from}::timestamptz`
  // A beginning that was not given is a date; the bound on times, a day wider, is for the index.
  const wanted = sql`${conditions(actor, { project, department })} ${people === undefined ? sql`` : sql`and t.assignee_id = any(${people}::uuid[])`}`
  const { rows } = await sql<Static<typeof Throughput>>`
    with created as (
      select ${spanOf(sql`c.at`)} as begins, sum(c.count) as count
      from (${created(actor, { project, department }, { from: since, until: sql`(${last} + interval '1 microsecond')` }, people)}) c
      where ${spanOf(sql`c.at`)} >= ${first} group by 1
    ), finished as (
      select ${spanOf(sql`t.closed_at`)} as begins, count(*),
        extract(epoch from percentile_disc(0.5) within group (order by t.closed_at - t.created_at))::float8 as p50,
        extract(epoch from percentile_disc(0.95) within group (order by t.closed_at - t.created_at))::float8 as p95
      from tasks t join projects p on p.id = t.project_id
      where t.closed_at is not null and t.closed_at >= ${since} and t.closed_at <= ${last} and ${spanOf(sql`t.closed_at`)} >= ${first} and ${wanted} group by 1
    )
    select s.begins::date as begins, coalesce(c.count, 0) as created, coalesce(f.count, 0) as finished, f.p50 as cycle_seconds_p50, f.p95 as cycle_seconds_p95
    from generate_series(greatest(${first}, timestamp '1970-01-05'), ${last} at time zone ${zone}, ${step}) s (begins) -- a Monday; the service is younger
    left join created c using (begins) left join finished f using (begins)
    order by s.begins`.execute(db)
  return rows
}
