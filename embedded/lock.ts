import pg from 'pg'
import { superuser } from './cluster.js'
import { DataFolderInUse } from './errors.js'
import { isAlive } from './postmaster.js'

/** The lock's key: EDEN in ASCII, and the first of our locks. */
const key = [0x4544454e, 1]

const ownerName = 'eden-supervisor'

/**
 * A connection to this machine's server. Every setting is given, so that no PG* variable has a say.
 * @param as default: the superuser
 */
export async function connect (port: number, password: string, as: { user?: string, database?: string } = {}): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    password,
    user: as.user ?? superuser,
    database: as.database ?? superuser,
    ssl: false,
    application_name: `${ownerName} ${process.pid}`,
    options: '-c statement_timeout=0 -c idle_session_timeout=0',
    connectionTimeoutMillis: 10_000,
    keepAlive: true
  })
  // A connection that breaks also rejects its query or ends; without a listener it would end the process.
  client.on('error', () => {})
  await client.connect()
  return client
}

/**
 * Makes this process the one owner of the cluster for as long as `client` is connected. The server itself forgets an
 * owner that dies, so no lock file can be left behind.
 * @returns whether the lock is ours; false only while the server has yet to notice that the last owner died
 * @throws DataFolderInUse with the living owner's process id
 */
export async function takeLock (client: pg.Client, dataDir: string): Promise<boolean> {
  const { rows: [lock] } = await client.query<{ taken: boolean }>('select pg_try_advisory_lock($1, $2) as taken', key)
  if (lock?.taken) return true
  const { rows: [owner] } = await client.query<{ application_name: string }>(
    `select a.application_name from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.classid = $1::oid and l.objid = $2::oid`, key)
  if (owner === undefined) return false
  const pid = Number(/\d+$/.exec(owner.application_name)?.[0])
  if (pid && !isAlive(pid)) return false
  throw new DataFolderInUse(dataDir, pid || undefined)
}
