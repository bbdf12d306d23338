import { Type, type Static } from 'typebox'
import { Nullable, OneOf } from '../../shared/schemas.js'
import { filtersOn, personFilter } from '../filters.js'

export const spans = ['day', 'week'] as const
export type Span = (typeof spans)[number]

export const Throughput = Type.Object({
  begins: Type.String({ format: 'date', description: 'the day, or the Monday of the week' }),
  created: Type.Integer(),
  finished: Type.Integer({ description: 'tasks that are done or closed since then; one that was reopened is not finished' }),
  cycle_seconds_p50: Nullable(Type.Number(), { description: 'of those finished, from creation to finish: half took no longer (nearest rank); null when there are none' }),
  cycle_seconds_p95: Nullable(Type.Number(), { description: 'of those finished: 95 of 100 took no longer (nearest rank); null when there are none' })
}, { $id: 'Throughput' })

export const ThroughputQuery = Type.Object({
  ...filtersOn('tasks created or finished'),
  ...personFilter('to whom the tasks are assigned'),
  per: Type.Optional(OneOf(spans, { default: 'week', description: 'days and weeks begin at midnight where the caller is, weeks on Monday' }))
}, { additionalProperties: false, description: 'without `from`: 30 days, or 12 weeks, up to `to` or today' })
export type ThroughputQuery = Static<typeof ThroughputQuery>
