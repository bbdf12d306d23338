import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { collectFiles } from '../../modules/tasks/index.js'
import type { Storage } from '../../plugins/storage/index.js'
import { eventually, formWith, startApp } from '../helper.js'

const later = () => new Date(Date.now() + 3_600_000)
const earlier = () => new Date(Date.now() - 3_600_000)

async function withTask (t: Test) {
  const s = await startApp(t)
  const folder = String(s.app.config.FILES_DIR)
  const task = await s.addTask((await s.addProject()).id)
  const upload = (bytes: Buffer | string = 'Some text', headers: Record<string, string> = {}) => {
    const form = formWith(bytes, 'a.txt')
    return s.ask('POST', `/api/tasks/${task.id}/attachments`, { body: form.body, headers: { ...form.headers, ...headers } })
  }
  const files = async (place: string) => (await readdir(path.join(folder, place), { recursive: true, withFileTypes: true }).catch(() => [])).filter((one) => one.isFile()).map(({ name }) => name).sort()
  const states = async () => (await s.query('select id, state from stored_files order by id')) as { id: string, state: string }[]
  const collect = (storage: Pick<Storage, 'remove' | 'sweep'> = s.app.storage, before = later(), limit?: number) => collectFiles(s.app.db, storage, { before, ...limit === undefined ? {} : { limit } })
  return { ...s, folder, task, upload, files, states, collect }
}

await t.test('the bytes of a deleted file go when their time has come, and no others', async (t) => {
  const s = await withTask(t)
  const [kept, gone] = [(await s.upload()).json().id, (await s.upload()).json().id]
  await s.ask('DELETE', `/api/attachments/${gone}`)
  t.same(await s.collect(s.app.storage, earlier()), { removed: 0, failed: 0 }, 'deleted just now')
  t.same(await s.files('kept'), [kept, gone].sort())
  t.same(await s.collect(), { removed: 1, failed: 0 })
  t.same(await s.files('kept'), [kept])
  t.same(await s.states(), [{ id: kept, state: 'kept' }])
  t.same(await s.collect(), { removed: 0, failed: 0 }, 'a second time there is nothing to do')
  t.equal((await s.ask('GET', `/api/attachments/${kept}/content`)).body, 'Some text')
})

await t.test('the job collects what is a day old, and leaves what is not', async (t) => {
  const s = await withTask(t)
  const [old, fresh] = [(await s.upload()).json().id, (await s.upload()).json().id]
  for (const id of [old, fresh]) await s.ask('DELETE', `/api/attachments/${id}`)
  await s.query("update stored_files set since = since - interval '25 hours' where id = $1", [old])
  t.same(await s.app.jobs.runNow('collect_files'), { removed: 1, failed: 0 })
  t.same(await s.files('kept'), [fresh])
})

await t.test('several at once, in small portions, remove each file and no other', async (t) => {
  const s = await withTask(t)
  const ids: string[] = []
  for (let n = 0; n < 30; n++) ids.push((await s.upload(`file ${n}`)).json().id)
  for (const id of ids.slice(0, 20)) await s.ask('DELETE', `/api/attachments/${id}`)
  for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 4 }, () => s.collect(s.app.storage, later(), 3)))
  t.same(await s.files('kept'), ids.slice(20).sort())
  t.same((await s.states()).map(({ id }) => id), ids.slice(20).sort())
})

await t.test('a storage that fails midway loses nothing: what is still there is tried again', async (t) => {
  const s = await withTask(t)
  const ids: string[] = []
  for (let n = 0; n < 10; n++) ids.push((await s.upload()).json().id)
  for (const id of ids) await s.ask('DELETE', `/api/attachments/${id}`)
  let calls = 0
  const failing: Pick<Storage, 'remove' | 'sweep'> = {
    sweep: async () => 0,
    remove: async (file) => {
      if (++calls > 4) throw new Error('the bucket is on fire')
      await s.app.storage.remove(file)
    }
  }
  t.match(await s.collect(failing), { removed: 4, failed: 6, error: /on fire/ })
  t.same((await s.states()).map(({ id }) => id), await s.files('kept'), 'a row for each object that is left')
  t.same(await s.collect(), { removed: 6, failed: 0 })
  t.same([await s.states(), await s.files('kept')], [[], []])
})

await t.test('what a killed process had announced is found, whether its bytes had arrived or not', async (t) => {
  const s = await withTask(t)
  const { id } = (await s.upload()).json()
  await s.query("update stored_files set state = 'pending'")
  await s.query('delete from attachments')
  await s.query("insert into stored_files values ('01900000-0000-7000-8000-00000000dead', 'local', 'pending', now())")
  t.same(await s.collect(s.app.storage, earlier()), { removed: 0, failed: 0 }, 'it may still be on its way')
  t.same(await s.files('kept'), [id])
  t.same(await s.collect(), { removed: 2, failed: 0 })
  t.same([await s.states(), await s.files('kept')], [[], []])
})

await t.test('what a killed process had half received goes too, and nothing that is being received', async (t) => {
  const s = await withTask(t)
  const incoming = path.join(s.folder, 'incoming')
  await mkdir(incoming, { recursive: true })
  for (const name of ['left', 'new']) await writeFile(path.join(incoming, name), 'half of it')
  await utimes(path.join(incoming, 'left'), earlier(), new Date(Date.now() - 2 * 3_600_000))
  await s.collect(s.app.storage, earlier())
  t.same(await s.files('incoming'), ['new'])
})

await t.test('an upload that was given up meanwhile is refused, not half there', async (t) => {
  const s = await withTask(t)
  const blocker = new pg.Client(s.url)
  await blocker.connect()
  await blocker.query('begin')
  await blocker.query('select from tasks where id = $1 for update', [s.task.id])
  const answer = s.upload()
  await eventually(async () => (await s.query('select from pg_locks where not granted')).length > 0)
  t.same((await s.states()).map(({ state }) => state), ['pending'], 'the bytes are there, and announced')
  t.equal((await s.files('kept')).length, 1)
  t.same(await s.collect(), { removed: 1, failed: 0 })
  await blocker.query('commit')
  await blocker.end()
  t.ok((await answer).statusCode >= 400)
  t.same([await s.states(), await s.files('kept'), await s.files('incoming')], [[], [], []])
  t.same(await s.get(`/api/tasks/${s.task.id}/attachments`), [])
  t.same(await s.get(`/api/tasks/${s.task.id}/activity?entity_type=attachment`), [])
})

await t.test('a task that is deleted while its file comes in takes nothing', async (t) => {
  const s = await withTask(t)
  const blocker = new pg.Client(s.url)
  await blocker.connect()
  await blocker.query('begin')
  await blocker.query('update tasks set deleted_at = now(), deleted_by = $2 where id = $1', [s.task.id, s.admin.id])
  const answer = s.upload()
  await eventually(async () => (await s.query('select from pg_locks where not granted')).length > 0)
  await blocker.query('commit')
  await blocker.end()
  t.match((await answer).json(), { status: 404, code: 'EDEN_NOT_FOUND' })
  t.same([await s.states(), await s.files('kept'), await s.files('incoming')], [[], [], []])
})

await t.test('a database that goes away leaves nothing that is not found again, with a key and without', async (t) => {
  const s = await withTask(t)
  for (const headers of [{}, { 'idempotency-key': 'cut-off' }]) {
    const blocker = new pg.Client(s.url)
    await blocker.connect()
    await blocker.query('begin')
    await blocker.query('select from tasks where id = $1 for update', [s.task.id])
    const answer = s.upload('Some text', headers as Record<string, string>)
    await eventually(async () => (await s.query('select from pg_locks where not granted')).length > 0)
    await s.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'eden-erp' and datname = current_database()")
    t.equal((await answer).statusCode, 503)
    await blocker.query('rollback')
    await blocker.end()
    await s.collect()
    t.same([await s.states(), await s.files('kept'), await s.files('incoming')], [[], [], []])
  }
  t.equal((await s.upload('Some text', { 'idempotency-key': 'cut-off' })).statusCode, 201, 'the key is free')
  t.equal((await s.get(`/api/tasks/${s.task.id}/attachments`)).length, 1)
})

await t.test('a storage that cannot be written to is a 503, and leaves nothing', async (t) => {
  const s = await withTask(t)
  await writeFile(s.folder, 'a file where the folder should be')
  t.match((await s.upload()).json(), { status: 503, code: 'EDEN_STORAGE_UNAVAILABLE' })
  t.same(await s.states(), [])
  await rm(s.folder)
  await mkdir(s.folder)
  await writeFile(path.join(s.folder, 'kept'), 'here too')
  t.match((await s.upload()).json(), { status: 503, code: 'EDEN_STORAGE_UNAVAILABLE' })
  t.same(await s.files('incoming'), [])
  await rm(path.join(s.folder, 'kept'))
  await s.collect()
  t.same(await s.states(), [])
  t.equal((await s.upload()).statusCode, 201)
})
