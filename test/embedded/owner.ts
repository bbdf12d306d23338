/**
 * A process that owns a data folder, for tests to stop, kill and get in the way of.
 * Prints one JSON line when it is open; with `write` as second argument then the number of each row it has committed.
 * Ends with code 3 and the message on stderr when the folder is in use.
 */
import pg from 'pg'
import { DataFolderInUse, openEmbeddedDatabase, startThrowawayCluster } from '../../embedded/index.js'

const [dataDir = '', mode] = process.argv.slice(2)

try {
  if (mode === 'throwaway') await throwaway()
  else await own()
} catch (err) {
  process.stderr.write(`${(err as Error).message}\n`)
  process.exit(err instanceof DataFolderInUse ? 3 : 1)
}

async function own (): Promise<void> {
  const database = await openEmbeddedDatabase({ dataDir, log: (message) => { process.stderr.write(`${message}\n`) } })
  process.on('SIGTERM', () => { database.stop().then(() => process.exit(0), () => process.exit(1)) })
  database.onLost(() => process.exit(4))
  const { url, port, created, jwtSecret } = database
  print(JSON.stringify({ pid: process.pid, url, port, created, jwtSecret }))
  if (mode === 'write') write(url).catch(() => { /* stopped, or killed, under the writer */ })
}

async function write (url: string): Promise<void> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  await client.query('create table if not exists rows (n int primary key)')
  for (let n = 1; ; n++) {
    await client.query('insert into rows values ($1)', [n])
    print(String(n))
  }
}

async function throwaway (): Promise<void> {
  const { url } = await startThrowawayCluster()
  print(JSON.stringify({ pid: process.pid, url }))
  setInterval(() => {}, 1000)
}

function print (line: string): void {
  process.stdout.write(`${line}\n`)
}
