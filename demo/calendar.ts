const HOUR = 3_600_000
const DAY = 24 * HOUR

/** The length of a working day in ms: 07:00 to 17:00. */
export const WORKDAY = 10 * HOUR

/** The working time of the company: a clock that runs from 07:00 to 17:00 Toronto time on working days and else stands still. */
export interface WorkCalendar {
  /** The moment (Unix ms) at which the working clock shows `work` (ms since the calendar's first day). */
  toTime (work: number): number
  /** What the working clock shows at a moment. */
  toWork (time: number): number
  /** 17:00 on the working day of `work`, plus whole working days: when things are due. */
  endOfDay (work: number): number
}

/** The working calendar that covers the moments `from` to `to` (Unix ms). */
export function createCalendar (from: number, to: number): WorkCalendar {
  const starts: number[] = []
  for (let day = Math.floor(from / DAY) * DAY; day <= to; day += DAY) {
    if (isWorkingDay(new Date(day))) starts.push(day + 7 * HOUR - torontoOffset(day + 12 * HOUR))
  }
  const startOf = (index: number) => {
    const start = starts[index]
    if (start === undefined) throw new RangeError('outside the calendar')
    return start
  }
  return {
    toTime: (work) => startOf(Math.floor(work / WORKDAY)) + Math.floor(work % WORKDAY),
    endOfDay: (work) => startOf(Math.floor(work / WORKDAY)) + WORKDAY,
    toWork: (time) => {
      let low = 0
      let high = starts.length
      while (low < high) {
        const middle = (low + high) >> 1
        if (starts[middle]! <= time) low = middle + 1
        else high = middle
      }
      if (low === 0) return 0
      return (low - 1) * WORKDAY + Math.min(time - starts[low - 1]!, WORKDAY - 1)
    }
  }
}

const torontoClock = new Intl.DateTimeFormat('en-CA', { timeZone: 'America/Toronto', hour: 'numeric', hourCycle: 'h23' })

/** The offset of Toronto from UTC (ms, negative) around noon UTC of a day: daylight saving changes at night, before work. */
function torontoOffset (noon: number): number {
  return (Number(torontoClock.format(noon)) - 12) * HOUR
}

/** Monday to Friday, without Ontario's public holidays (Employment Standards Act, 2000, s. 1) and the days of the Christmas shutdown. */
function isWorkingDay (date: Date): boolean {
  const weekday = date.getUTCDay()
  if (weekday === 0 || weekday === 6) return false
  const month = date.getUTCMonth() + 1
  const day = date.getUTCDate()
  const monday = weekday === 1 ? Math.ceil(day / 7) : 0
  return !(
    (month === 1 && (day === 1 || (weekday === 1 && day <= 3))) || // New Year's Day
    (month === 2 && monday === 3) || // Family Day
    (weekday === 5 && isGoodFriday(date)) ||
    (month === 5 && weekday === 1 && day >= 18 && day <= 24) || // Victoria Day
    (month === 7 && (day === 1 || (weekday === 1 && day <= 3))) || // Canada Day
    (month === 8 && monday === 1) || // Civic Holiday: not in the Act, but the sites are closed
    (month === 9 && monday === 1) || // Labour Day
    (month === 10 && monday === 2) || // Thanksgiving
    (month === 12 && day >= 24)
  )
}

/** Two days before Easter, by the anonymous Gregorian computus (Meeus, Astronomical Algorithms, ch. 8). */
function isGoodFriday (date: Date): boolean {
  const year = date.getUTCFullYear()
  const a = year % 19
  const b = Math.floor(year / 100)
  const c = year % 100
  const h = (19 * a + b - Math.floor(b / 4) - Math.floor((b - Math.floor((b + 8) / 25) + 1) / 3) + 15) % 30
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7
  const m = Math.floor((a + 11 * h + 22 * l) / 451)
  const easter = Date.UTC(year, Math.floor((h + l - 7 * m + 114) / 31) - 1, ((h + l - 7 * m + 114) % 31) + 1)
  return Date.UTC(year, date.getUTCMonth(), date.getUTCDate()) === easter - 2 * DAY
}
