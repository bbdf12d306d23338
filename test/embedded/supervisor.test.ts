import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { openEmbeddedDatabase } from '../../embedded/index.js'
import { readPostmaster } from '../../embedded/postmaster.js'
import { open, processesIn, query, startOwner, temporaryFolder } from './helper.js'

t.test('a first start makes a database that is ready to migrate, and a stop leaves no process', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const cluster = join(dataDir, 'postgres')
  const database = await open(t, dataDir)
  t.equal(database.created, true)
  const [server] = await query(database.url, `
    select current_user as user, current_database() as database, current_setting('server_encoding') as encoding,
      current_setting('timezone') as timezone, current_setting('fsync') as fsync, current_setting('listen_addresses') as address,
      rolsuper as superuser, 'Å'::citext = 'å' as folds, digest('x', 'sha256') is not null as digests
    from pg_roles where rolname = current_user`)
  t.match(server, {
    user: 'eden', database: 'eden', encoding: 'UTF8', timezone: 'UTC', fsync: 'on', address: '127.0.0.1', superuser: false, digests: true
  })
  t.ok(Buffer.from(database.jwtSecret, 'base64url').length >= 48)
  t.equal((await stat(join(dataDir, 'secrets.json'))).mode & 0o777, 0o600)
  await t.rejects(query(database.url.replace(/:[^:@]+@/, ':wrong@'), 'select 1'), { code: '28P01' })

  const server1 = await readPostmaster(cluster)
  t.ok(server1, 'it runs')
  await Promise.all([database.stop(), database.stop()])
  await database.stop()
  t.same(await processesIn(cluster), [])
  t.equal(await readPostmaster(cluster), undefined)
})

t.test('data, secret and port survive a restart', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const first = await open(t, dataDir)
  await query(first.url, 'create table kept as select 42 as answer')
  await first.stop()
  const second = await open(t, dataDir)
  t.same(await query(second.url, 'select answer from kept'), [{ answer: 42 }])
  t.match(second, { url: first.url, jwtSecret: first.jwtSecret, created: false })
  await second.stop()
})

t.test('a port that is taken meanwhile is replaced', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  const first = await open(t, dataDir)
  await first.stop()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(first.port, '127.0.0.1', resolve))
  t.teardown(() => { other.close() })
  const second = await open(t, dataDir)
  t.not(second.port, first.port)
  t.same(await query(second.url, 'select 1 as one'), [{ one: 1 }])
  await second.stop()
})

t.test('any path, any locale, PG variables and a strict umask do not matter', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data/a folder, "quoted" $HOME `é` 項目')
  const owner = startOwner(t, dataDir, {
    env: {
      LANG: 'xx_YY.ISO-8859-1',
      LC_ALL: 'xx_YY',
      TZ: 'Asia/Kathmandu',
      PGHOST: 'nowhere.invalid',
      PGPORT: '1',
      PGDATA: '/nowhere',
      PGUSER: 'nobody',
      PGPASSWORD: 'wrong',
      PGDATABASE: 'nothing',
      PGSSLMODE: 'require',
      PGOPTIONS: '-c nonsense=1'
    }
  })
  const { url } = await owner.opened
  t.same(await query(url, "select current_setting('timezone') as zone"), [{ zone: 'UTC' }])
  owner.child.kill('SIGTERM')
  t.match(await owner.ended, { code: 0 })
})

t.test('a cluster that cannot be used is left alone, with one line that says what to do', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  await (await openEmbeddedDatabase({ dataDir })).stop()

  await t.test('another major version made it', async (t) => {
    const file = join(dataDir, 'postgres/PG_VERSION')
    const version = await readFile(file, 'utf8')
    await writeFile(file, '12\n')
    await t.rejects(openEmbeddedDatabase({ dataDir }), { code: 'EDEN_CLUSTER_UNUSABLE', message: /PostgreSQL 12 .* PG_BIN .* demo:reset/ })
    await writeFile(file, version)
  })

  const file = join(dataDir, 'secrets.json')
  const secrets = await readFile(file, 'utf8')
  for (const [what, text, message] of [
    ['the secrets are damaged', '{"id":', /secrets.json cannot be read .* restore it/],
    ['the password is another', secrets.replace(/"superuserPassword": "..../, '"superuserPassword": "!!!!'), /password .* is not the one .* demo:reset/]
  ] as const) {
    await t.test(what, async (t) => {
      await writeFile(file, text)
      await t.rejects(openEmbeddedDatabase({ dataDir }), { code: 'EDEN_CLUSTER_UNUSABLE', message })
    })
  }
  await writeFile(file, secrets)
  const again = await open(t, dataDir)
  await again.stop()
})
