import { Type, type Static } from 'typebox'
import { Id, Nullable, OneOf } from '../../shared/schemas.js'
import { filtersOn, personFilter } from '../filters.js'

export const ProjectHealth = Type.Object({
  project_id: Id,
  code: Type.String(),
  name: Type.String(),
  status: OneOf(['active', 'on_hold', 'closed']),
  open: Type.Integer({ description: 'open tasks' }),
  overdue: Type.Integer({ description: 'of these, due before now' }),
  stalled: Type.Integer({ description: 'of these, untouched for 7 days or longer' }),
  nobodys: Type.Integer({ description: 'of these, in nobody\'s court' }),
  oldest_hold_seconds: Nullable(Type.Number(), { description: 'how long the ball of an open task has been with one person or company, at most; null when nobody has one' }),
  done: Type.Integer({ description: 'tasks that are done' }),
  share_done: Nullable(Type.Number(), { description: '0 to 1: done, of all but those that are closed because they will not be done; null when there are none' })
}, { $id: 'ProjectHealth' })

export const HealthQuery = Type.Object({ ...filtersOn('tasks created'), ...personFilter('to whom the tasks are assigned') }, { additionalProperties: false })
export type HealthQuery = Static<typeof HealthQuery>
