import { Type, type Static } from 'typebox'
import { Line, Timestamp } from '../shared/schemas.js'

/** A day as people write it, of the years that a calendar has any use for. */
export const Day = Type.String({ format: 'date', pattern: '^(19|2[0-9])\\d\\d-\\d\\d-\\d\\d$' })

const opens = Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$' })
const closes = Type.String({ pattern: '^(([01]\\d|2[0-3]):[0-5]\\d|24:00)$', description: 'after it opens; 24:00 is the end of the day' })
const Hours = Type.Object({ weekday: Type.Integer({ minimum: 1, maximum: 7, description: '1 is Monday, 7 is Sunday' }), opens, closes }, { additionalProperties: false })
const weeklyHours = Type.Array(Hours, { maxItems: 7, description: 'a weekday that is not named is no working day' })

export const Holiday = Type.Object({ date: Day, name: Type.String() })

export const WorkCalendar = Type.Object({
  timezone: Type.String({ description: 'an IANA time zone, in which the hours are told' }),
  weekly_hours: weeklyHours,
  year: Type.Integer({ description: 'of the holidays' }),
  holidays: Type.Array(Holiday),
  first_day: Day,
  last_day: Type.String({ format: 'date', description: 'working time is known until then; more days are added ahead of time' }),
  version: Type.Integer(),
  updated_at: Timestamp
}, { $id: 'WorkCalendar', description: 'when the company works' })
export type WorkCalendar = Static<typeof WorkCalendar>

export const SetCalendar = Type.Object({
  timezone: Type.String({ minLength: 1, maxLength: 64, format: 'time-zone' }),
  weekly_hours: weeklyHours
}, { additionalProperties: false })
export type SetCalendar = Static<typeof SetCalendar>

export const SetHoliday = Type.Object({ name: Line(200) }, { additionalProperties: false })
