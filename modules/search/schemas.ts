import { Type } from 'typebox'
import { Id, Nullable, OneOf, Timestamp } from '../shared/schemas.js'

export const SearchKind = OneOf(['project', 'task', 'comment'])

export const SearchHit = Type.Object({
  type: SearchKind,
  id: Id,
  project_id: Id,
  task_id: Nullable(Id, { description: 'the task, of a task or a comment' }),
  key: Type.String({ description: 'the code of the project or the key of the task' }),
  title: Type.String({ description: 'the name of the project or the title of the task' }),
  snippet: Type.String({ description: 'plain text, not HTML, around the words that were found: U+0002 stands before each and U+0003 after it, which stored text cannot hold' }),
  updated_at: Timestamp
}, { $id: 'SearchHit' })

export const SearchQuery = Type.Object({
  q: Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\p{Cc}\\p{Cs}]*[^\\p{Cc}\\p{Cs}\\s][^\\p{Cc}\\p{Cs}]*$', description: 'words, "phrases", or, -without; the last word may be a beginning; a key finds its task first' }),
  type: Type.Optional(Type.Array(SearchKind)),
  project: Type.Optional(Type.Array(Id, { maxItems: 50 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 50, default: 20, description: 'the best so many' }))
}, { additionalProperties: false })
