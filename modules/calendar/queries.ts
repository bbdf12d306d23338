import { sql, type RawBuilder } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { recordEvents, type Origin } from '../activity/index.js'
import { newId } from '../shared/ids.js'
import { inTransaction } from '../shared/transaction.js'
import { COMPANY_CALENDAR } from '../shared/working-time.js'
import type { SetCalendar, WorkCalendar } from './schemas.js'

/** How many years ahead of the current one the calendar has its days. */
const YEARS_AHEAD = 5

/** The company's calendar, with the holidays of a year: the current one there unless said otherwise. */
export async function findCalendar (db: Db, { year, now }: { year?: number, now: Date }): Promise<WorkCalendar> {
  const { rows: [calendar] } = await sql<WorkCalendar>`
    select c.timezone, c.first_day, c.last_day, c.version, c.updated_at, y.year,
      coalesce((select jsonb_agg(jsonb_build_object('weekday', key::int, 'opens', value ->> 0, 'closes', value ->> 1) order by key) from jsonb_each(c.weekly_hours)), '[]') as weekly_hours,
      coalesce((select jsonb_agg(jsonb_build_object('date', h.day, 'name', h.name) order by h.day) from work_holidays h
        where h.calendar_id = c.id and h.day >= make_date(y.year, 1, 1) and h.day <= make_date(y.year, 12, 31)), '[]') as holidays
    from work_calendars c, lateral (select coalesce(${year ?? null}::int, extract(year from ${now}::timestamptz at time zone c.timezone)::int) as year) y
    where c.id = ${COMPANY_CALENDAR}`.execute(db)
  return calendar as WorkCalendar
}

/**
 * Does one statement that changes the calendar, and if it did, makes its days again, in one transaction: whoever reads
 * meanwhile counts by the old days, and whoever changes it too waits.
 * @param changed CTEs that end in `changed` (id, version, at, action, changes, data), of the calendar `c` that is locked
 * @returns the version before, and whether something changed
 */
function change (db: Db, origin: Origin, changed: RawBuilder<unknown>): Promise<{ version: number, done: boolean, fresh: boolean }> {
  return inTransaction(db, async (trx) => {
    const { rows: [row] } = await sql<{ version: number, done: boolean, fresh: boolean }>`
      with ${changed}, event as (
        select ${newId()}::uuid as event_id, at, 'calendar' as entity_type, id as entity_id, action, null::uuid as project_id, null::uuid as task_id, version, changes, data from changed
      ), ${recordEvents(origin)}
      select version, fresh, exists (select from changed) as done from c`.execute(trx)
    if (row?.done === true) await sql`select rebuild_calendar(${COMPANY_CALENDAR})`.execute(trx)
    return row as NonNullable<typeof row>
  })
}

const locked = (versions?: number[]) => sql`
  c as materialized (
    select *, ${versions ?? null}::int[] is null or version = any(${versions ?? null}::int[]) as fresh from work_calendars where id = ${COMPANY_CALENDAR} for no key update
  ), moment as materialized (
    select greatest(clock_timestamp(), updated_at + interval '1 microsecond') as at from c
  )`

/** Sets time zone and hours, for all days, also those that were: one calendar counts all. */
export function setCalendar (db: Db, { values, versions, origin }: { values: SetCalendar, versions?: number[], origin: Origin }) {
  const hours = JSON.stringify(Object.fromEntries(values.weekly_hours.map(({ weekday, opens, closes }) => [weekday, [opens, closes]])))
  return change(db, origin, sql`${locked(versions)}, changed as (
    update work_calendars w set timezone = ${values.timezone}, weekly_hours = ${hours}::jsonb, version = w.version + 1, updated_at = m.at
    from c, moment m where w.id = c.id and c.fresh and (c.timezone, c.weekly_hours) is distinct from (${values.timezone}::text, ${hours}::jsonb)
    returning w.id, w.version, m.at, 'updated' as action, '{}'::jsonb as data,
      jsonb_changes(jsonb_build_object('timezone', c.timezone, 'weekly_hours', c.weekly_hours), jsonb_build_object('timezone', w.timezone, 'weekly_hours', w.weekly_hours)) as changes
  )`)
}

/** Adds a day off, or gives it another name. */
export function setHoliday (db: Db, { date, name, origin }: { date: string, name: string, origin: Origin }) {
  return change(db, origin, sql`${locked()}, day as (
    insert into work_holidays (calendar_id, day, name) select id, ${date}::date, ${name} from c
    on conflict (calendar_id, day) do update set name = excluded.name where work_holidays.name <> excluded.name
    returning day, name
  ), changed as (
    update work_calendars w set version = w.version + 1, updated_at = m.at from c, moment m, day where w.id = c.id
    returning w.id, w.version, m.at, 'holiday_set' as action, '{}'::jsonb as changes, jsonb_build_object('date', day.day, 'name', day.name) as data
  )`)
}

/** Makes a day off a day like others of its weekday. */
export function removeHoliday (db: Db, { date, origin }: { date: string, origin: Origin }) {
  return change(db, origin, sql`${locked()}, day as (
    delete from work_holidays h using c where h.calendar_id = c.id and h.day = ${date}::date returning h.day, h.name
  ), changed as (
    update work_calendars w set version = w.version + 1, updated_at = m.at from c, moment m, day where w.id = c.id
    returning w.id, w.version, m.at, 'holiday_removed' as action, '{}'::jsonb as changes, jsonb_build_object('date', day.day, 'name', day.name) as data
  )`)
}

/**
 * Sees to it that working time is known for years to come, with Ontario's public holidays; does nothing when it is. For a
 * scheduled job: once a month is plenty, and several at once do it once.
 * @returns whether days were added
 */
export async function extendCalendar (db: Db, now: Date): Promise<boolean> {
  const { rows: [row] } = await sql<{ added: boolean }>`select extend_calendar(${COMPANY_CALENDAR}, ${now.getUTCFullYear() + YEARS_AHEAD}) as added`.execute(db)
  return row?.added === true
}
