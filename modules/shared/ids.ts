import { v7 } from 'uuid'

/** A new id: UUID version 7 (RFC 9562), ordered by time, so that keys append to their index. */
export const newId = (): string => v7()
