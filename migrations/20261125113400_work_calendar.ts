import { sql, type Kysely } from 'kysely'

/** The company's only calendar for now; more, such as one for a project, are rows like it. */
const COMPANY = '00000000-0000-7000-8000-0000000ca1e0'

/**
 * Working time: how many seconds of the company's hours lie between two instants.
 *
 * Each day of the calendar has its hours as instants, right across changes of the clocks (hours that begin or end in the
 * one that comes twice mean the second), and how much working time the
 * days before it had: so the working time until an instant is one look-up, and between two instants two.
 */
export async function up (db: Kysely<unknown>): Promise<void> {
  await sql`
    create table work_calendars (
      id uuid constraint work_calendars_pkey primary key,
      name text not null,
      timezone text not null,
      -- For each weekday that is worked on, 1 for Monday to 7 for Sunday, from when to when: {"1": ["08:00", "17:00"]}.
      weekly_hours jsonb not null,
      first_day date not null,
      last_day date not null,
      version integer not null default 1,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      constraint work_calendars_name_length check (length(name) between 1 and 200),
      constraint work_calendars_timezone_known check (is_time_zone(timezone)),
      constraint work_calendars_hours_form check (jsonb_typeof(weekly_hours) = 'object' and not weekly_hours @? 'strict $.* ? (@.type() <> "array" || @.size() <> 2)'),
      constraint work_calendars_forward check (last_day >= first_day)
    )`.execute(db)
  await sql`
    create table work_holidays (
      calendar_id uuid not null constraint work_holidays_calendar_id_fkey references work_calendars on delete cascade,
      day date not null,
      name text not null,
      constraint work_holidays_pkey primary key (calendar_id, day),
      constraint work_holidays_name_length check (length(name) between 1 and 200)
    )`.execute(db)
  await sql`
    create table calendar_days (
      calendar_id uuid not null constraint calendar_days_calendar_id_fkey references work_calendars on delete cascade,
      day date not null,
      starts_at timestamptz not null,
      opens_at timestamptz not null,
      work_s integer not null,
      cum_work_s bigint not null,
      constraint calendar_days_pkey primary key (calendar_id, day),
      constraint calendar_days_start_key unique (calendar_id, starts_at),
      constraint calendar_days_opens_on_its_day check (opens_at >= starts_at),
      constraint calendar_days_work_of_a_day check (work_s between 0 and 90000)
    )`.execute(db)

  // Public holidays of Ontario: Employment Standards Act, 2000, s. 1 (1), and O. Reg. 547/06 for Family Day. One that falls
  // on a weekend is kept on the next weekday that is none. Good Friday follows from Easter by the algorithm of Meeus, Jones
  // and Butcher (Astronomical Algorithms, chapter 8).
  await sql`
    create function ontario_holidays (year integer) returns table (day date, name text)
    language plpgsql immutable as $$
    declare
      a int := year % 19; b int := year / 100; c int := year % 100;
      h int := (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
      l int := (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
      m int := (a + 11 * h + 22 * l) / 451;
      easter date := make_date(year, (h + l - 7 * m + 114) / 31, (h + l - 7 * m + 114) % 31 + 1);
      taken date[];
      one record;
    begin
      for one in
        select d.day, d.name from (values
          (make_date(year, 1, 1), 'New Year''s Day'),
          (case when year >= 2008 then make_date(year, 2, 1) + 14 + (8 - extract(isodow from make_date(year, 2, 1))::int) % 7 end, 'Family Day'),
          (easter - 2, 'Good Friday'),
          (make_date(year, 5, 24) - (extract(isodow from make_date(year, 5, 24))::int - 1), 'Victoria Day'),
          (make_date(year, 7, 1), 'Canada Day'),
          (make_date(year, 9, 1) + (8 - extract(isodow from make_date(year, 9, 1))::int) % 7, 'Labour Day'),
          (make_date(year, 10, 1) + 7 + (8 - extract(isodow from make_date(year, 10, 1))::int) % 7, 'Thanksgiving Day'),
          (make_date(year, 12, 25), 'Christmas Day'),
          (make_date(year, 12, 26), 'Boxing Day')
        ) as d (day, name) where d.day is not null order by d.day
      loop
        day := one.day; name := one.name;
        taken := taken || day;
        return next;
      end loop;
      foreach day in array taken loop
        if extract(isodow from day) > 5 then
          name := (select h.name from (values (make_date(year, 1, 1), 'New Year''s Day'), (make_date(year, 7, 1), 'Canada Day'),
            (make_date(year, 12, 25), 'Christmas Day'), (make_date(year, 12, 26), 'Boxing Day')) as h (day, name) where h.day = ontario_holidays.day) || ' (observed)';
          while extract(isodow from day) > 5 or day = any(taken) loop day := day + 1; end loop;
          taken := taken || day;
          return next;
        end if;
      end loop;
    end
    $$`.execute(db)

  // All days of a calendar again, from its hours and holidays, in one statement. Some ten thousand rows, rarely.
  await sql`
    create function rebuild_calendar (calendar uuid) returns void
    language sql as $$
      with days as (
        select c.id, d::date as day, d at time zone c.timezone as starts_at,
          case when h.day is null and w.hours is not null then (d::date + (w.hours ->> 0)::time) at time zone c.timezone else d at time zone c.timezone end as opens_at,
          case when h.day is null and w.hours is not null then (d::date + (w.hours ->> 1)::time) at time zone c.timezone else d at time zone c.timezone end as closes_at
        from work_calendars c
        cross join lateral generate_series(c.first_day::timestamp, c.last_day::timestamp, interval '1 day') d
        cross join lateral (select c.weekly_hours -> extract(isodow from d)::int::text as hours) w
        left join work_holidays h on h.calendar_id = c.id and h.day = d::date
        where c.id = calendar
      ), worked as (
        select id, day, starts_at, greatest(opens_at, starts_at) as opens_at, greatest(extract(epoch from closes_at - greatest(opens_at, starts_at)), 0)::int as work_s from days
      )
      insert into calendar_days (calendar_id, day, starts_at, opens_at, work_s, cum_work_s)
      select id, day, starts_at, opens_at, work_s, sum(work_s) over (order by day) - work_s from worked
      on conflict (calendar_id, day) do update set starts_at = excluded.starts_at, opens_at = excluded.opens_at, work_s = excluded.work_s, cum_work_s = excluded.cum_work_s
        where (calendar_days.starts_at, calendar_days.opens_at, calendar_days.work_s, calendar_days.cum_work_s) is distinct from (excluded.starts_at, excluded.opens_at, excluded.work_s, excluded.cum_work_s)
    $$`.execute(db)

  // Days until the end of a year, with the holidays of the years that are new: what somebody took out of an older year stays out.
  await sql`
    create function extend_calendar (calendar uuid, until_year integer) returns boolean
    language plpgsql as $$
    declare
      known date;
    begin
      select last_day into known from work_calendars where id = calendar for no key update;
      if known is null or known >= make_date(until_year, 12, 31) then
        return false;
      end if;
      insert into work_holidays (calendar_id, day, name)
      select calendar, h.day, h.name from generate_series(extract(year from known)::int, until_year) y, ontario_holidays(y) h where h.day > known
      on conflict do nothing;
      update work_calendars set last_day = make_date(until_year, 12, 31) where id = calendar;
      perform rebuild_calendar(calendar);
      return true;
    end
    $$`.execute(db)

  await sql`
    create function work_seconds_until (calendar uuid, instant timestamptz) returns numeric
    language sql stable parallel safe as $$
      select coalesce((
        select d.cum_work_s + least(greatest(extract(epoch from instant - d.opens_at), 0), d.work_s)
        from calendar_days d where d.calendar_id = calendar and d.starts_at <= instant order by d.starts_at desc limit 1
      ), 0)
    $$`.execute(db)

  await sql`
    insert into work_calendars (id, name, timezone, weekly_hours, first_day, last_day)
    values (${COMPANY}, 'Company', 'America/Toronto', '{"1": ["08:00", "17:00"], "2": ["08:00", "17:00"], "3": ["08:00", "17:00"], "4": ["08:00", "17:00"], "5": ["08:00", "17:00"]}', '2014-12-31', '2014-12-31')`.execute(db)
  await sql`select extend_calendar(${COMPANY}, extract(year from now())::int + 5)`.execute(db)
  await sql`insert into permissions (code, description) values ('settings:write', 'Change the company''s calendar, and what it expects of whoever has a ball')`.execute(db)
  await sql`insert into role_permissions (role_id, permission_code) select id, 'settings:write' from roles where slug = 'admin'`.execute(db)
}

export async function down (db: Kysely<unknown>): Promise<void> {
  await sql`delete from permissions where code = 'settings:write'`.execute(db)
  await sql`drop function work_seconds_until, extend_calendar, rebuild_calendar`.execute(db)
  await sql`drop table calendar_days, work_holidays, work_calendars`.execute(db)
  await sql`drop function ontario_holidays`.execute(db)
}
