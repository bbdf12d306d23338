/** What the supervisor refuses, each with a stable `code` and a message of one line that says what to do. */
export class EmbeddedDatabaseError extends Error {
  readonly code: string

  constructor (code: string, message: string) {
    super(message)
    this.name = new.target.name
    this.code = code
  }
}

/** Another living process owns the data folder; nothing of it was touched. */
export class DataFolderInUse extends EmbeddedDatabaseError {
  /** The folder as the caller named it. */
  readonly folder: string
  /** Process id of the owner, when it could be learnt. */
  readonly ownerPid: number | undefined

  constructor (folder: string, ownerPid?: number) {
    const owner = ownerPid === undefined ? 'another process' : `process ${ownerPid}`
    super('EDEN_DATA_FOLDER_IN_USE',
      `the data folder ${folder} is in use by ${owner}: stop it first, or set EDEN_DATA_DIR to another folder`)
    this.folder = folder
    this.ownerPid = ownerPid
  }
}

/** No usable `initdb`, `pg_ctl` and `postgres` on this machine. */
export class PostgresNotFound extends EmbeddedDatabaseError {
  constructor (message: string) { super('EDEN_POSTGRESQL_NOT_FOUND', message) }
}

/** The cluster cannot be used with what is there: other version, other user, lost password. */
export class ClusterUnusable extends EmbeddedDatabaseError {
  constructor (message: string) { super('EDEN_CLUSTER_UNUSABLE', message) }
}

/** PostgreSQL did not start, stop or answer; the message carries the end of its own log. */
export class ServerFailed extends EmbeddedDatabaseError {
  constructor (message: string) { super('EDEN_POSTGRESQL_FAILED', message) }
}
