import { Type } from 'typebox'
import { Id, Timestamp } from '../shared/schemas.js'
import { Priority, TaskStatus } from '../tasks/index.js'

export const StatusCount = Type.Object({ status: TaskStatus, count: Type.Integer() }, { $id: 'StatusCount' })
export const PriorityCount = Type.Object({ priority: Priority, count: Type.Integer() }, { $id: 'PriorityCount' })
export const OwnerCount = Type.Object({ owner: Type.String({ description: 'an e-mail address, the name of a company, or `unassigned`' }), count: Type.Integer() }, { $id: 'OwnerCount' })
export const OverdueTask = Type.Object({
  id: Id, title: Type.String(), priority: Priority, due_at: Timestamp, project_name: Type.String(), owner: Type.String({ description: 'in whose court the ball is: an e-mail address, the name of a company, or `unassigned`' })
}, { $id: 'OverdueTask' })
export const DayCount = Type.Object({ day: Type.String({ format: 'date' }), tasks_created: Type.Integer() }, { $id: 'DayCount' })
