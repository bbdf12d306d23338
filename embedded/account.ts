import { chown, stat } from 'node:fs/promises'
import { run } from './run.js'

/** Who PostgreSQL runs as. Without `uid` and `gid`: as ourselves. */
export interface Account { name: string, uid?: number, gid?: number }

/**
 * PostgreSQL refuses to run as root, so root lends it another account: the owner of the cluster that is already there,
 * else `postgres`, else `nobody`. Anyone else runs it as themselves.
 * @param cluster a cluster folder, which may not exist yet
 */
export async function accountFor (cluster?: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { name: 'the current user' }
  const owner = cluster && await stat(cluster).catch(() => undefined)
  if (owner && owner.uid !== 0) return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid }
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    if (uid.code === 0 && gid.code === 0) return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new Error('running as root, and there is neither a user postgres nor nobody to run PostgreSQL as')
}

/** Whether the account can enter `folder`, which takes the search right on every folder above it. */
export async function canEnter (account: Account, folder: string): Promise<boolean> {
  return (await run('/bin/sh', ['-c', 'test -x "$1"', 'sh', folder], { account })).code === 0
}

/** Makes the account the owner of `path`; nothing to do when PostgreSQL runs as ourselves. */
export async function giveTo (account: Account, path: string): Promise<void> {
  if (account.uid !== undefined && account.gid !== undefined) await chown(path, account.uid, account.gid)
}
