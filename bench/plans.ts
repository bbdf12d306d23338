/**
 * How PostgreSQL answers each list and report: sends requests through the whole app, catches the statements that the app
 * sends, and explains them. Fill the database first: `npm run seed -- --tasks 1000000`.
 *
 *   npm run bench:plans                        one line each: time in the database, pages touched
 *   npm run bench:plans -- /api/tasks?q=rfi    the statements and plans of one request
 */
import pg from 'pg'
import { buildApp } from '../app.js'
import { withDatabase } from '../commands/development-database.js'
import { parseConfig, readEnvironment } from '../plugins/config.js'

interface Statement { text: string, values: unknown[] }

/** What each request also sends: who asks, the numbering of events, jobs. */
const everyRequest = /"user_roles"|event_sequencer|event_cursors|pg_backend_pid|graphile_worker|job_workers/i
/** What PostgreSQL explains: not how connections are set up. */
const explained = /^\s*\(*\s*(select|with|insert|update|delete)\b/i

/** Notes what goes over the connections while `work` runs, each text once. */
async function statementsOf (work: () => Promise<unknown>): Promise<Statement[]> {
  const seen = new Map<string, Statement>()
  const prototype = pg.Client.prototype as unknown as { query: (...args: any[]) => any }
  const { query } = prototype
  prototype.query = function (this: unknown, ...args: any[]) {
    const [first, second] = args
    const text: unknown = typeof first === 'string' ? first : first?.text
    if (typeof text === 'string' && explained.test(text) && !everyRequest.test(text)) seen.set(text, { text, values: first.values ?? second ?? [] })
    return query.apply(this, args)
  }
  try {
    await work()
  } finally {
    prototype.query = query
  }
  return [...seen.values()]
}

async function requests (client: pg.Client): Promise<string[]> {
  const one = async (text: string): Promise<string> => (await client.query(text)).rows[0]?.id
  const project = await one('select project_id as id from tasks group by 1 order by count(*) desc limit 1')
  const holder = await one('select ball_in_court as id from tasks where ball_in_court is not null group by 1 order by count(*) desc limit 1')
  const task = await one('select task_id as id from ball_holds group by 1 order by count(*) desc limit 1')
  const position = await one('select last_position / 2 as id from event_sequencer')
  return [
    ...['', '?sort=due_at', '?sort=-created_at', `?ball=${holder}&sort=due_at`, '?ball=none', `?assignee=${holder}`, '?status=review', '?status=open,todo&sort=due_at',
      '?overdue=true&sort=due_at', '?stalled=30', '?priority=urgent&department=Accounting', '?tag=rfi', '?tag=none-such', '?q=chiller', '?q=nonesuch', '?updated_since=2026-01-01T00:00:00Z&sort=updated_at',
      '?count=true'].map((query) => `/api/tasks${query}`),
    ...['', '?sort=due_at', '?status=in_progress'].map((query) => `/api/projects/${project}/tasks${query}`),
    ...['', '/ball', '/comments', '/activity'].map((part) => `/api/tasks/${task}${part}`),
    '/api/projects', '/api/users', '/api/me/work',
    ...['', `?project=${project}`, `?actor=${holder}`, '?action=restored', '?entity_type=project'].map((query) => `/api/activity${query}`),
    `/api/changes?after=${position}`, '/api/notifications', '/api/notifications/unread-count',
    ...['tasks/status', 'tasks/ball', 'tasks/priority', 'tasks/overdue', 'activity/recent', 'ball/flow', 'workload', 'throughput', 'projects/health', 'tasks/ageing'].map((report) => `/api/reports/${report}`)
  ]
}

async function main (url: string, only?: string): Promise<void> {
  const app = await buildApp(parseConfig({ NODE_ENV: 'test', LOG_LEVEL: 'warn', DATABASE_URL: url, DB_STATEMENT_TIMEOUT_MS: '60000' }))
  const client = new pg.Client({ connectionString: url, options: '-c TimeZone=UTC -c jit=off' })
  await client.connect()
  try {
    for (const path of only === undefined ? await requests(client) : [only]) {
      const ask = () => app.inject({ url: path, headers: { 'x-dev-email': 'admin@edenmep.ca' } })
      let status = 0
      const statements = await statementsOf(async () => { status = (await ask()).statusCode })
      for (const { text, values } of statements) {
        const explain = async () => (await client.query({ text: `explain (analyze, buffers) ${text}`, values })).rows.map((row) => String(row['QUERY PLAN']))
        await explain() // warms the cache
        const plan = await explain()
        const time = /[\d.]+/.exec(plan.find((line) => line.startsWith('Execution Time')) ?? '')?.[0] ?? '?'
        const pages = /shared hit=(\d+)/.exec(plan.join('\n'))?.[1] ?? '0'
        console.log(`${time.padStart(10)} ms ${pages.padStart(7)} pages  ${status}  ${path}`)
        if (only !== undefined) console.log(`\n${text}\n\n${plan.join('\n')}\n`)
      }
    }
  } finally {
    await client.end()
    await app.close()
  }
}

await withDatabase(parseConfig(readEnvironment()), console.error, (url) => main(url, process.argv[2]))
