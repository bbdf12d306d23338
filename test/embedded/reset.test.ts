import { lstat, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { demoReset } from '../../commands/demo-reset.js'
import { DataFolderInUse, findEmbeddedDatabase, resetEmbeddedDatabase } from '../../embedded/index.js'
import { open, processesIn, query, startOwner, temporaryFolder } from './helper.js'

t.test('a reset is refused while the folder is in use, and the owner is not disturbed', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const owner = startOwner(t, dataDir)
  const { pid, url } = await owner.opened
  await query(url, 'create table kept as select 42 as answer')
  await t.rejects(demoReset(dataDir, () => {}), { code: 'EDEN_DATA_FOLDER_IN_USE', message: `in use by process ${pid}` })
  t.same(await query(url, 'select answer from kept'), [{ answer: 42 }])
})

t.test('a reset removes the database, and the next start has a new one under the same URL', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const said: string[] = []
  await demoReset(dataDir, (line) => said.push(line))
  t.match(said, [/there is no database/])

  const first = await open(t, dataDir)
  await query(first.url, 'create table gone ()')
  await first.stop()
  await demoReset(dataDir, (line) => said.push(line))
  t.match(said[1], /is gone; the next npm start makes a new one/)
  await t.rejects(lstat(join(dataDir, 'postgres')), { code: 'ENOENT' })

  const second = await open(t, dataDir)
  t.match(second, { created: true, url: first.url, jwtSecret: first.jwtSecret })
  t.same(await query(second.url, "select to_regclass('gone') as gone"), [{ gone: null }])
})

t.test('a reset stops the server that a killed owner left', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const owner = startOwner(t, dataDir)
  await owner.opened
  owner.child.kill('SIGKILL')
  await owner.ended
  t.equal(await resetEmbeddedDatabase({ dataDir }), true)
  t.same(await processesIn(join(dataDir, 'postgres')), [])
})

t.test('a command finds the database of a service that runs, and none otherwise', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  t.equal(await findEmbeddedDatabase(dataDir), undefined)
  await mkdir(dataDir)
  t.equal(await findEmbeddedDatabase(dataDir), undefined)
  const database = await open(t, dataDir)
  t.match(await findEmbeddedDatabase(dataDir), { url: database.url, jwtSecret: database.jwtSecret })
  await t.rejects(open(t, dataDir), DataFolderInUse)
  await database.stop()
  t.equal(await findEmbeddedDatabase(dataDir), undefined)
})
