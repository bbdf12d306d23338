import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import t from 'tap'
import { collectFiles } from '../../modules/tasks/index.js'
import { eventually, formWith, startApp } from '../helper.js'
import { server } from '../program.js'

await t.test('kill -9 in the middle of uploads leaves nothing that is not collected, and loses nothing that was acknowledged', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-killed-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const s = await startApp(t, { environment: { FILES_DIR: folder } })
  const project = await s.addProject()
  const [task, held] = [await s.addTask(project.id), await s.addTask(project.id)]
  const files = async (place: string) => (await readdir(path.join(folder, place), { recursive: true, withFileTypes: true }).catch(() => [])).filter((one) => one.isFile()).length

  const child = spawn(process.execPath, server, {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, HOST: '127.0.0.1', PORT: '0', DATABASE_URL: s.url, FILES_DIR: folder, PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => { child.kill('SIGKILL') })
  let output = ''
  let base: string | undefined
  while (base === undefined) {
    output += String((await once(child.stdout, 'data'))[0])
    base = /^ {2}API +(http:\S+)\/api$/m.exec(output)?.[1]
  }
  const upload = (taskId: string, body: Buffer | ReadableStream) => fetch(`${base}/api/tasks/${taskId}/attachments`, {
    method: 'POST', body: body as never, headers: { ...formWith('', 'a.txt').headers, 'x-dev-email': s.admin.email }, duplex: 'half'
  } as RequestInit)

  const done = await (await upload(task.id, formWith('acknowledged', 'a.txt').body)).json() as { id: string }
  // One whose bytes are stored and that waits for its task; one whose bytes are still coming.
  const blocker = new pg.Client(s.url)
  await blocker.connect()
  await blocker.query('begin')
  await blocker.query('select from tasks where id = $1 for update', [held.id])
  const waiting = upload(held.id, formWith('announced', 'a.txt').body).catch(() => 'cut off')
  await eventually(async () => (await s.query('select from pg_locks where not granted')).length > 0)
  const half = upload(task.id, new ReadableStream({ start: (controller) => controller.enqueue(formWith('x'.repeat(100_000), 'a.txt').body.subarray(0, 90_000)) })).catch(() => 'cut off')
  await eventually(async () => await files('incoming') > 0)

  child.kill('SIGKILL')
  t.same(await Promise.all([waiting, half]), ['cut off', 'cut off'])
  await blocker.query('rollback')
  await blocker.end()
  // The statement that waited goes on without its client: once it is over, what it did stands.
  await eventually(async () => (await s.query("select from pg_stat_activity where datname = current_database() and state = 'active' and query ilike '%attachments%' and pid <> pg_backend_pid()")).length === 0)

  await collectFiles(s.app.db, s.app.storage, { before: new Date(Date.now() + 3_600_000) })
  t.equal(await files('incoming'), 0)
  const rows = await s.query('select f.id, a.id is not null as attached from stored_files f left join attachments a on a.id = f.id')
  t.same(rows.filter(({ attached }) => !attached), [])
  t.equal(await files('kept'), rows.length)
  t.equal((await s.ask('GET', `/api/attachments/${done.id}/content`)).body, 'acknowledged')
  for (const { id } of rows) t.match((await s.ask('GET', `/api/attachments/${id}/content`)).body, /^(acknowledged|announced)$/)
})
