import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { keyOf } from '../../plugins/storage/index.js'
import { formWith, nextPage, startApp } from '../helper.js'

const s = await startApp(t, { environment: { ATTACHMENT_MAX_BYTES: '200000', ATTACHMENT_TYPES_DENIED: 'application/x-msdownload,image/gif' } })
const folder = String(s.app.config.FILES_DIR)
const project = await s.addProject()
const png = Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.alloc(70_000, 7)])
const pdf = Buffer.from(`%PDF-1.7\n${'0123456789'.repeat(100)}`)
const upload = (taskId: string, bytes: Buffer | string, name: string, { as = s.member, headers = {} } = {}) => {
  const form = formWith(bytes, name)
  return s.ask('POST', `/api/tasks/${taskId}/attachments`, { as, body: form.body, headers: { ...form.headers, ...headers } })
}
const content = (id: string, headers: Record<string, string> = {}, as = s.viewer) => s.ask('GET', `/api/attachments/${id}/content`, { as, headers })
/** What is on the disk: ids of kept files, and how many are half there. */
async function onDisk (): Promise<{ kept: string[], incoming: number }> {
  const files = async (place: string) => (await readdir(path.join(folder, place), { recursive: true, withFileTypes: true }).catch(() => [])).filter((one) => one.isFile()).map(({ name }) => name)
  return { kept: (await files('kept')).sort(), incoming: (await files('incoming')).length }
}
/** The rule that holds at any quiet moment: bytes are there for just the rows that say so. */
async function consistent (): Promise<void> {
  const rows = await s.query('select f.id, f.state, a.id is not null as attached from stored_files f left join attachments a on a.id = f.id order by f.id')
  t.same(rows.filter(({ state, attached }) => (state === 'kept') !== attached), [], 'what is kept is a file of a task')
  const disk = await onDisk()
  t.same(disk.kept, rows.map(({ id }) => id), 'each object has its row, and each row its object')
  t.equal(disk.incoming, 0, 'nothing is half there')
}

await t.test('a file comes back as it was, byte for byte, with its hash as the ETag and headers that make it safe', async (t) => {
  const task = await s.addTask(project.id)
  const answer = await upload(task.id, png, 'Riser photo.png')
  t.equal(answer.statusCode, 201)
  const attachment = answer.json()
  const sha256 = createHash('sha256').update(png).digest('hex')
  t.match(attachment, { task_id: task.id, name: 'Riser photo.png', content_type: 'image/png', size_bytes: png.length, sha256, uploaded_by: s.member.id, version: 1 })
  t.match(answer.headers, { location: `/api/attachments/${attachment.id}`, etag: '"1"' })
  t.same(await s.get(`/api/attachments/${attachment.id}`, { as: s.viewer }), attachment)

  const got = await content(attachment.id, { 'accept-encoding': 'br, gzip' })
  t.equal(got.statusCode, 200)
  t.ok(got.rawPayload.equals(png))
  t.match(got.headers, {
    etag: `"${sha256}"`,
    'content-type': 'image/png',
    'content-length': String(png.length),
    'content-encoding': undefined,
    'accept-ranges': 'bytes',
    'cache-control': 'private, no-cache',
    'content-disposition': 'attachment; filename="Riser photo.png"',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'"
  })
  const head = await s.ask('HEAD', `/api/attachments/${attachment.id}/content`)
  t.equal(head.statusCode, 200)
  t.match(head.headers, { etag: `"${sha256}"`, 'content-length': String(png.length) })
  t.equal(head.body, '')
})

await t.test('who has the file already gets 304, whatever range they ask for', async (t) => {
  const task = await s.addTask(project.id)
  const { id, sha256 } = (await upload(task.id, pdf, 'a.pdf')).json()
  for (const known of [`"${sha256}"`, `"x", W/"${sha256}"`, '*']) {
    const answer = await content(id, { 'if-none-match': known, range: 'bytes=0-1' })
    t.equal(answer.statusCode, 304)
    t.equal(answer.body, '')
    t.equal(answer.headers.etag, `"${sha256}"`)
  }
  t.equal((await content(id, { 'if-none-match': '"1"' })).statusCode, 200)
  t.equal((await s.ask('GET', `/api/attachments/${id}`, { headers: { 'if-none-match': '"1"' } })).statusCode, 304, 'what is known of it has the tag of its version')
})

await t.test('a range is answered with its bytes, of this file only', async (t) => {
  const task = await s.addTask(project.id)
  const { id, sha256 } = (await upload(task.id, pdf, 'a.pdf')).json()
  const size = pdf.length
  for (const [range, start, end] of [['bytes=0-0', 0, 0], ['bytes=9-18', 9, 18], ['bytes=1000-', 1000, size - 1], ['bytes=-5', size - 5, size - 1], [`bytes=5-${size * 9}`, 5, size - 1], [`bytes=-${size * 9}`, 0, size - 1]] as const) {
    const answer = await content(id, { range, 'if-range': `"${sha256}"` })
    t.equal(answer.statusCode, 206, range)
    t.match(answer.headers, { 'content-range': `bytes ${start}-${end}/${size}`, 'content-length': String(end - start + 1), etag: `"${sha256}"` })
    t.ok(answer.rawPayload.equals(pdf.subarray(start, end + 1)), range)
  }
  for (const range of [`bytes=${size}-`, `bytes=${size}-${size + 1}`, 'bytes=-0', 'bytes=99999999999999999999-']) {
    const answer = await content(id, { range })
    t.match(answer.json(), { status: 416, code: 'EDEN_RANGE_NOT_SATISFIABLE' }, range)
    t.equal(answer.headers['content-range'], `bytes */${size}`)
  }
  for (const headers of [{ range: 'bytes=0-1, 4-5' }, { range: 'lines=1-2' }, { range: 'bytes=' }, { range: 'bytes=a-b' }, { range: 'x' }, { range: 'bytes=5-2' }, { range: 'bytes=0-1', 'if-range': '"other"' },
    { range: 'bytes=0-1', 'if-range': `W/"${sha256}"` }, { range: 'bytes=0-1', 'if-range': new Date().toUTCString() }]) {
    const answer = await content(id, headers as never)
    t.ok(answer.statusCode === 200 && answer.rawPayload.equals(pdf), `${JSON.stringify(headers)} ${answer.statusCode}`)
  }
  const head = await s.ask('HEAD', `/api/attachments/${id}/content`, { headers: { range: 'bytes=0-1' } })
  t.equal(head.statusCode, 200, 'a HEAD has no ranges')
})

await t.test('names are safe to save under, on any system, and keep their letters', async (t) => {
  const task = await s.addTask(project.id)
  const cases: [given: string, kept: string | RegExp][] = [
    ['Plan – étage 2 (révisé).pdf', 'Plan – étage 2 (révisé).pdf'], ['e\u0301.pdf', 'é.pdf'], ['../../etc/passwd', 'passwd'], ['C:\\\\fakepath\\\\x.pdf', 'x.pdf'], ['invoice\u202efdp.exe', 'invoicefdp.exe'],
    ['a\tb\u0007.pdf', 'ab.pdf'], ['CON.pdf', '_CON.pdf'], ['lpt1', '_lpt1'], ['.htaccess', 'htaccess'], ['...', 'file'], ['', 'file'], ['trailing. . ', 'trailing'], ['a<b>:c|d?e*.pdf', 'a_b__c_d_e_.pdf'],
    ['👷‍♀️ 現場.jpg', '👷‍♀️ 現場.jpg'], [`${'é'.repeat(300)}.pdf`, /^é{125}\.pdf$/], ['🚧'.repeat(200), /^🚧{63}$/u], ['a\u2028b\u200bc.txt', 'abc.txt'], ['constructor', 'constructor'], ['%2e%2e%2fx', '%2e%2e%2fx']
  ]
  for (const [given, kept] of cases) {
    const answer = await upload(task.id, pdf, given)
    t.equal(answer.statusCode, 201, encodeURI(given))
    const attachment = answer.json()
    t.match(attachment.name, kept, encodeURI(given))
    t.ok(Buffer.byteLength(attachment.name) <= 255)
    const header = String((await content(attachment.id)).headers['content-disposition'])
    t.match(header, /^attachment; filename=("[\x20-\x7e]+"|[\w.%-]+)(; filename\*=UTF-8''[\w%!#$&+.^`|~-]+)?$/, 'ASCII, whatever the name')
    if (/[^\x20-\x7e]/.test(attachment.name)) t.equal(decodeURIComponent(/filename\*=UTF-8''(.*)$/.exec(header)?.[1] ?? ''), attachment.name)
  }
})

await t.test('the type is told from the bytes, and some types are refused, whatever they are called', async (t) => {
  const task = await s.addTask(project.id)
  const type = async (bytes: Buffer | string, name: string) => (await upload(task.id, bytes, name)).json().content_type
  t.equal(await type(pdf, 'photo.png'), 'application/pdf')
  t.equal(await type('<html><script>alert(1)</script>', 'x.html'), 'text/plain')
  t.equal(await type('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'x.svg'), 'text/plain')
  t.equal(await type(`${'é'.repeat(40_000)}`, 'long.txt'), 'text/plain', 'a letter may be cut in two where the look ends')
  t.equal(await type(Buffer.from([0, 1, 2, 3]), 'x.txt'), 'application/octet-stream')
  t.equal(await type(Buffer.from('caf\xe9', 'latin1'), 'x.txt'), 'application/octet-stream')
  const before = await onDisk()
  for (const bytes of [Buffer.concat([Buffer.from('MZ'), Buffer.alloc(100)]), Buffer.concat([Buffer.from('GIF89a'), Buffer.alloc(150_000)])]) {
    t.match((await upload(task.id, bytes, 'x.pdf')).json(), { status: 415, code: 'EDEN_FILE_TYPE_REFUSED' })
  }
  t.same(await onDisk(), before)
})

await t.test('a file just at the limit is taken, one byte more is not, and leaves nothing', async (t) => {
  const task = await s.addTask(project.id)
  t.equal((await upload(task.id, Buffer.alloc(200_000, 'a'), 'just.txt')).statusCode, 201)
  const before = await onDisk()
  for (const size of [200_001, 250_000, 2_000_000]) t.match((await upload(task.id, Buffer.alloc(size, 'a'), 'large.txt')).json(), { status: 413, code: 'EDEN_FILE_TOO_LARGE' }, `${size}`)
  t.match((await upload(task.id, '', 'empty.txt')).json(), { status: 400, code: 'EDEN_VALIDATION', errors: [{ path: 'file' }] })
  t.same(await onDisk(), before)
  t.equal((await s.get(`/api/tasks/${task.id}/attachments`)).length, 1)
})

await t.test('a body that is no form with one file is refused, and leaves nothing', async (t) => {
  const task = await s.addTask(project.id)
  const url = `/api/tasks/${task.id}/attachments`
  const good = formWith(pdf, 'a.pdf')
  const before = await onDisk()
  const text = good.body.toString()
  const two = text.replace('--the-boundary--', text)
  const field = '--the-boundary\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
  const cases: [what: string, body: string | Buffer, code: string][] = [
    ['cut off in the file', good.body.subarray(0, 500), 'EDEN_MALFORMED_BODY'],
    ['cut off in its head', good.body.subarray(0, 40), 'EDEN_MALFORMED_BODY'],
    ['without its last line', good.body.subarray(0, -20), 'EDEN_MALFORMED_BODY'],
    ['another boundary', text.replaceAll('the-boundary', 'another'), 'EDEN_MALFORMED_BODY'],
    ['two files', two, 'EDEN_VALIDATION'],
    ['a field before', field + text, 'EDEN_VALIDATION'],
    ['a field after', text.replace('--the-boundary--', field + '--the-boundary--'), 'EDEN_VALIDATION'],
    ['another part', formWith(pdf, 'a.pdf', 'picture').body, 'EDEN_VALIDATION'],
    ['a part without a name', formWith(pdf, 'a.pdf', '').body, 'EDEN_VALIDATION'],
    ['a prototype', formWith(pdf, 'a.pdf', '__proto__').body, 'EDEN_MALFORMED_BODY'],
    ['no parts', '--the-boundary--\r\n', 'EDEN_VALIDATION'],
    ['an empty body', '', 'EDEN_VALIDATION']
  ]
  for (const [what, body, code] of cases) {
    const answer = await s.ask('POST', url, { body, headers: good.headers })
    t.match(answer.json(), { status: 400, code }, `${what}: ${answer.body}`)
    t.notOk(answer.json().errors?.some(({ path }: { path: string }) => path === ''), what)
  }
  t.match((await s.ask('POST', url, { body: good.body, headers: { 'content-type': 'multipart/form-data' } })).json(), { status: 400, code: 'EDEN_MALFORMED_BODY' }, 'no boundary')
  t.match((await s.ask('POST', url, { body: { file: 'x' } })).json(), { status: 415, code: 'EDEN_UNSUPPORTED_MEDIA_TYPE' })
  t.same(await onDisk(), before)
  t.same(await s.get(url), [])
})

await t.test('each change is an event of the task, with what the file was', async (t) => {
  const task = await s.addTask(project.id)
  const { id, sha256 } = (await upload(task.id, pdf, 'a.pdf')).json()
  t.match(await s.ask('DELETE', `/api/attachments/${id}`, { headers: { 'if-match': '"2"' } }).then((answer) => answer.json()), { code: 'EDEN_STALE', current_version: 1 })
  t.match((await s.ask('DELETE', `/api/attachments/${id}`, { as: s.manager, headers: { 'if-match': '"1"' } })).json(), { deleted: true, id })
  const data = { content_type: 'application/pdf', size_bytes: pdf.length, sha256 }
  t.match((await s.get(`/api/tasks/${task.id}/activity?entity_type=attachment`)).reverse(), [
    { action: 'created', entity_id: id, actor: { id: s.member.id }, changes: { name: [null, 'a.pdf'] }, data },
    { action: 'deleted', entity_id: id, actor: { id: s.manager.id }, changes: { name: ['a.pdf', null] }, data }
  ])
  const after = await s.get(`/api/tasks/${task.id}`)
  t.equal(after.version, task.version, 'it is activity of the task, not a change of it')
  t.ok(after.last_activity_at > task.last_activity_at)
  for (const [method, url] of [['GET', ''], ['GET', '/content'], ['DELETE', '']] as const) t.equal((await s.ask(method, `/api/attachments/${id}${url}`)).statusCode, 404, `${method} ${url}`)
  t.same(await s.get(`/api/tasks/${task.id}/attachments`), [])
})

await t.test('a repetition with the same Idempotency-Key adds nothing, one with another file is refused', async (t) => {
  const task = await s.addTask(project.id)
  const headers = { 'idempotency-key': 'the-same-file' }
  const first = await upload(task.id, pdf, 'a.pdf', { headers })
  const again = await upload(task.id, pdf, 'a.pdf', { headers })
  t.same([again.statusCode, again.json()], [201, first.json()])
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.match((await upload(task.id, png, 'a.pdf', { headers })).json(), { status: 422, code: 'EDEN_IDEMPOTENCY_MISMATCH' })
  t.match((await upload(task.id, pdf, 'b.pdf', { headers })).json(), { status: 422, code: 'EDEN_IDEMPOTENCY_MISMATCH' })
  const many = await Promise.all(Array.from({ length: 12 }, () => upload(task.id, png, 'many.png', { headers: { 'idempotency-key': 'many-at-once' } })))
  t.same([...new Set(many.map(({ statusCode }) => statusCode))].filter((status) => status !== 201 && status !== 409), [])
  t.equal((await s.get(`/api/tasks/${task.id}/attachments`)).length, 2)
  t.ok((await content(first.json().id)).rawPayload.equals(pdf))
})

await t.test('pages join, the oldest first', async (t) => {
  const task = await s.addTask(project.id)
  const ids: string[] = []
  for (let n = 0; n < 7; n++) ids.push((await upload(task.id, `file ${n}`, `${n}.txt`)).json().id)
  const seen: string[] = []
  for (let url: string | undefined = `/api/tasks/${task.id}/attachments?limit=3&count=true`; url !== undefined;) {
    const answer = await s.ask('GET', url)
    t.equal(answer.headers['x-total-count'], '7')
    seen.push(...answer.json().map(({ id }: { id: string }) => id))
    url = nextPage(answer)
  }
  t.same(seen, ids)
  t.same((await s.get(`/api/tasks/${task.id}/attachments?sort=-created_at&limit=2`)).map(({ id }: { id: string }) => id), ids.slice(-2).reverse())
})

await t.test('what one does not see is not there, a deleted task hides its files, and who may only read may not write', async (t) => {
  const secret = await s.addProject({ visibility: 'members' })
  const hidden = await s.addTask(secret.id)
  const deleted = await s.addTask(project.id)
  const ids = []
  for (const { id } of [hidden, deleted]) ids.push((await upload(id, pdf, 'a.pdf', { as: s.admin })).json().id)
  await s.ask('DELETE', `/api/tasks/${deleted.id}`)
  for (const [i, taskId] of [hidden.id, deleted.id].entries()) {
    const as = i === 0 ? s.member : s.admin
    for (const [method, url] of [['GET', `/api/attachments/${ids[i]}`], ['GET', `/api/attachments/${ids[i]}/content`], ['DELETE', `/api/attachments/${ids[i]}`], ['GET', `/api/tasks/${taskId}/attachments`]] as const) {
      t.equal((await s.ask(method, url, { as })).statusCode, 404, `${method} ${url}`)
    }
    t.equal((await upload(taskId, pdf, 'a.pdf', { as })).statusCode, 404)
  }
  await s.post(`/api/tasks/${deleted.id}/restore`)
  t.ok((await content(ids[1])).rawPayload.equals(pdf), 'and a restored one shows them again')
  const task = await s.addTask(project.id)
  t.match((await upload(task.id, pdf, 'a.pdf', { as: s.viewer })).json(), { code: 'EDEN_FORBIDDEN' })
  t.match((await s.ask('DELETE', `/api/attachments/${ids[1]}`, { as: s.viewer })).json(), { code: 'EDEN_FORBIDDEN' })
})

await t.test('many who upload and delete at once neither lose nor leave a file', async (t) => {
  const task = await s.addTask(project.id)
  const uploaded = (await Promise.all(Array.from({ length: 24 }, (_, n) => upload(task.id, `file ${n}`, `${n}.txt`)))).map((answer) => answer.json())
  t.equal(uploaded.filter(({ id }) => id !== undefined).length, 24)
  const deletions = await Promise.all(uploaded.slice(0, 6).flatMap(({ id }) => Array.from({ length: 4 }, () => s.ask('DELETE', `/api/attachments/${id}`))))
  t.equal(deletions.filter(({ statusCode }) => statusCode === 200).length, 6, 'each is deleted once')
  t.equal(deletions.filter(({ statusCode }) => statusCode === 404).length, 18)
  t.equal((await s.get(`/api/tasks/${task.id}/attachments`)).length, 18)
  t.equal((await s.get(`/api/tasks/${task.id}/activity?entity_type=attachment&limit=200`)).length, 30, 'one event for each change')
  for (const [n, { id }] of uploaded.slice(6).entries()) t.equal((await content(id)).body, `file ${n + 6}`)
})

await t.test('after all of this, bytes are there for just the rows that say so', async () => {
  await consistent()
  t.ok(keyOf('019ac000-0000-7000-8000-0000000000ab').endsWith('ab/019ac000-0000-7000-8000-0000000000ab'))
})
