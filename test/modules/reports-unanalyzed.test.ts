/** Reports of a database whose rows nobody has counted yet, as just after a restore: its planner takes every table for small. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startApp } from '../helper.js'

const PROJECTS = 300
const PEOPLE = 300
const TASKS = 900
const s = await startApp(t, { environment: { DB_STATEMENT_TIMEOUT_MS: '5000' } })

await t.test('a report goes through the tasks once, and not once for each of its lines', async (t) => {
  const ids = (count: number) => Array.from({ length: count }, () => randomUUID())
  const [projects, people] = [ids(PROJECTS), ids(PEOPLE)]
  await s.query("insert into projects (id, code, name, created_by) select id, 'P-' || n, 'P', $2 from unnest($1::uuid[]) with ordinality x (id, n)", [projects, s.admin.id])
  await s.query("insert into users (id, email, name) select id, n || '@example.com', 'U' from unnest($1::uuid[]) with ordinality x (id, n)", [people])
  await s.query(`insert into tasks (id, project_id, number, title, assignee_id, ball_in_court, ball_since, last_activity_at, created_by, created_at, updated_at)
    select id, ($2::uuid[])[1 + n % ${PROJECTS}], n, 'T', ($3::uuid[])[1 + n % ${PEOPLE}], ($3::uuid[])[1 + n % ${PEOPLE}], now(), now(), $4, now(), now()
    from unnest($1::uuid[]) with ordinality x (id, n)`, [ids(TASKS), projects, people, s.admin.id])
  const from = '2024-02-29T00:00:00Z'
  for (const report of ['projects/health', 'workload', 'throughput', 'activity/recent?days=90', 'ball/flow', 'tasks/ageing', 'tasks/ball']) {
    for (const query of ['', `${report.includes('?') ? '&' : '?'}from=${from}`]) {
      const answer = await s.ask('GET', `/api/reports/${report}${query}`)
      t.equal(answer.statusCode, 200, `${report}${query}: ${answer.statusCode === 200 ? '' : answer.body}`)
    }
  }
})
