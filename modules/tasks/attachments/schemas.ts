import { Type } from 'typebox'
import { Id, Timestamp } from '../../shared/schemas.js'

export const Attachment = Type.Object({
  id: Id,
  task_id: Id,
  name: Type.String({ description: 'as it was sent, made safe to save under' }),
  content_type: Type.String({ description: 'told from the bytes, not from what the client said' }),
  size_bytes: Type.Integer(),
  sha256: Type.String({ description: 'of the bytes, in hexadecimal digits; in quotes the ETag of the content' }),
  uploaded_by: Id,
  version: Type.Integer(),
  created_at: Timestamp
}, { $id: 'Attachment', description: 'a file of a task; its bytes are at /api/attachments/{id}/content' })

/** The form of an upload. It is for the document: the file is looked at as it comes in. */
export const Upload = Type.Object({
  file: Type.String({ format: 'binary', description: 'the only part, with a file name' })
})
