import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import S3rver from 's3rver'
import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { collectFiles } from '../../modules/tasks/index.js'
import { parseConfig } from '../../plugins/config.js'
import { keyOf } from '../../plugins/storage/index.js'
import { formWith, QUIET, startApp } from '../helper.js'

const KEY = { S3_ACCESS_KEY_ID: 'S3RVER', S3_SECRET_ACCESS_KEY: 'S3RVER' }

/** A server that speaks S3, with a bucket. @returns its URL */
async function bucketServer (t: Test): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'eden-s3-'))
  const server = new S3rver({ directory, address: '127.0.0.1', port: 0, silent: true, configureBuckets: [{ name: 'files', configs: [] }] })
  const { port } = await server.run()
  t.teardown(async () => {
    await server.close()
    await rm(directory, { recursive: true, force: true })
  })
  return `http://127.0.0.1:${port}`
}

const onS3 = (endpoint: string) => ({ FILES_STORAGE: 's3', S3_ENDPOINT: endpoint, S3_BUCKET: 'files', ...KEY })

async function withTask (t: Test, environment: Record<string, string>) {
  const s = await startApp(t, { environment })
  const task = await s.addTask((await s.addProject()).id)
  const upload = (bytes: Buffer | string, name: string) => s.ask('POST', `/api/tasks/${task.id}/attachments`, formWith(bytes, name))
  return { ...s, task, upload, content: (id: string, headers = {}) => s.ask('GET', `/api/attachments/${id}/content`, { headers }) }
}

await t.test('files go to the bucket, come back whole and in ranges, and are collected from it', async (t) => {
  const endpoint = await bucketServer(t)
  const s = await withTask(t, onS3(endpoint))
  const bytes = Buffer.from(`%PDF-1.7\n${'0123456789'.repeat(300_000)}`)
  const attachment = (await s.upload(bytes, 'Étage 2.pdf')).json()
  t.match(attachment, { name: 'Étage 2.pdf', size_bytes: bytes.length })
  t.same(await s.query('select storage, state from stored_files'), [{ storage: 's3', state: 'kept' }])

  const whole = await s.content(attachment.id)
  t.ok(whole.statusCode === 200 && whole.rawPayload.equals(bytes))
  for (const [range, start, end] of [['bytes=0-1', 0, 1], ['bytes=1000000-1999999', 1_000_000, 1_999_999], ['bytes=-7', bytes.length - 7, bytes.length - 1]] as const) {
    const part = await s.content(attachment.id, { range })
    t.match({ status: part.statusCode, range: part.headers['content-range'] }, { status: 206, range: `bytes ${start}-${end}/${bytes.length}` })
    t.ok(part.rawPayload.equals(bytes.subarray(start, end + 1)), range)
  }
  // This server takes 0-0 for the whole: what it sends then is not passed on as the first byte.
  t.match((await s.content(attachment.id, { range: 'bytes=0-0' })).json(), { status: 503, code: 'EDEN_STORAGE_UNAVAILABLE' })
  t.equal((await s.ask('DELETE', `/api/attachments/${attachment.id}`)).statusCode, 200)
  t.same(await collectFiles(s.app.db, s.app.storage, { before: new Date(Date.now() + 3_600_000) }), { removed: 1, failed: 0 })
  await t.rejects(s.app.storage.read({ id: attachment.id, storage: 's3' }), /NoSuchKey/)
  await s.app.storage.remove({ id: attachment.id, storage: 's3' })
  t.same(await s.query('select from stored_files'), [])
})

await t.test('what was in the local folder before is still served from there', async (t) => {
  const before = await withTask(t, {})
  const { id } = (await before.upload('old', 'old.txt')).json()
  const endpoint = await bucketServer(t)
  const { DATABASE_URL, FILES_DIR } = before.app.config
  const app = await buildApp(parseConfig({ ...QUIET, DATABASE_URL, FILES_DIR, ...onS3(endpoint) }))
  t.teardown(() => app.close())
  t.equal((await app.inject({ url: `/api/attachments/${id}/content`, headers: { 'x-dev-email': before.admin.email } })).body, 'old')
  const { body, headers } = formWith('new', 'new.txt')
  const added = await app.inject({ method: 'POST', url: `/api/tasks/${before.task.id}/attachments`, payload: body, headers: { ...headers, 'x-dev-email': before.admin.email } })
  t.equal(added.statusCode, 201)
  t.match((await before.content(added.json().id)).json(), { status: 503, code: 'EDEN_STORAGE_UNAVAILABLE' }, 'an instance without the bucket says so')
})

await t.test('a bucket that refuses, is not there or does not answer is a 503, and what it may have is left to be found', async (t) => {
  const endpoint = await bucketServer(t)
  const closing: Server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(closing, 'listening')
  t.teardown(() => { closing.close() })
  for (const environment of [{ S3_ACCESS_KEY_ID: 'nobody' }, { S3_BUCKET: 'nowhere' }, { S3_ENDPOINT: `http://127.0.0.1:${(closing.address() as AddressInfo).port}` }]) {
    const s = await withTask(t, { ...onS3(endpoint), ...environment })
    t.match((await s.upload('Some text', 'a.txt')).json(), { status: 503, code: 'EDEN_STORAGE_UNAVAILABLE' })
    t.same(await s.query('select from attachments'), [])
    // It could not be asked to remove what may be there: that is left to be found.
    t.same(await s.query('select state from stored_files'), [{ state: 'dropped' }])
  }
})

await t.test('what goes wrong is told without the key', async (t) => {
  const secret = 'a-secret-that-no-log-may-have'
  const s = await withTask(t, { ...onS3(await bucketServer(t)), S3_BUCKET: 'nowhere', S3_SECRET_ACCESS_KEY: secret })
  const error = await s.app.storage.read({ id: s.task.id, storage: 's3' }).catch((error) => error)
  const told = inspect(error, { depth: Infinity, showHidden: true })
  t.match(told, /NoSuchBucket/)
  t.notMatch(told, secret)
  t.notMatch(told, /Credential=|Signature=/)
})

await t.test('an object is put under a key of its own, where others are not seen', async (t) => {
  const endpoint = await bucketServer(t)
  const s = await withTask(t, onS3(endpoint))
  const { id } = (await s.upload('mine', 'a.txt')).json()
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' } })
  t.teardown(() => client.destroy())
  await client.send(new PutObjectCommand({ Bucket: 'files', Key: 'kept/zz/other', Body: 'other' }))
  t.equal((await s.content(id)).body, 'mine')
  t.match(keyOf(id), new RegExp(`^kept/..+/${id}$`))
})
