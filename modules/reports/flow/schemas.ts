import { Type, type Static } from 'typebox'
import { Id, Nullable, OneOf } from '../../shared/schemas.js'
import { Department } from '../../users/index.js'
import { filtersOn, personFilter } from '../filters.js'

export const scopes = ['person', 'department', 'company'] as const

const seconds = (description: string) => Type.Number({ description: `seconds: ${description}` })

export const BallFlow = Type.Object({
  scope: OneOf(scopes),
  person_id: Nullable(Id),
  company_id: Nullable(Id, { description: 'an outside party, whoever had the ball there' }),
  owner: Nullable(Type.String({ description: 'an e-mail address, or the name of a company; null in the line of a department' })),
  department: Nullable(Department, { description: 'the holder\'s; null when they are in none, and for a company' }),
  holds: Type.Integer({ description: 'how often they had the ball' }),
  current: Type.Integer({ description: 'of these, how many go on now' }),
  handoffs: Type.Integer({ description: 'of these, how many ended by handing the ball over' }),
  held_seconds_p50: seconds('half of the holds were no longer (nearest rank)'),
  held_seconds_p95: seconds('95 of 100 holds were no longer (nearest rank)'),
  held_seconds_max: seconds('the longest'),
  unacknowledged: Type.Integer({ description: 'holds that were not, or are not yet, acknowledged' }),
  over_expected: Type.Integer({ description: 'holds that lasted, or last, beyond the time that was expected' }),
  over_sla: Type.Integer({ description: 'holds that lasted, or last, beyond the time that was expected, or without one as long as the ball policy allows' })
}, { $id: 'BallFlow' })

export const FlowQuery = Type.Object({
  ...filtersOn('holds that ended, or go on now,'),
  ...personFilter('who held the ball'),
  by: Type.Optional(Type.Array(OneOf(scopes), { description: 'a line for each person, for each department, for each company outside, or all, which is the default; who asks for a person gets no companies' }))
}, { additionalProperties: false, description: 'without `from`: since the midnight 30 days ago, where the caller is' })
export type FlowQuery = Static<typeof FlowQuery>
