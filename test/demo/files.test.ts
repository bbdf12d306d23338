import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { buildApp } from '../../app.js'
import { seedDatabase } from '../../demo/index.js'
import { parseConfig } from '../../plugins/config.js'
import { createTestDatabase } from '../database.js'
import { QUIET } from '../helper.js'
import { query } from './helper.js'
import { rules } from './rules.js'

const now = new Date('2026-11-25T15:30:00Z')

await t.test('files of the demo company are what their rows say, and the service serves them; another load replaces them', async (t) => {
  const url = await createTestDatabase(t as never)
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-demo-files-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await seedDatabase(url, { now, filesFolder: folder })
  for (const [rule, broken] of Object.entries(rules)) t.same(await query(url, broken, broken.includes('$1') ? [now] : []), [], rule)

  const app = await buildApp(parseConfig({ ...QUIET, DATABASE_URL: url, FILES_DIR: folder }))
  t.teardown(() => app.close())
  const get = (path: string) => app.inject({ url: path, headers: { 'x-dev-email': 'admin@edenmep.ca' } })
  const rows = await query(url, "select id, content_type, encode(sha256, 'hex') as sha256 from attachments order by id")
  t.equal(rows.length, 40)
  t.same([...new Set(rows.map((row) => row.content_type))].sort(), ['application/pdf', 'image/png', 'text/plain'])
  for (const { id, sha256 } of rows) t.equal(createHash('sha256').update((await get(`/api/attachments/${id}/content`)).rawPayload).digest('hex'), sha256)

  await seedDatabase(url, { now, seed: 2, filesFolder: folder })
  const ids = (await query(url, 'select id from stored_files order by id')).map(({ id }) => id)
  const kept = (await readdir(path.join(folder, 'kept'), { recursive: true, withFileTypes: true })).filter((one) => one.isFile()).map(({ name }) => name).sort()
  t.same(kept, ids)
})
