import { randomBytes } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClusterUnusable } from './errors.js'

/** What a data folder keeps to itself, in `secrets.json`, readable for its owner only. */
export interface Secrets {
  /** Tells this data folder from an earlier one at the same path. */
  id: string
  /** Of the superuser, for the supervisor. */
  superuserPassword: string
  /** Of the role `eden`, for the application. */
  password: string
  /** 48 random bytes, base64url: signs the tokens of this installation. */
  jwtSecret: string
}

/** @returns undefined when the folder has none yet */
export async function readSecrets (dataDir: string): Promise<Secrets | undefined> {
  const path = join(dataDir, 'secrets.json')
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Secrets
  } catch (err) {
    const { code, message } = err as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'EACCES') throw new ClusterUnusable(`${path} belongs to another user: start as that user, or set EDEN_DATA_DIR to another folder`)
    throw new ClusterUnusable(`${path} cannot be read (${message}): restore it, or remove ${dataDir} to start over`)
  }
}

/** Of two processes that do this at once both get the same secrets: a link is made once. */
export async function createSecrets (dataDir: string): Promise<Secrets> {
  const random = (bytes: number) => randomBytes(bytes).toString('base64url')
  const secrets: Secrets = { id: random(9), superuserPassword: random(24), password: random(24), jwtSecret: random(48) }
  const temporary = join(dataDir, `secrets.json.new-${process.pid}-${random(4)}`)
  await writeFile(temporary, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flush: true })
  await link(temporary, join(dataDir, 'secrets.json')).catch((err: NodeJS.ErrnoException) => {
    if (err.code !== 'EEXIST') throw err
  })
  await rm(temporary, { force: true })
  return await readSecrets(dataDir) ?? secrets
}
