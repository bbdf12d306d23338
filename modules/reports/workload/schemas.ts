import { Type, type Static } from 'typebox'
import { Id, Nullable } from '../../shared/schemas.js'
import { Department } from '../../users/index.js'
import { filtersOn, personFilter } from '../filters.js'

export const Workload = Type.Object({
  person_id: Id,
  owner: Type.String({ description: 'an e-mail address' }),
  name: Type.String(),
  department: Nullable(Department),
  assigned: Type.Integer({ description: 'open tasks that are assigned to them' }),
  ball: Type.Integer({ description: 'open tasks whose ball is in their court' }),
  overdue: Type.Integer({ description: 'of both, each once: due before now' }),
  due_soon: Type.Integer({ description: 'of both, each once: due from now until the end of the seventh day after today, where the caller is' })
}, { $id: 'Workload', description: 'a person who is active, or has open tasks' })

export const WorkloadQuery = Type.Object({ ...filtersOn('tasks created'), ...personFilter('whose') }, { additionalProperties: false })
export type WorkloadQuery = Static<typeof WorkloadQuery>
