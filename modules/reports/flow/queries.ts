import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Db } from '../../../plugins/database/index.js'
import { workingSeconds } from '../../shared/working-time.js'
import { COMPANY_POLICY } from '../../tasks/index.js'
import { conditions, peopleOf, type Asking } from '../filters.js'
import { scopes, type BallFlow, type FlowQuery } from './schemas.js'

/** Without a beginning the report is of so many days. */
const DAYS = 30

/** What the company expects of a task's priority. */
const policy = sql`left join ball_policy_rules r on r.policy_id = ${COMPANY_POLICY} and r.priority = t.priority`

/**
 * Whether the hold `h` lasted beyond what was agreed for it, or without that as long as the policy allows, in working time
 * less pauses. That is no more than its length, so most need not be counted.
 */
const isOverSla = (end: RawBuilder<unknown>) => sql`case
  when h.expected_by is not null then h.expected_by < ${end}
  when ${end} - h.started_at < make_interval(secs => r.act_within_s) then false
  else ${workingSeconds(sql`h.started_at`, end)} - coalesce((
    select sum(${workingSeconds(sql`b.started_at`, sql`coalesce(b.ended_at, ${end})`)}) from ball_pauses b where b.task_id = h.task_id and b.hold_no = h.no), 0) >= r.act_within_s
end`

/** How the holds of ours, and of outside parties, are told apart, and named. */
const parties = {
  ours: { isTheirs: sql`h.user_id is not null`, isNow: sql`t.ball_in_court is not null`, join: sql`join users x on x.id = h.user_id`, named: sql`h.user_id, x.email as owner, x.department` },
  outside: { isTheirs: sql`h.company_id is not null`, isNow: sql`t.ball_company_id is not null`, join: sql`join companies x on x.id = h.company_id`, named: sql`h.company_id, x.name as owner` }
}

/**
 * How long people, the departments that they are in, and outside parties hold the ball. A hold belongs to the time at
 * which it ends, with its whole length; one that goes on ends now, so that what is stuck counts. Nobody's holds are no part
 * of it: a finished task is in nobody's court for ever. The slowest come first.
 */
export async function ballFlow (db: Db, { actor, now }: Asking, { project, department, from, to, person, by = [...scopes] }: FlowQuery): Promise<Static<typeof BallFlow>[]> {
  const people = peopleOf(person, actor)
  const until = to === undefined ? sql`'infinity'::timestamptz` : sql`${to}::timestamptz`
  const first = sql`(${now}::timestamptz at time zone ${actor.timezone})::date - ${DAYS}::int`
  // A day is told by its own date: where clocks go back at midnight, there are two midnights. The bound, a day wider, is for the index.
  const since = (at: RawBuilder<unknown>) => from === undefined
    ? sql`${at} >= (${first} - 1)::timestamp at time zone ${actor.timezone} and (${at} at time zone ${actor.timezone})::date >= ${first}`
    : sql`${at} >= ${from}::timestamptz`
  const wanted = sql`${conditions(actor, { project, department })} ${people === undefined ? sql`` : sql`and h.user_id = any(${people}::uuid[])`}`
  const measured = ({ isTheirs, isNow, join, named }: typeof parties['ours']) => {
    const end = sql`coalesce(h.ended_at, ${now}::timestamptz)`
    const measures = sql`${named}, h.ended_at is null as is_current, h.outcome, h.acknowledged_at,
      greatest(${end} - h.started_at, interval '0') as length, h.expected_by < ${end} as is_over, ${isOverSla(end)} as is_over_sla`
    return sql`(
      select ${measures} from ball_holds h join tasks t on t.id = h.task_id join projects p on p.id = t.project_id ${policy} ${join}
      where ${isTheirs} and h.ended_at is not null and ${since(sql`h.ended_at`)} and h.ended_at < ${until} and ${wanted}
      union all
      -- Who holds a ball now holds that of an open task: those have small indexes.
      select ${measures} from tasks t join ball_holds h on h.task_id = t.id join projects p on p.id = t.project_id ${policy} ${join}
      where t.is_open and ${isNow} and h.ended_at is null and ${isTheirs} and ${since(sql`${now}::timestamptz`)} and ${now} < ${until} and ${wanted}
    ) measured`
  }
  const numbers = sql`count(*) as holds, count(*) filter (where is_current) as current, count(*) filter (where outcome = 'passed') as handoffs,
      extract(epoch from percentile_disc(0.5) within group (order by length))::float8 as held_seconds_p50,
      extract(epoch from percentile_disc(0.95) within group (order by length))::float8 as held_seconds_p95,
      extract(epoch from max(length))::float8 as held_seconds_max,
      count(*) filter (where acknowledged_at is null) as unacknowledged, count(*) filter (where is_over) as over_expected, count(*) filter (where is_over_sla) as over_sla`
  const who = by.includes('person')
    ? sql`case grouping(user_id) when 0 then 'person' else 'department' end as scope, user_id as person_id, null::uuid as company_id, owner, department`
    : sql`'department' as scope, null::uuid as person_id, null::uuid as company_id, null::text as owner, department`
  const groups = sql.raw(!by.includes('person') ? 'department' : by.includes('department') ? 'grouping sets ((user_id, owner, department), (department))' : 'user_id, owner, department')
  const lines = [
    ...(by.includes('person') || by.includes('department') ? [sql`select ${who}, ${numbers} from ${measured(parties.ours)} group by ${groups}`] : []),
    ...(by.includes('company') ? [sql`select 'company' as scope, null::uuid as person_id, company_id, owner, null::text as department, ${numbers} from ${measured(parties.outside)} group by company_id, owner`] : [])
  ]
  const { rows } = await sql<Static<typeof BallFlow>>`
    select * from (${sql.join(lines, sql` union all `)}) lines
    order by scope desc, held_seconds_p95 desc, owner, department, company_id`.execute(db)
  return rows
}
