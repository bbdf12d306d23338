import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** What is said of a backup, in a file beside it: what must be there again after a restore. */
export interface Manifest {
  created_at: string
  contents: 'everything' | 'schema' | 'tables'
  server_version: number
  pg_dump: string
  /** Of the archive. */
  bytes: number
  sha256: string
  migrations: string[]
  /** Table -> rows, counted in the snapshot of the dump; none for a schema. */
  rows: Record<string, number>
  /** Table -> partitions: the archive has the rows under their names. */
  partitions: Record<string, string[]>
}

/** Where the manifest of an archive is. */
export const manifestFile = (archive: string): string => `${archive}.json`

/** The manifest beside an archive, or undefined where there is none. */
export async function readManifest (archive: string): Promise<Manifest | undefined> {
  const text = await readFile(manifestFile(archive), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return undefined
  })
  return text === undefined ? undefined : JSON.parse(text) as Manifest
}

/** The size of a file and the SHA-256 of what is in it. */
export async function fingerprint (file: string): Promise<Pick<Manifest, 'bytes' | 'sha256'>> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return { bytes: (await stat(file)).size, sha256: hash.digest('hex') }
}
