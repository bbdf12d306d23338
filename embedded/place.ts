import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, readdir, readlink, realpath, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { accountFor, canEnter, type Account } from './account.js'
import { ClusterUnusable } from './errors.js'
import { isAlive } from './postmaster.js'
import { createSecrets, readSecrets, type Secrets } from './secrets.js'

/** Where root's clusters go that PostgreSQL's account could not reach inside the data folder. */
const elsewhere = '/var/lib/eden-erp'

export interface Place { dataDir: string, folder: string, account: Account, secrets: Secrets }

/**
 * Makes the data folder with its secrets, and decides where the cluster is and who runs it: `<dataDir>/postgres`, or
 * what that name links to when root starts from a folder that PostgreSQL's account cannot enter.
 * @throws ClusterUnusable
 */
export async function findPlace (dataDir: string, log: (message: string) => void): Promise<Place> {
  dataDir = resolve(dataDir)
  await makeDataDir(dataDir)
  const path = join(dataDir, 'postgres')
  let secrets = await readSecrets(dataDir)
  if (secrets === undefined && await exists(path)) {
    throw new ClusterUnusable(`${join(dataDir, 'secrets.json')} with the password of the database is missing: restore it, or npm run demo:reset`)
  }
  secrets ??= await createSecrets(dataDir)
  const place = await locate(dataDir, path, secrets, log)
  await removeLeftovers(place.folder)
  await removeLeftovers(join(dataDir, 'secrets.json'))
  return place
}

async function locate (dataDir: string, path: string, secrets: Secrets, log: (message: string) => void): Promise<Place> {
  const target = await linkTarget(path)
  if (target !== undefined) {
    await makeElsewhere(dirname(target))
    return { dataDir, folder: target, account: await accountFor(target), secrets }
  }
  const account = await accountFor(path)
  if (await canEnter(account, await exists(path) ? path : dataDir)) return { dataDir, folder: path, account, secrets }
  if (await exists(path)) throw new ClusterUnusable(`${account.name}, who owns ${path}, cannot enter it: move the project to a folder open to that user`)
  // The secrets' id keeps apart what was here before a data folder of this name was deleted.
  const hash = createHash('sha256').update(`${await realpath(dataDir)}\0${secrets.id}`).digest('hex').slice(0, 12)
  const name = basename(dirname(dataDir)).replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '') || 'eden'
  const folder = join(elsewhere, `${name}-${hash}`)
  log(`${account.name} cannot enter ${dataDir}, so the database is in ${folder}`)
  await makeElsewhere(elsewhere)
  await symlink(folder, path).catch((err: NodeJS.ErrnoException) => {
    if (err.code !== 'EEXIST') throw err // else another start made the same one
  })
  return { dataDir, folder, account, secrets }
}

/** Private, but root's folders must let PostgreSQL's account through, whatever the umask. One that was there is left as it is. */
async function makeDataDir (dataDir: string): Promise<void> {
  const first = await mkdir(dataDir, { recursive: true })
  if (first === undefined) return
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700
  for (let folder = dataDir; folder.length >= first.length; folder = dirname(folder)) await chmod(folder, mode)
}

async function makeElsewhere (folder: string): Promise<void> {
  if (process.getuid?.() !== 0 || folder !== elsewhere) return
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o711)
}

/** What `<dataDir>/postgres` links to; undefined when it is a folder or not there. */
export async function linkTarget (path: string): Promise<string | undefined> {
  return readlink(path).then((target) => resolve(dirname(path), target), () => undefined)
}

export async function exists (path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false)
}

/**
 * Removes what processes that are gone left half made (`.new-<pid>-`) or half removed (`.old-<pid>-`) beside `folder`.
 * An initdb that outlived its caller for a moment may still write there; what cannot be removed now is left for later.
 */
export async function removeLeftovers (folder: string): Promise<void> {
  for (const name of await readdir(dirname(folder)).catch(() => [])) {
    const pid = name.startsWith(`${basename(folder)}.`) && /\.(?:new|old)-(\d+)-[\w-]+$/.exec(name)?.[1]
    if (!pid || isAlive(Number(pid))) continue
    await rm(join(dirname(folder), name), { recursive: true, force: true, maxRetries: 3 }).catch(() => {})
  }
}
