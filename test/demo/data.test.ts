import pg from 'pg'
import t, { type Test } from 'tap'
import { seedDatabase } from '../../demo/index.js'
import { createTestDatabase } from '../database.js'
import { fingerprint, query } from './helper.js'
import { rules } from './rules.js'

const now = new Date('2026-11-25T15:30:00Z')

await t.test('the demo company', async (t) => {
  const url = await createTestDatabase(t)
  const summary = await seedDatabase(url, { now })
  t.match(summary, { users: 36, projects: 12, tasks: 600, event_positions: summary.activity_log })
  await keepsTheRules(t, url)

  await t.test('has its administrator, managers, onlookers and people who left', async (t) => {
    t.same(await query(url, `
      select r.slug, count(*)::int as people, count(*) filter (where not is_active)::int as gone, min(u.name) filter (where u.email = 'admin@edenmep.ca') as name
      from users u join user_roles ur on ur.user_id = u.id join roles r on r.id = ur.role_id group by 1 order by 1`), [
      { slug: 'admin', people: 1, gone: 0, name: 'Morgan Eden' },
      { slug: 'manager', people: 8, gone: 0, name: null },
      { slug: 'member', people: 25, gone: 2, name: null },
      { slug: 'viewer', people: 2, gone: 0, name: null }
    ])
    t.same(await query(url, "select name, email from users where email <> 'admin@edenmep.ca' and email <> (lower(replace(name, ' ', '.')) || '@edenmep.ca')"), [])
    t.same(await query(url, 'select count(distinct department)::int as departments from users'), [{ departments: 6 }])
  })

  await t.test('has projects in every state', async (t) => {
    t.same(await query(url, "select status, count(*)::int as projects, count(*) filter (where visibility = 'members')::int as closed_off from projects group by 1 order by 1"), [
      { status: 'active', projects: 10, closed_off: 1 },
      { status: 'closed', projects: 1, closed_off: 0 },
      { status: 'on_hold', projects: 1, closed_off: 1 }
    ])
    t.same(await query(url, "select code::text from projects where code = 'PS-001'"), [{ code: 'PS-001' }])
    t.same(await query(url, "select count(*)::int as unfinished from tasks join projects p on p.id = project_id where p.status = 'closed' and is_open and tasks.deleted_at is null"), [{ unfinished: 0 }])
  })

  await t.test('has outside parties of every kind it deals with, and balls in their courts', async (t) => {
    t.same((await query(url, 'select distinct kind from companies order by 1')).map(({ kind }) => kind), ['ahj', 'engineer', 'gc', 'vendor'])
    t.same(await query(url, 'select id from companies c where not exists (select from contacts where company_id = c.id)'), [])
    const [{ out, told }] = await query(url, `select count(*) filter (where ball_company_id is not null)::int as out, count(*) filter (where ball_contact_id is not null)::int as told
      from tasks where is_open and deleted_at is null`)
    t.ok(out > 10 && out < 80 && told > 0 && told < out, `${out} are out, ${told} of them with somebody`)
  })

  await t.test('looks like work: shares of what is open, late, told of, talked about', async (t) => {
    const [share] = await query(url, `
      select avg(is_open::int)::float as open, (count(*) filter (where is_open and due_at < $1) / (count(*) filter (where is_open))::float) as late,
        avg((description <> '')::int)::float as described, avg((priority = 'normal')::int)::float as normal, avg((due_at is null)::int)::float as undated,
        count(distinct title) / count(*)::float as distinct, avg((exists (select from comments c where c.task_id = t.id))::int)::float as discussed,
        count(*) filter (where is_open and last_activity_at < $1 - interval '14 days')::int as stalled, count(*) filter (where parent_id is not null)::int as subtasks
      from tasks t where deleted_at is null`, [now])
    for (const [name, least, most] of [['open', 0.3, 0.6], ['late', 0.06, 0.2], ['described', 0.4, 0.65], ['normal', 0.55, 0.8], ['undated', 0.05, 0.25], ['distinct', 0.97, 1], ['discussed', 0.25, 0.4], ['stalled', 10, 150], ['subtasks', 20, 120]] as const) {
      t.ok(share[name] >= least && share[name] <= most, `${name}: ${share[name]} is from ${least} to ${most}`)
    }
    t.match(await query(url, 'select count(*)::int as comments, max(n)::int as most from (select count(*) as n from comments group by task_id) c'), [{ most: 6 }])
    const [{ days, deleted }] = await query(url, "select count(distinct created_at::date)::int as days, (select count(*)::int from tasks where deleted_at is not null) as deleted from activity_log where created_at > $1::timestamptz - interval '90 days'", [now])
    t.ok(days >= 55, `activity on ${days} of the last 90 days`)
    t.ok(deleted > 0 && deleted < 20, `${deleted} tasks are in the bin`)
  })
})

await t.test('the same seed and moment make the same rows, another seed others', async (t) => {
  const [first, second, third] = await Promise.all([createTestDatabase(t), createTestDatabase(t), createTestDatabase(t)])
  await Promise.all([
    seedDatabase(first, { tasks: 200, seed: 7, now }),
    seedDatabase(second, { tasks: 200, seed: 7, now }),
    seedDatabase(third, { tasks: 200, seed: 8, now })
  ])
  t.same(await fingerprint(first), await fingerprint(second))
  t.not((await fingerprint(first)).tasks, (await fingerprint(third)).tasks)
})

await t.test('five thousand tasks, each row checked by the database as it comes', async (t) => {
  const url = await createTestDatabase(t)
  await seedDatabase(url, { tasks: 5000, seed: 3, now, checked: true })
  await keepsTheRules(t, url)
})

await t.test('any moment will do: at night, on a Sunday, on New Year\'s Day, in the hour that daylight saving repeats', async (t) => {
  for (const moment of ['2026-11-22T08:00:00Z', '2027-01-01T17:00:00Z', '2026-11-01T05:30:00Z', '2026-03-08T07:00:00Z']) {
    const url = await createTestDatabase(t)
    await seedDatabase(url, { tasks: 60, now: new Date(moment) })
    await keepsTheRules(t, url, new Date(moment))
  }
})

await t.test('one task is a company too', async (t) => {
  const url = await createTestDatabase(t)
  t.match(await seedDatabase(url, { tasks: 1, now }), { tasks: 1, projects: 12 })
  await keepsTheRules(t, url)
})

async function keepsTheRules (t: Test, connectionString: string, moment = now): Promise<void> {
  await t.test('keeps the rules of the service', async (t) => {
    const client = new pg.Client({ connectionString, options: '-c timezone=UTC' })
    await client.connect()
    try {
      for (const [rule, broken] of Object.entries(rules)) {
        const { rows } = await client.query(`select * from (${broken}) broken limit 3`, broken.includes('$1') ? [moment] : [])
        t.same(rows, [], rule)
      }
    } finally {
      await client.end()
    }
  })
}
