import type { Readable } from 'node:stream'
import createError from '@fastify/error'

export const StorageUnavailable = createError('EDEN_STORAGE_UNAVAILABLE', 'the storage of files cannot be reached: try again shortly', 503)

/** Which bytes of a file: from the first to the last, both included, counted from 0. */
export interface Bytes { start: number, end: number }

/** A place where files are kept under keys. What is put there is there whole or not at all. */
export interface Store {
  /** Takes a file of the local disk. Once this resolves, a power cut loses nothing of it. The file itself may be gone then. */
  put: (key: string, file: { path: string, size: number }) => Promise<void>
  /**
   * Opens a file for reading; when this resolves it is there, and bytes follow.
   * @throws StorageUnavailable when the storage does not answer; any other error when the file is not there
   */
  read: (key: string, bytes?: Bytes) => Promise<Readable>
  /** Removes a file; one that is not there is removed already. */
  remove: (key: string) => Promise<void>
  close: () => void
}
