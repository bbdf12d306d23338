import { tmpdir } from 'node:os'
import t from 'tap'
import { seed } from '../../commands/seed.js'
import { parseConfig } from '../../plugins/config.js'
import { createTestDatabase, emptyDatabase, execute } from '../database.js'
import { QUIET } from '../helper.js'

const config = parseConfig({ ...QUIET, FILES_DIR: tmpdir() })

await t.test('a database that is behind this release is not filled, and what to do is said', async (t) => {
  await t.rejects(seed(await emptyDatabase(t as never), [], config), { message: /^\d+ migrations are pending: npm run db:push$/ })
  const url = await createTestDatabase(t as never)
  await execute(url, 'delete from kysely_migration where name = (select max(name) from kysely_migration)')
  await t.rejects(seed(url, [], config), { message: /^1 migration is pending: npm run db:push$/ })
})

await t.test('numbers that are none are refused', async (t) => {
  const url = await createTestDatabase(t as never)
  for (const argv of [['--tasks', '0'], ['--tasks', '1e3'], ['--tasks', '20000001'], ['--seed=-1'], ['--seed', 'x']]) await t.rejects(seed(url, argv, config), /is a whole number from .*usage: npm run seed/s, argv.join(' '))
  await t.rejects(seed(url, ['--many'], config), /--many/)
})
