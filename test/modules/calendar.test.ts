import t from 'tap'
import { extendCalendar } from '../../modules/calendar/index.js'
import { startApp } from '../helper.js'

let now: Date | undefined
const s = await startApp(t, { clock: () => now ?? new Date() })
const CALENDAR = '00000000-0000-7000-8000-0000000ca1e0'
const put = (body: object, headers?: Record<string, string>) => s.ask('PUT', '/api/calendar', { body, headers })
const week = (days: number[], opens: string, closes: string) => days.map((weekday) => ({ weekday, opens, closes }))
const usual = { timezone: 'America/Toronto', weekly_hours: week([1, 2, 3, 4, 5], '08:00', '17:00') }
const seconds = async (from: string, to: string) => Number((await s.query('select work_seconds_until($1, $3) - work_seconds_until($1, $2) as s', [CALENDAR, from, to]))[0].s)

/** The wall clock of a zone at an instant. */
const formats = new Map<string, Intl.DateTimeFormat>()
function wall (ms: number, timeZone: string) {
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
  formats.set(timeZone, format)
  const part = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]))
  const date = `${part.year}-${part.month}-${part.day}`
  return { date, weekday: (new Date(`${date}T12:00Z`).getUTCDay() + 6) % 7 + 1, second: Number(part.hour) * 3600 + Number(part.minute) * 60 + Number(part.second) }
}

/** So many milliseconds at a time: opening hours, and what clocks change by, are whole tens of minutes. */
const STEP = 600_000

/** Working time in seconds, step by step: what the calendar's look-ups must be equal to. */
function slowly (from: number, to: number, { timezone, weekly_hours: hours }: typeof usual, holidays: Set<string>): number {
  const second = (text: string) => Number(text.slice(0, 2)) * 3600 + Number(text.slice(3)) * 60
  let sum = 0
  for (let at = from; at < to; at += STEP) {
    const { date, weekday, second: now } = wall(at, timezone)
    const today = hours.find((one) => one.weekday === weekday)
    if (today !== undefined && !holidays.has(date) && now >= second(today.opens) && now < second(today.closes)) sum += STEP / 1000
  }
  return sum
}

await t.test('by default the company works from 8 to 5 on weekdays that are no public holidays of Ontario', async (t) => {
  now = new Date('2027-06-01T12:00:00Z')
  const calendar = await s.get('/api/calendar')
  t.match(calendar, { ...usual, year: 2027, version: 1 })
  t.same(calendar.holidays.map(({ date, name }: any) => `${date} ${name}`), [
    '2027-01-01 New Year\'s Day', '2027-02-15 Family Day', '2027-03-26 Good Friday', '2027-05-24 Victoria Day', '2027-07-01 Canada Day', '2027-09-06 Labour Day',
    '2027-10-11 Thanksgiving Day', '2027-12-25 Christmas Day', '2027-12-26 Boxing Day', '2027-12-27 Christmas Day (observed)', '2027-12-28 Boxing Day (observed)'])
  t.equal(await seconds('2027-05-21T08:00:00-04:00', '2027-05-25T09:30:00-04:00'), 9 * 3600 + 5400, 'Friday, a long weekend, and a part of Tuesday')
  t.equal(await seconds('2027-05-21T16:59:59.5-04:00', '2027-05-21T18:00:00-04:00'), 0.5)
  t.equal(await seconds('1990-01-01T00:00:00Z', '2014-12-31T00:00:00Z'), 0, 'before the calendar begins there is no working time')
  now = undefined
})

await t.test('Easter and the Mondays of other years are where almanacs have them', async (t) => {
  const days = async (year: number) => Object.fromEntries((await s.query('select day::text, name from ontario_holidays($1)', [year])).map(({ day, name }) => [name, day.slice(5)]))
  for (const [year, goodFriday, family, victoria, labour, thanks] of [[2019, '04-19', '02-18', '05-20', '09-02', '10-14'], [2024, '03-29', '02-19', '05-20', '09-02', '10-14'], [2025, '04-18', '02-17', '05-19', '09-01', '10-13'], [2026, '04-03', '02-16', '05-18', '09-07', '10-12'], [2038, '04-23', '02-15', '05-24', '09-06', '10-11']] as const) {
    t.match(await days(year), { 'Good Friday': goodFriday, 'Family Day': family, 'Victoria Day': victoria, 'Labour Day': labour, 'Thanksgiving Day': thanks })
  }
  t.equal((await days(2007))['Family Day'], undefined)
})

await t.test('working time is that of a computation step by step, whatever the zone, the hours, and the changes of the clocks', async (t) => {
  let state = Number(process.env.EDEN_CALENDAR_SEED ?? Math.floor(Math.random() * 1e6))
  t.comment(`EDEN_CALENDAR_SEED=${state}`)
  const random = () => { state = (state * 16807 + 11) % 2147483647; return state / 2147483647 }
  const weeks = [usual.weekly_hours, week([1, 3, 7], '00:00', '24:00'), [...week([6, 7], '00:30', '03:30'), ...week([2], '22:00', '24:00')], []]
  let version = 1
  for (const timezone of ['America/Toronto', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kolkata', 'America/Havana']) {
    for (const hours of weeks) {
      const calendar = { timezone, weekly_hours: hours }
      const answer = await put(calendar, { 'if-match': `"${version}"` })
      t.equal(answer.statusCode, 200)
      version = answer.json().version
      const holidays = new Set((await s.query("select day::text from work_holidays where day between '2026-01-01' and '2027-12-31'")).map(({ day }) => day as string))
      const asked = Array.from({ length: 12 }, (_, n) => {
        // Half of them about the days on which the clocks change.
        const around = n % 2 ? Date.parse(['2026-03-08T00:00Z', '2026-11-01T00:00Z', '2026-04-05T00:00Z', '2026-10-04T00:00Z'][n % 4] as string) - 86_400_000 : Date.parse('2026-01-02T00:00Z') + random() * 340 * 86_400_000
        const from = Math.floor((around + random() * 3 * 86_400_000) / STEP) * STEP
        return { from, to: from + Math.floor(random() * 600) * STEP }
      })
      const rows = await s.query('select work_seconds_until($1, b) - work_seconds_until($1, a) as s from unnest($2::timestamptz[], $3::timestamptz[]) with ordinality x (a, b, n) order by n',
        [CALENDAR, asked.map(({ from }) => new Date(from)), asked.map(({ to }) => new Date(to))])
      const midnightTwice = timezone === 'America/Havana' // there hours that begin in the hour that comes twice begin in the second
      for (const [n, { from, to }] of asked.entries()) {
        if (midnightTwice && hours.some(({ opens }) => opens < '01:00')) continue
        t.equal(Number(rows[n]?.s), slowly(from, to, calendar, holidays), `${timezone} ${JSON.stringify(hours)} ${new Date(from).toISOString()} ${new Date(to).toISOString()}`)
      }
    }
  }
  t.equal((await put(usual)).statusCode, 200)
})

await t.test('a day off is added, renamed and taken back; working time follows, and the log tells', async (t) => {
  const day = () => seconds('2026-08-03T00:00:00-04:00', '2026-08-04T00:00:00-04:00')
  const { version } = await s.get('/api/calendar')
  t.equal(await day(), 32400)
  const path = '/api/calendar/holidays/2026-08-03'
  t.match((await s.ask('PUT', path, { body: { name: 'Civic Holiday' } })).json(), { year: 2026, version: version + 1 })
  t.equal(await day(), 0)
  t.match((await s.ask('PUT', path, { body: { name: 'Civic Holiday' } })).json(), { version: version + 1 }, 'the same again is no change')
  t.match((await s.ask('PUT', path, { body: { name: 'Simcoe Day' } })).json(), { version: version + 2 })
  t.same((await s.get('/api/calendar?year=2026')).holidays.find(({ date }: any) => date === '2026-08-03'), { date: '2026-08-03', name: 'Simcoe Day' })
  t.same((await s.ask('DELETE', path)).json(), { deleted: true, id: '2026-08-03' })
  t.equal((await s.ask('DELETE', path)).statusCode, 404)
  t.equal(await day(), 32400)
  t.same((await s.get('/api/activity?entity_type=calendar&action=holiday_set,holiday_removed&sort=at')).map(({ action, data }: any) => [action, data.name]), [
    ['holiday_set', 'Civic Holiday'], ['holiday_set', 'Simcoe Day'], ['holiday_removed', 'Simcoe Day']])
  t.match((await put(usual, { 'if-match': '"1"' })).json(), { status: 412, code: 'EDEN_STALE', current_version: version + 3 })
})

await t.test('days off that are set at once are all there, and working time is that of all', async (t) => {
  const days = Array.from({ length: 10 }, (_, n) => `2029-06-${String(n + 4).padStart(2, '0')}`)
  const before = await seconds('2029-06-01T00:00:00Z', '2029-07-01T00:00:00Z')
  await Promise.all(days.map((day) => s.ask('PUT', `/api/calendar/holidays/${day}`, { body: { name: day } })))
  t.equal(await seconds('2029-06-01T00:00:00Z', '2029-07-01T00:00:00Z'), before - 8 * 32400)
  t.same(await s.query('select day from (select *, lag(cum_work_s + work_s, 1, 0::bigint) over (order by day) as before from calendar_days) d where cum_work_s <> before'), [], 'sums are those of the days before')
})

await t.test('the calendar is extended ahead of time, once, and what was taken out of a year that it has stays out', async (t) => {
  await s.ask('DELETE', '/api/calendar/holidays/2026-12-25')
  const { last_day: last } = await s.get('/api/calendar')
  const year = Number(last.slice(0, 4))
  t.equal(await extendCalendar(s.app.db, new Date(`${year - 5}-06-01T00:00:00Z`)), false, 'that far it goes')
  const later = new Date(`${year + 2}-06-01T00:00:00Z`)
  t.same((await Promise.all([1, 2, 3].map(() => extendCalendar(s.app.db, later)))).filter(Boolean), [true])
  t.match(await s.get(`/api/calendar?year=${year + 7}`), { last_day: `${year + 7}-12-31`, holidays: [{ name: 'New Year\'s Day' }, { name: 'Family Day' }] })
  t.notOk((await s.get('/api/calendar?year=2026')).holidays.some(({ date }: any) => date === '2026-12-25'))
  t.equal(await seconds(`${year + 7}-07-01T00:00:00-04:00`, `${year + 7}-07-02T00:00:00-04:00`), 0)
  t.equal((await s.query('select count(*)::int as n, max(day) - min(day) + 1 as days from calendar_days'))[0].n, (await s.query('select max(day) - min(day) + 1 as days from calendar_days'))[0].days)
})

await t.test('a hold has its working time, without its pauses', async (t) => {
  const project = await s.addProject()
  const { id } = await s.addTask(project.id, { ball_in_court: s.member.id })
  await s.query("update tasks set created_at = '2026-03-06T20:00:00Z', ball_since = '2026-03-06T20:00:00Z' where id = $1", [id])
  await s.query("update ball_holds set started_at = '2026-03-06T20:00:00Z' where task_id = $1", [id])
  await s.query("insert into ball_pauses values ($1, 1, '2026-03-09T13:00:00Z', '2026-03-09T14:00:00Z', 'Lunch', $2)", [id, s.admin.id])
  now = new Date('2026-03-09T16:00:00Z') // Friday 15:00 to Monday 12:00, over the change of the clocks
  const [hold] = await s.get(`/api/tasks/${id}/ball`)
  t.match(hold, { held_seconds: 68 * 3600, held_working_seconds: (2 + 4 - 1) * 3600, paused_seconds: 3600 })
  now = undefined
})
