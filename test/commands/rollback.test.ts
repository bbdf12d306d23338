import t from 'tap'
import { rollback } from '../../commands/migrate.js'
import { seedDatabase } from '../../demo/index.js'
import { knownMigrations, migrateToLatest } from '../../plugins/database/migrator.js'
import { createTestDatabase } from '../database.js'
import { connect, limits, said } from './helper.js'

const names = await knownMigrations()
const [first = ''] = names
/** The newest that has rows of the demo company to lose. */
const lossy = '20261125120200_task_notices'

await t.test('db:rollback with data in place: it says what would be lost, waits for --yes, and the data that stays is the same after a push', async (t) => {
  const url = await createTestDatabase(t as never)
  await seedDatabase(url, { tasks: 100 })
  const client = await connect(t, url)
  const facts = async () => (await client.query(`
    select (select count(*) from tasks) as tasks, (select count(*) from ball_holds) as holds, (select count(*) from activity_log) as events, (select count(*) from notifications) as notifications,
      (select json_agg(s order by project_id, dim, department, key) from (select * from stat_totals where count <> 0) s) as totals,
      (select md5(string_agg(t::text, ' ' order by id)) from (select id, title, status, priority, version, updated_at, due_at from tasks) t) as content`)).rows
  const before = await facts()

  for (const name of names.filter((name) => name > lossy).reverse()) t.match(await said(t, () => rollback(url, ['--yes'], limits)), { failed: undefined }, name)
  const refused = await said(t, () => rollback(url, [], limits))
  t.match(refused.lines, [/^would lose \d+ rows of task_notices$/])
  t.match(refused.failed, new RegExp(`^${lossy} was not taken back, because that loses what is listed\\. Make a backup, then: npm run db:rollback -- --yes$`))
  t.same(await facts(), before, 'the trial left no trace')

  const takeBack = async (until: string) => {
    const lost: string[] = []
    for (const name of names.filter((name) => name >= until).reverse()) {
      const { lines, failed } = await said(t, () => rollback(url, ['--yes'], limits))
      t.equal(failed, undefined, name)
      t.equal(lines.at(-1), `took back ${name}`)
      lost.push(...lines.slice(0, -1))
    }
    return lost
  }
  await migrateToLatest(url)
  const lost = await takeBack('20261125114000_subtasks')
  t.ok(lost.includes('loses 36 values of users.phone'), lost.join('\n'))
  await migrateToLatest(url)
  t.same(await facts(), before)

  t.ok((await takeBack(first)).includes('loses 100 rows of tasks'))
  t.same((await said(t, () => rollback(url, [], limits))).lines, ['nothing to take back'])
  t.equal((await migrateToLatest(url)).length, names.length)
  t.match(await facts(), [{ tasks: /^0$|0/ }])
})
