import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readlink } from 'node:fs/promises'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import path from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import { formWith, startApp } from '../helper.js'

// What is garbage says nothing of what is held.
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** The app on a port, and what these tests do with it. */
async function listening (t: Test, environment: Record<string, string> = {}) {
  const s = await startApp(t, { environment })
  await s.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = s.app.server.address() as AddressInfo
  const folder = String(s.app.config.FILES_DIR)
  const files = async (place: string) => (await readdir(path.join(folder, place), { recursive: true, withFileTypes: true }).catch(() => [])).filter((one) => one.isFile()).length
  const task = await s.addTask((await s.addProject()).id)
  /** An upload whose body the test writes: the beginning of the form is sent. */
  function begin (): { client: ClientRequest, answer: Promise<{ status: number, body: string }> } {
    const { headers, body } = formWith('', 'large.bin')
    const client = request({ port, method: 'POST', path: `/api/tasks/${task.id}/attachments`, headers: { ...headers, 'x-dev-email': s.member.email } })
    client.write(body.subarray(0, body.indexOf('\r\n\r\n') + 4))
    const answer = once(client, 'response').then(async ([response]: IncomingMessage[]) => {
      let text = ''
      for await (const piece of response as IncomingMessage) text += piece
      return { status: response?.statusCode ?? 0, body: text }
    })
    answer.catch(() => {}) // some are cut off on purpose
    return { client, answer }
  }
  const tail = Buffer.from('\r\n--the-boundary--\r\n')
  /** Waits for what the server does on its own. */
  async function until (holds: () => Promise<boolean>): Promise<void> {
    while (!await holds()) await turn()
  }
  return { ...s, port, task, files, begin, tail, until }
}

await t.test('an upload that the client breaks off leaves nothing behind', async (t) => {
  const s = await listening(t)
  const uploads = Array.from({ length: 5 }, () => s.begin())
  for (const { client } of uploads) client.write(Buffer.alloc(100_000, 1))
  await s.until(async () => await s.files('incoming') === 5)
  for (const { client } of uploads) client.destroy()
  await s.until(async () => await s.files('incoming') === 0)
  t.equal(await s.files('kept'), 0)
  t.same(await s.query('select from stored_files'), [], 'the database was told of none')
  t.same(await s.query('select from attachments'), [])
})

await t.test('uploads that stand still hold no connection of the database', async (t) => {
  const s = await listening(t, { DB_POOL_MAX: '2' })
  const uploads = Array.from({ length: 10 }, () => s.begin())
  for (const { client } of uploads) client.write(Buffer.alloc(100_000, 1))
  await s.until(async () => await s.files('incoming') === 10)
  t.equal((await s.ask('GET', '/api/tasks')).statusCode, 200)
  await s.until(async () => s.app.pool.idleCount === s.app.pool.totalCount) // what is numbered in the background takes one now and then
  for (const { client } of uploads) client.end(s.tail)
  t.same((await Promise.all(uploads.map(({ answer }) => answer))).map(({ status }) => status), Array(10).fill(201))
})

await t.test('an upload may take longer than other bodies, as long as it moves', async (t) => {
  const s = await listening(t, { BODY_TIMEOUT_MS: '200', UPLOAD_SILENCE_MS: '20000' })
  const { client, answer } = s.begin()
  client.write('first ')
  await s.until(async () => await s.files('incoming') === 1)
  // The clock is a body that takes too long.
  const slow = connect(s.port, '127.0.0.1')
  slow.write(`POST /api/projects HTTP/1.1\r\nHost: x\r\nX-Dev-Email: ${s.admin.email}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`)
  let text = ''
  slow.on('data', (piece) => { text += piece })
  await once(slow, 'close')
  t.match(text, /^HTTP\/1\.1 408 [^]*"code":"EDEN_REQUEST_TIMEOUT"/)
  client.write('second')
  client.end(s.tail)
  const { status, body } = await answer
  t.equal(status, 201)
  t.equal((await s.ask('GET', `/api/attachments/${JSON.parse(body).id}/content`)).body, 'first second')
})

await t.test('one that stands still for too long is ended, and leaves nothing behind', async (t) => {
  const s = await listening(t, { UPLOAD_SILENCE_MS: '200' })
  const { client, answer } = s.begin()
  client.write(Buffer.alloc(100_000, 1))
  client.on('error', () => {})
  const { status, body } = await answer
  t.match({ status, ...JSON.parse(body) }, { status: 408, code: 'EDEN_REQUEST_TIMEOUT' })
  await s.until(async () => await s.files('incoming') === 0)
})

await t.test('one that is refused is told so while it still sends', async (t) => {
  const s = await listening(t, { ATTACHMENT_MAX_BYTES: '1000000' })
  const { client, answer } = s.begin()
  let isAnswered = false
  answer.finally(() => { isAnswered = true }).catch(() => {})
  const piece = Buffer.alloc(65_536, 1)
  for (let sent = 0; sent < 2 ** 30; sent += piece.length) {
    if (isAnswered) break
    if (!client.write(piece)) await Promise.race([once(client, 'drain'), answer])
  }
  const { status, body } = await answer
  t.match({ status, ...JSON.parse(body) }, { status: 413, code: 'EDEN_FILE_TOO_LARGE' })
  client.destroy()
  await s.until(async () => await s.files('incoming') === 0)
  t.equal((await s.ask('GET', `/api/tasks/${s.task.id}/attachments`)).body, '[]')
})

await t.test('200 MB pass through, in and out, in a fraction of their memory', async (t) => {
  const LOOK = 40 * 2 ** 20
  const SIZE = 200 * 2 ** 20
  const s = await listening(t, { ATTACHMENT_MAX_BYTES: String(SIZE) })
  const piece = randomBytes(2 ** 20)
  const hash = createHash('sha256')
  const held = () => {
    collectGarbage()
    const { external, heapUsed } = process.memoryUsage()
    return external + heapUsed
  }
  const before = held()
  let most = 0
  let moved = 0
  const look = (bytes: number) => {
    if (Math.floor((moved + bytes) / LOOK) > Math.floor(moved / LOOK)) most = Math.max(most, held() - before)
    moved += bytes
  }
  const { client, answer } = s.begin()
  for (let sent = 0; sent < SIZE; sent += piece.length) {
    hash.update(piece)
    if (!client.write(piece)) await once(client, 'drain')
    look(piece.length)
  }
  client.end(s.tail)
  const { status, body } = await answer
  t.equal(status, 201, body)
  const attachment = JSON.parse(body)
  const sha256 = hash.digest('hex')
  t.match(attachment, { size_bytes: SIZE, sha256 })

  const download = request({ port: s.port, path: `/api/attachments/${attachment.id}/content`, headers: { 'x-dev-email': s.viewer.email } })
  download.end()
  const [response] = await once(download, 'response') as [IncomingMessage]
  const back = createHash('sha256')
  for await (const chunk of response) {
    back.update(chunk)
    look(chunk.length)
  }
  t.equal(back.digest('hex'), sha256)
  t.ok(moved === 2 * SIZE && most < SIZE / 3, `${Math.round(most / 2 ** 20)} MiB at most`)
})

await t.test('a reader who leaves in the middle frees the file', async (t) => {
  const s = await listening(t)
  const { client, answer } = s.begin()
  client.write(Buffer.alloc(60_000_000, 1))
  client.end(s.tail)
  const { id } = JSON.parse((await answer).body)
  const open = async () => (await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))).some((target) => target.endsWith(id))
  const download = request({ port: s.port, path: `/api/attachments/${id}/content`, headers: { 'x-dev-email': s.viewer.email } })
  download.end()
  const [response] = await once(download, 'response') as [IncomingMessage]
  await once(response, 'data')
  response.pause()
  if (process.platform === 'linux') t.ok(await open())
  response.destroy()
  if (process.platform === 'linux') await s.until(async () => !await open())
})
