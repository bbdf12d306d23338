import { Type, type Static } from 'typebox'
import { Id, Nullable, OneOf } from '../../shared/schemas.js'

const WeekStart = OneOf(['monday', 'saturday', 'sunday'])
const DateFormat = OneOf(['YYYY-MM-DD', 'DD/MM/YYYY', 'MM/DD/YYYY'])
const TimeFormat = OneOf(['12h', '24h'])
const Theme = OneOf(['system', 'light', 'dark'])

export const Preferences = Type.Object({
  week_starts_on: WeekStart,
  date_format: DateFormat,
  time_format: TimeFormat,
  theme: Theme,
  items_per_page: Type.Integer(),
  default_project_id: Nullable(Id, { description: 'where new tasks go unless said otherwise; null also when I do not see that project any more' }),
  version: Type.Integer({ description: '0 until I have said something' })
}, { $id: 'Preferences' })
export type Preferences = Static<typeof Preferences>

/** What holds for who never said anything, and for a field that is left out. */
export const defaults: Omit<Preferences, 'version'> = { week_starts_on: 'sunday', date_format: 'YYYY-MM-DD', time_format: '24h', theme: 'system', items_per_page: 50, default_project_id: null }

export const SetPreferences = Type.Object({
  week_starts_on: Type.Optional(WeekStart),
  date_format: Type.Optional(DateFormat),
  time_format: Type.Optional(TimeFormat),
  theme: Type.Optional(Theme),
  items_per_page: Type.Optional(Type.Integer({ minimum: 10, maximum: 200 })),
  default_project_id: Type.Optional(Nullable(Id))
}, { additionalProperties: false, minProperties: 1 })
