import { Type, type Static } from 'typebox'
import { Nullable } from '../../shared/schemas.js'
import { filtersOn, personFilter } from '../filters.js'

/** Where the buckets begin, in days of 24 hours; the last has no end. */
export const BUCKETS = [0, 1, 3, 7, 14, 30, 90, 180]

export const Ageing = Type.Object({
  from_days: Type.Integer({ description: 'this many times 24 hours old, or older' }),
  to_days: Nullable(Type.Integer(), { description: 'younger than this; null: however old' }),
  tasks: Type.Integer({ description: 'open tasks by the time since they were created' }),
  in_court: Type.Integer({ description: 'open tasks in somebody\'s court by the time since the ball came there' }),
  in_nobodys_court: Type.Integer({ description: 'open tasks in nobody\'s court by the time since then' })
}, { $id: 'Ageing' })

export const AgeingQuery = Type.Object({ ...filtersOn('tasks created'), ...personFilter('in whose court the ball is') }, { additionalProperties: false })
export type AgeingQuery = Static<typeof AgeingQuery>
