import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { createTestDatabase, execute } from './database.js'
import { eventually } from './helper.js'
import { server } from './program.js'

interface Served { child: ChildProcess, base: string, ended: Promise<{ code: number | null, output: string }> }

/** Runs server.ts with this environment and no other, in a folder where there may be a `.env`. */
function start (environment: Record<string, string | undefined>, cwd = tmpdir()): { child: ChildProcess, output: () => string, ended: Promise<{ code: number | null, output: string }> } {
  const child = spawn(process.execPath, server, {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'development', HOST: '127.0.0.1', PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => { output += chunk })
  const ended = once(child, 'close').then(([code]) => ({ code, output }))
  return { child, output: () => output, ended }
}

/** The same, once it listens. */
async function serve (t: Test, environment: Record<string, string>): Promise<Served> {
  // A busy machine delays the event loop; that load is shed then is not what these tests are about.
  const { child, output, ended } = start({ PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0', ...environment })
  t.teardown(() => { child.kill('SIGKILL') })
  const listening = (async () => {
    for (;;) {
      const base = /^ {2}API +(http:\S+)\/api$/m.exec(output())?.[1]
      if (base !== undefined) return base
      await once(child.stdout as NodeJS.ReadableStream, 'data')
    }
  })()
  const base = await Promise.race([listening, ended.then(({ output }) => { throw new Error(`it never listened: ${output}`) })])
  return { child, base, ended }
}

async function database (t: Test): Promise<string> {
  const url = await createTestDatabase(t as never)
  await execute(url, "insert into users (id, email, name) values ('01900000-0000-7000-8000-000000000001', 'admin@example.com', 'Ada Min')",
    "insert into user_roles select '01900000-0000-7000-8000-000000000001', id from roles where slug = 'admin'")
  return url
}
const headers = { 'x-dev-email': 'admin@example.com', 'content-type': 'application/json' }

await t.test('SIGTERM lets a running request finish, closes its connections and exits 0', async (t) => {
  const url = await database(t)
  const { child, base, ended } = await serve(t, { DATABASE_URL: url })
  const blocker = new pg.Client(url)
  await blocker.connect()
  await blocker.query('begin; lock table projects in access exclusive mode')
  const slow = fetch(`${base}/api/projects`, { headers })
  const waits = async () => (await blocker.query("select from pg_locks where relation = 'projects'::regclass and not granted")).rowCount === 1
  await eventually(waits)

  child.kill('SIGTERM')
  child.kill('SIGTERM') // as npm and a terminal do it
  const refused = async () => {
    try {
      return (await fetch(`${base}/api/health/ready`)).status === 503
    } catch {
      return true
    }
  }
  await eventually(refused)
  await blocker.query('commit')
  t.equal((await slow).status, 200, 'the request that ran was answered')
  t.equal((await ended).code, 0)
  const { rows } = await blocker.query("select count(*)::int as left from pg_stat_activity where application_name = 'eden-erp' and datname = current_database()")
  t.same(rows, [{ left: 0 }])
  await blocker.end()
})

await t.test('during SHUTDOWN_DELAY_MS it is not ready and still serves', async (t) => {
  const { child, base, ended } = await serve(t, { DATABASE_URL: await database(t), SHUTDOWN_DELAY_MS: '1500' })
  t.equal((await fetch(`${base}/api/health/ready`)).status, 200)
  child.kill('SIGTERM')
  const ready = async () => (await fetch(`${base}/api/health/ready`)).status
  await eventually(async () => await ready() !== 200)
  t.equal((await fetch(`${base}/api/projects`, { headers })).status, 200)
  t.equal((await ended).code, 0)
})

await t.test('production without DATABASE_URL exits with one clear line, and starts no database', async (t) => {
  const { code, output } = await start({ NODE_ENV: 'production' }).ended
  t.equal(code, 1)
  t.equal(output, 'DATABASE_URL must be set in production: the embedded database is for development only\nsee docs/runbook.md#issue-service-is-down\n')
})

await t.test('production does not start with development headers, however both are said; nor does what is nearly called production', { timeout: 120_000 }, async (t) => {
  const good = { NODE_ENV: undefined, DATABASE_URL: 'postgres://127.0.0.1:1/eden', JWT_SECRET: 'x'.repeat(32) }
  const REFUSED = /^AUTH_DEV_HEADERS must (not be true in production: anyone could act as anyone|be true or false, not ".*")\n/
  const UNKNOWN = /^NODE_ENV must be one of development, test, production(, not ".*"|, or not be set; it is empty)\n/
  const cases: [what: string, environment: Record<string, string>, file: string, said: RegExp][] = [
    ['both in the environment', { NODE_ENV: 'production', AUTH_DEV_HEADERS: 'true' }, '', REFUSED],
    ['both in .env', {}, 'NODE_ENV=production\nAUTH_DEV_HEADERS=true\n', REFUSED],
    ['in .env with quotes, spaces and export', {}, 'export NODE_ENV = "production"\nexport AUTH_DEV_HEADERS = \'true\' # for now\n', REFUSED],
    ['production in .env', { AUTH_DEV_HEADERS: 'true' }, 'NODE_ENV=production\n', REFUSED],
    ['a .env that says otherwise', { NODE_ENV: 'production', AUTH_DEV_HEADERS: 'true' }, 'NODE_ENV=development\nAUTH_DEV_HEADERS=false\n', REFUSED],
    ['another case', { NODE_ENV: 'Production' }, '', UNKNOWN],
    ['a space before', { NODE_ENV: ' production' }, '', UNKNOWN],
    ['empty', { NODE_ENV: '' }, '', UNKNOWN],
    ['empty, and production in .env', { NODE_ENV: '' }, 'NODE_ENV=production\n', UNKNOWN]
  ]
  // What else each may be said as is in config.test.ts: here it is that a start asks for it, whichever way it is said.
  for (const [what, environment, file, said] of cases) {
    const folder = await mkdtemp(path.join(tmpdir(), 'eden-environment-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    await writeFile(path.join(folder, '.env'), file)
    const { code, output } = await start({ ...good, ...environment }, folder).ended
    t.equal(code, 1, what)
    t.match(output, said, what)
    t.comment(`${what}: ${output.split('\n', 1)[0]}`)
  }
})

await t.test('a service in production takes no development header', async (t) => {
  const { child, output, ended } = start({ NODE_ENV: 'production', DATABASE_URL: await database(t), JWT_SECRET: 'x'.repeat(32), PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0' })
  t.teardown(() => { child.kill('SIGKILL') })
  const base = await eventually(() => {
    if (child.exitCode !== null) throw new Error(`it never listened: ${output()}`)
    return /"address":"(http:[^"]+)"/.exec(output())?.[1]
  })
  for (const name of ['x-dev-email', 'X-Dev-Email', 'x-dev-user-email']) t.equal((await fetch(`${base}/api/me`, { headers: { [name]: 'admin@example.com' } })).status, 401)
  t.equal((await fetch(`${base}/api/me`, { headers: { 'x-dev-user-id': '01900000-0000-7000-8000-000000000001' } })).status, 401)
  child.kill('SIGTERM')
  t.equal((await ended).code, 0)
})

await t.test('a wrong value stops the start with a line for each variable', async (t) => {
  const { code, output } = await start({ PORT: 'http', LOG_LEVEL: 'loud' }).ended
  t.equal(code, 1)
  t.same(output.trim().split('\n').map((line) => line.split(' ')[0]).sort(), ['LOG_LEVEL', 'PORT', 'see'])
})

await t.test('a port that is taken is one line and exit 1', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => { other.close() })
  const { code, output } = await start({ DATABASE_URL: await database(t), PORT: String((other.address() as AddressInfo).port) }).ended
  t.equal(code, 1)
  t.match(output, /EADDRINUSE/)
  t.notMatch(output, /\n\s+at /, 'no stack')
})

await t.test('the first start makes the demo company, the next finds it, and neither leaves PostgreSQL behind', { timeout: 90_000 }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'eden start '))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const count = async (base: string) => (await fetch(`${base}/api/tasks?count=true&limit=1`, { headers: { 'x-dev-email': 'admin@edenmep.ca' } })).headers.get('x-total-count')

  const first = await serve(t, { EDEN_DATA_DIR: folder })
  t.ok(Number(await count(first.base)) > 550, 'the demo company is there')
  const made = await fetch(`${first.base}/api/projects`, { method: 'POST', headers: { ...headers, 'x-dev-email': 'admin@edenmep.ca' }, body: JSON.stringify({ code: 'KEPT', name: 'Acknowledged' }) })
  t.equal(made.status, 201)

  const second = await start({ EDEN_DATA_DIR: folder }).ended
  t.equal(second.code, 1)
  t.match(second.output, folder)
  t.equal((await fetch(`${first.base}/api/health/ready`)).status, 200, 'the first is undisturbed')

  first.child.kill('SIGKILL')
  await first.ended
  const third = await serve(t, { EDEN_DATA_DIR: folder })
  const project = await fetch(`${third.base}${made.headers.get('location')}`, { headers: { 'x-dev-email': 'admin@edenmep.ca' } })
  t.match(await project.json(), { code: 'KEPT' })
  third.child.kill('SIGINT')
  const { code, output } = await third.ended
  t.equal(code, 0)
  t.notMatch(output, 'loaded the demo company')
  const { findEmbeddedDatabase } = await import('../embedded/index.js')
  t.equal(await findEmbeddedDatabase(folder), undefined, 'PostgreSQL has ended')
})
