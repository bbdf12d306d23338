import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import fp from 'fastify-plugin'
import type { Config } from '../config.js'
import { incomingFolder, type Checks, type Incoming } from './incoming.js'
import { localStore } from './local.js'
import { s3Store } from './s3.js'
import { StorageUnavailable, type Bytes, type Store } from './store.js'

export { HEAD_BYTES, type Incoming } from './incoming.js'
export type { Bytes } from './store.js'

/** The names of the places where files can be. */
export type StorageName = 'local' | 's3'

/** Where a file is. */
export interface StoredFile { id: string, storage: StorageName }

/** Files outside the database: their bytes, nothing else. Who they belong to is the business of the modules. */
export interface Storage {
  /** Where new files go. */
  readonly current: StorageName
  /**
   * Takes a file in, piece by piece, onto the local disk: it is held in memory at no time. What is refused, or breaks off,
   * leaves nothing there. The caller ends with `keep` or `forget`.
   */
  receive: (source: Readable, checks: Checks) => Promise<Incoming>
  /** Puts what has come in where files are kept, under its id. @throws StorageUnavailable */
  keep: (file: StoredFile, incoming: Incoming) => Promise<void>
  /** Removes what has come in, when it is still there. */
  forget: (incoming: Incoming) => Promise<void>
  /** Opens a file, or some bytes of it. @throws StorageUnavailable, or another error when it is not there */
  read: (file: StoredFile, bytes?: Bytes) => Promise<Readable>
  /** Removes a file; one that is not there is removed already. */
  remove: (file: StoredFile) => Promise<void>
  /** Removes what a killed process left half received, when nothing was written to it since. @returns how many files */
  sweep: (since: Date) => Promise<number>
}

declare module 'fastify' {
  interface FastifyInstance { storage: Storage }
}

/** What nothing was written to for so long is not being received any more. */
const LEFT_BEHIND_MS = 3_600_000

/** The local folder of files: beside the embedded database unless the configuration says otherwise. */
export const filesFolder = ({ FILES_DIR: folder, EDEN_DATA_DIR: dataDir }: Config): string =>
  path.resolve(folder ?? path.join(dataDir, 'files'))

/** The same, where new files are kept in it. */
export const localFilesFolder = (config: Config): string | undefined => config.FILES_STORAGE === 'local' ? filesFolder(config) : undefined

/** The key of a file. The last digits of an id are random, so folders stay small and alike. */
export const keyOf = (id: string): string => `kept/${id.slice(-2)}/${id}`

/** A disk that is full, gone, or not ours to write: what an operator has to look at, and a client can try again. */
const onDisk = new Set(['open', 'write', 'writev', 'mkdir', 'fsync', 'close', 'rename'])
function orUnavailable (error: NodeJS.ErrnoException): never {
  throw onDisk.has(error.syscall ?? '') ? Object.assign(new StorageUnavailable(), { cause: error }) : error
}

/**
 * Decorates `app.storage`: a local folder, or an S3 bucket for new files beside what the folder has already. Folders are
 * made when the first file comes.
 */
export default fp(async function storage (app) {
  const { config } = app
  const folder = filesFolder(config)
  const stores: Partial<Record<StorageName, Store>> = { local: localStore(folder) }
  if (config.FILES_STORAGE === 's3') stores.s3 = await s3Store(config)
  const { receive, sweep } = incomingFolder(path.join(folder, 'incoming'))

  function storeOf ({ storage: name }: StoredFile): Store {
    const store = stores[name]
    if (store === undefined) throw Object.assign(new StorageUnavailable(), { cause: new Error(`a file is in the storage ${name}, which is not configured`) })
    return store
  }
  app.decorate('storage', {
    current: config.FILES_STORAGE,
    receive: (source, checks) => receive(source, checks).catch(orUnavailable),
    keep: async (file, incoming) => storeOf(file).put(keyOf(file.id), incoming).catch(orUnavailable),
    forget: ({ path }) => rm(path, { force: true }),
    read: async (file, bytes) => storeOf(file).read(keyOf(file.id), bytes),
    remove: async (file) => storeOf(file).remove(keyOf(file.id)),
    sweep
  })

  if (config.NODE_ENV === 'production' && config.FILES_STORAGE === 'local' && config.FILES_DIR === undefined) {
    app.log.warn(`files of tasks are kept in ${folder}: set FILES_DIR or FILES_STORAGE, or they may go with the container`)
  }
  app.addHook('onReady', async () => {
    await sweep(new Date(Date.now() - LEFT_BEHIND_MS)).catch((err) => app.log.warn({ err }, 'the folder of incoming files cannot be swept'))
  })
  app.addHook('onClose', async () => {
    for (const store of Object.values(stores)) store.close()
  })
}, { name: 'storage', dependencies: ['settings', 'errors'] })
