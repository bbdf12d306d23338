import { Type } from 'typebox'
import { ref } from '../../shared/schemas.js'
import { Task } from '../schemas.js'

const section = (description: string) => Type.Object({
  total: Type.Integer({ description: 'how many there are' }),
  tasks: Type.Array(ref(Task), { description: 'the first of them: by due time, the earliest first' })
}, { description })

export const Work = Type.Object({
  court: section('open tasks whose ball is in my court'),
  assigned: section('open tasks that are assigned to me'),
  watched: section('open tasks that I watch'),
  due_soon: section('of my court and what is assigned to me, each once: due from now until the end of the seventh day after today, where I am')
}, { $id: 'Work' })

export const WorkQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'how many tasks of each section at most' }))
}, { additionalProperties: false })
