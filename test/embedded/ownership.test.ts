import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { DataFolderInUse, openEmbeddedDatabase } from '../../embedded/index.js'
import { readPostmaster } from '../../embedded/postmaster.js'
import { killServer, open, processesIn, query, startOwner, temporaryFolder, until } from './helper.js'

const count = 'select count(*)::int as rows, max(n) as last from rows'

t.test('a second start is refused with the owner named, and the first is not disturbed', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const owner = startOwner(t, dataDir, { mode: 'write' })
  const { pid } = await owner.opened
  const server = await readPostmaster(join(dataDir, 'postgres'))

  const refused = await openEmbeddedDatabase({ dataDir }).then(() => undefined, (err: unknown) => err)
  t.ok(refused instanceof DataFolderInUse)
  t.match(refused, { code: 'EDEN_DATA_FOLDER_IN_USE', ownerPid: pid, message: `the data folder ${dataDir} is in use by process ${pid}` })
  t.match(await startOwner(t, dataDir).ended, { code: 3, stderr: /in use by process \d+: stop it first/ })

  const before = owner.lines.length
  await until(() => owner.lines.length > before)
  t.same(await readPostmaster(join(dataDir, 'postgres')), server)
  owner.child.kill('SIGTERM')
  t.match(await owner.ended, { code: 0 })
})

t.test('of two first starts at the same moment one wins and the other is refused', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const owners = [startOwner(t, dataDir), startOwner(t, dataDir)]
  const outcomes = await Promise.allSettled(owners.map((owner) => owner.opened))
  t.same(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
  t.match(await owners[1 - winner]?.ended, { code: 3 })
  const { url } = await owners[winner]?.opened ?? { url: '' }
  t.same(await query(url, 'select 1 as one'), [{ one: 1 }])
  t.same((await readdir(dataDir)).filter((name) => name.includes('.new-')), [])
  owners[winner]?.child.kill('SIGTERM')
  t.match(await owners[winner]?.ended, { code: 0 })
})

t.test('after kill -9 of the owner the next start adopts the server, and no acknowledged row is missing', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const cluster = join(dataDir, 'postgres')
  const owner = startOwner(t, dataDir, { mode: 'write' })
  await owner.opened
  await until(() => owner.lines.length > 100)
  const server = await readPostmaster(cluster)
  owner.child.kill('SIGKILL')
  await owner.ended

  const database = await open(t, dataDir)
  t.equal((await readPostmaster(cluster))?.pid, server?.pid, 'the same server')
  const [kept] = await query(database.url, count)
  t.ok(Number(kept?.rows) >= owner.lines.length, `${owner.lines.length} acknowledged, ${String(kept?.rows)} kept`)
  t.equal(kept?.rows, kept?.last)
  await database.stop()
  t.same(await processesIn(cluster), [])
})

t.test('after kill -9 of owner and server at once the next start recovers every acknowledged row', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const owner = startOwner(t, dataDir, { mode: 'write' })
  await owner.opened
  await until(() => owner.lines.length > 100)
  const server = await readPostmaster(join(dataDir, 'postgres'))
  owner.child.kill('SIGKILL')
  process.kill(server?.pid ?? 0, 'SIGKILL')
  await owner.ended

  const database = await open(t, dataDir)
  const [kept] = await query(database.url, count)
  t.ok(Number(kept?.rows) >= owner.lines.length)
  await database.stop()
})

t.test('a server that dies is brought back on its port with its data, and is still ours', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const cluster = join(dataDir, 'postgres')
  const said: string[] = []
  const database = await open(t, dataDir, (message) => said.push(message))
  await query(database.url, 'create table kept as select 42 as answer')
  await killServer(cluster)
  await until(() => said.some((line) => line.includes('is back')))
  t.same(await query(database.url, 'select answer from kept'), [{ answer: 42 }])
  await t.rejects(openEmbeddedDatabase({ dataDir }), DataFolderInUse)

  await database.stop()
  t.same(await processesIn(cluster), [])
})

t.test('a lost lock is taken again', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const said: string[] = []
  const database = await open(t, dataDir, (message) => said.push(message))
  const { superuserPassword } = JSON.parse(await readFile(join(dataDir, 'secrets.json'), 'utf8')) as { superuserPassword: string }
  const admin = `postgres://postgres:${superuserPassword}@127.0.0.1:${database.port}/postgres`
  await query(admin, "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'eden-supervisor%'")
  await until(() => said.some((line) => line.includes('is back')))
  await t.rejects(openEmbeddedDatabase({ dataDir }), DataFolderInUse)
  await database.stop()
  t.same(await processesIn(join(dataDir, 'postgres')), [])
})

t.test('a server that cannot be brought back is reported, and stopping still works', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const cluster = join(dataDir, 'postgres')
  const database = await open(t, dataDir)
  const lost = new Promise<Error>((resolve) => { database.onLost(resolve) })
  const conf = await readFile(join(cluster, 'postgresql.conf'), 'utf8')
  await writeFile(join(cluster, 'postgresql.conf'), 'nonsense\n')
  await killServer(cluster)
  t.match(await lost, { code: 'EDEN_POSTGRESQL_FAILED', message: /postgresql\.conf/ })
  await database.stop()

  await writeFile(join(cluster, 'postgresql.conf'), conf)
  await (await open(t, dataDir)).stop()
})

t.test('a lock file whose process number now belongs to another program does not hinder', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const cluster = join(dataDir, 'postgres')
  const first = await open(t, dataDir)
  const lock = await readFile(join(cluster, 'postmaster.pid'), 'utf8')
  await first.stop()
  // This very process is alive, may belong to the same user, and is no PostgreSQL.
  await writeFile(join(cluster, 'postmaster.pid'), lock.replace(/^\d+/, String(process.pid)))
  const second = await open(t, dataDir)
  t.same(await query(second.url, 'select 1 as one'), [{ one: 1 }])
  await second.stop()
})
