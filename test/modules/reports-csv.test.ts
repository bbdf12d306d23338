import Fastify from 'fastify'
import t from 'tap'
import { prefersCsv, sendCsv } from '../../modules/shared/csv.js'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject({ name: '=HYPERLINK("http://evil")' })
const paths = ['tasks/status', 'tasks/ball', 'tasks/priority', 'tasks/overdue', 'activity/recent', 'ball/flow', 'workload', 'throughput', 'projects/health', 'tasks/ageing'].map((name) => `/api/reports/${name}`)
const titles = ['Plain', 'with "quotes", and a comma', '=1+1', '+1', '-1', '@SUM(A1)', 'Été 🚧', ' =2']
for (const title of titles) await s.addTask(project.id, { title, ball_in_court: s.member.id, assignee_id: s.member.id, due_at: '2026-01-01T00:00:00Z', department: 'Service' })

/** Reads a file as RFC 4180 has it: fields are quoted when they need it, lines end in CR LF. */
function parse (text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    if (end === '\r\n') rows.push([])
    if (end === '') break
  }
  return rows.slice(0, -1)
}
const asText = (value: unknown) => value === null ? '' : /^[=+\-@]/.test(String(value)) ? `'${value}` : String(value)

await t.test('every report is the same as a file, by parameter and by header', async (t) => {
  for (const path of paths) {
    const lines = await s.get(path)
    t.ok(lines.length > 0, path)
    const byParameter = await s.ask('GET', `${path}?format=csv`)
    t.equal(byParameter.headers['content-type'], 'text/csv; charset=utf-8; header=present')
    t.match(byParameter.headers['content-disposition'], /^attachment; filename="[a-z-]+\.csv"$/)
    t.match(byParameter.headers.vary, /(^|,\s*)accept\s*(,|$)/i)
    const [header, ...rows] = parse(byParameter.body)
    t.same(header, Object.keys(lines[0]), path)
    // Times that count on between two requests are compared for their form only.
    const steady = (header as string[]).map((name, n) => [name, n] as const).filter(([name]) => !/seconds/.test(name))
    t.same(rows.map((row) => steady.map(([, n]) => row[n])), lines.map((line: any) => steady.map(([name]) => asText(line[name]))), path)
    t.equal((await s.ask('GET', path, { headers: { accept: 'text/csv' } })).headers['content-type'], byParameter.headers['content-type'])
    t.match((await s.ask('GET', `${path}?format=json`, { headers: { accept: 'text/csv' } })).headers['content-type'], /json/, 'the parameter decides')
  }
})

await t.test('a text that a spreadsheet would take for a formula is one no more', async (t) => {
  const [, ...rows] = parse((await s.ask('GET', '/api/reports/tasks/overdue?format=csv')).body)
  t.same(rows.map(([, title]) => title).sort(), titles.map(asText).sort())
  t.ok(rows.every((row) => row[4] === '\'=HYPERLINK("http://evil")'))
})

await t.test('Accept is read as RFC 9110 has it', async (t) => {
  for (const accept of ['text/csv', 'TEXT/CSV; charset=utf-8', 'text/csv, */*', 'application/json;q=0.5, text/csv', '*/*;q=0.1,text/csv;q=0.2']) t.equal(prefersCsv(accept), true, accept)
  for (const accept of [undefined, '', '*/*', 'application/json', 'text/html,*/*;q=0.8', 'text/csv;q=0', 'application/json, text/csv', 'text/csv;q=0.5, */*', 'text/csv;q=x']) t.equal(prefersCsv(accept), false, String(accept))
})

await t.test('a file has all rows, in their order, not a page of them', async (t) => {
  const { id } = await s.addProject()
  await s.query(`insert into tasks (id, project_id, number, title, ball_since, due_at, last_activity_at, created_by, created_at, updated_at)
    select gen_random_uuid(), $1, n, 'Task ' || n, now(), '2026-01-01'::timestamptz + make_interval(mins => n / 7), now(), $2, now(), now() from generate_series(1, 2500) n`, [id, s.admin.id])
  for (const [sort, order] of [['due_at', 'asc'], ['-due_at', 'desc']] as const) {
    const answer = await s.ask('GET', `/api/reports/tasks/overdue?format=csv&limit=1&count=true&project=${id}&sort=${sort}`)
    t.equal(answer.headers['x-total-count'], '2500')
    const expected = await s.query(`select id from tasks where project_id = $1 order by due_at ${order}, id ${order}`, [id])
    t.same(parse(answer.body).slice(1).map(([first]) => first), expected.map((task) => task.id))
  }
  t.same(parse((await s.ask('GET', `/api/reports/tasks/overdue?format=csv&project=${(await s.addProject()).id}`)).body).length, 1, 'no rows: the header alone')
})

await t.test('what fails before the first byte is a problem, whatever was asked for', async (t) => {
  for (const [path, status] of [['tasks/overdue?format=csv&department=x', 400], ['throughput?from=1990-01-01T00:00:00Z&per=day&format=csv', 400], ['tasks/status?format=xml', 400]] as const) {
    const answer = await s.ask('GET', `/api/reports/${path}`)
    t.equal(answer.statusCode, status, path)
    t.match(answer.headers['content-type'], /^application\/problem\+json/)
    t.notOk(answer.headers['content-disposition'])
  }
  t.equal((await s.ask('GET', '/api/reports/workload?format=csv', { as: await s.addPerson(null) })).statusCode, 403)
})

await t.test('a file that breaks off is cut, and a reader who leaves stops the work', async (t) => {
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  let asked = 0
  let end = () => {}
  const ended = new Promise<void>((resolve) => { end = resolve })
  async function * batches (fail: number) {
    try {
      for (;;) {
        if (++asked === fail) throw new Error('the database is gone')
        yield Array.from({ length: 1000 }, () => ({ a: 'x'.repeat(100) }))
      }
    } finally {
      if (fail === Infinity) end()
    }
  }
  app.get('/first', (_request, reply) => sendCsv(reply, { name: 'x', columns: ['a'], batches: batches(1) }))
  app.get('/third', (_request, reply) => sendCsv(reply, { name: 'x', columns: ['a'], batches: batches(3) }))
  app.get('/endless', (_request, reply) => sendCsv(reply, { name: 'x', columns: ['a'], batches: batches(Infinity) }))
  const base = await app.listen({ host: '127.0.0.1', port: 0 })

  const refused = await fetch(`${base}/first`)
  t.equal(refused.status, 500)
  t.notOk(refused.headers.get('content-disposition'))
  asked = 0
  const broken = await fetch(`${base}/third`)
  t.equal(broken.status, 200)
  await t.rejects(broken.text(), 'half a file is no whole one')

  asked = 0
  const leaving = new AbortController()
  const reader = (await fetch(`${base}/endless`, { signal: leaving.signal })).body?.getReader()
  await reader?.read()
  leaving.abort()
  await reader?.read().catch(() => {})
  await ended
  t.ok(asked < 1000, 'no more was made than the buffers hold')
})

await t.test('who took a report away as a file is on record, and who read it is not', async (t) => {
  const someone = await s.addPerson('viewer')
  await s.get('/api/reports/workload', { as: someone })
  await s.ask('GET', '/api/reports/workload?format=csv', { as: someone })
  await s.ask('GET', '/api/reports/tasks/overdue', { as: someone, headers: { accept: 'text/csv' } })
  await s.app.auditTrail.written()
  t.match(await s.query('select event, details from audit_events where actor_id = $1 order by seq', [someone.id]), [
    { event: 'exported', details: { report: 'workload', route: '/api/reports/workload' } },
    { event: 'exported', details: { report: 'overdue-tasks', route: '/api/reports/tasks/overdue' } }
  ])
})
