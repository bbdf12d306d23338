import { Type } from 'typebox'
import { Id, Nullable, Timestamp } from '../../shared/schemas.js'

export const Comment = Type.Object({
  id: Id,
  task_id: Id,
  author_id: Id,
  body: Type.String(),
  mentions: Type.Array(Type.Object({ id: Id, name: Type.String() }), { description: 'whom the text mentions as @first.last or @first.last@company.ca, outside of code' }),
  edited_at: Nullable(Timestamp),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp,
  deleted_at: Nullable(Timestamp)
}, { $id: 'Comment' })

export const CommentRevision = Type.Object({
  version: Type.Integer({ description: 'of the comment, with this text' }),
  body: Type.String(),
  at: Timestamp
}, { $id: 'CommentRevision', description: 'a text that a comment has or had' })

/** Something to read in it: white space alone says nothing. The parts do not overlap, or a bad end would cost the square of its length. */
const body = Type.String({ minLength: 1, maxLength: 10000, pattern: '^(?:[^\\p{Cc}\\p{Cs}\\S]|[\\t\\n\\r])*[^\\p{Cc}\\p{Cs}\\s](?:[^\\p{Cc}\\p{Cs}]|[\\t\\n\\r])*$' })
export const WriteComment = Type.Object({ body }, { additionalProperties: false })
