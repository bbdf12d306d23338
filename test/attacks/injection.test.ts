/** What a client sends stays what it is: never another line of the log, another header, another cell, or another place to go. */
import { connect, type AddressInfo } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { oneBatch, sendCsv } from '../../modules/shared/csv.js'
import { eventually, startApp } from '../helper.js'
import { takeRawLog } from '../logs.js'

const s = await startApp(t, { environment: { LOG_LEVEL: 'trace', DB_SLOW_QUERY_MS: '1', CORS_ORIGINS: 'https://app.example.com', TRUST_PROXY: 'loopback', RATE_LIMIT_IDENTITY: '1000000', METRICS_TOKEN: 'a token of sixteen and more' } })
const written = takeRawLog(s.app)
await s.app.listen({ host: '127.0.0.1', port: 0 })
const { port } = s.app.server.address() as AddressInfo
const project = await s.addProject({ name: 'A project' })
const task = await s.addTask(project.id)
await s.addTask(project.id)
const me = `X-Dev-Email: ${s.admin.email}`

/** What would be a line, a colour, an end or a header of its own, if it came out as it went in. */
const hostile = {
  'CR and LF': '\r\nX-Evil: 1\r\n{"level":60,"msg":"forged"}',
  LF: '\n{"level":60,"msg":"forged"}',
  CR: '\rforged',
  ANSI: '\u001b[2J\u001b[31mforged\u001b]0;forged\u0007',
  'an eight-bit CSI': '\u009b31mforged',
  NUL: 'for\0ged',
  DEL: '\u007fforged',
  'a line separator': '\u2028forged\u2029\u0085forged',
  // Whose low bytes are CR and LF, for who cuts characters to bytes.
  'characters that end like CR and LF': '\u560d\u560aX-Evil: 1\u010d\u010aforged',
  quotes: '","level":60,"msg":"forged',
  'a broken surrogate': '\ud800forged'
}
/** What a URL may hold: half a character is none. */
const whole = (text: string) => Buffer.from(text).toString()
const inJson = (text: string) => JSON.stringify(text).slice(1, -1)

interface Answer { head: string, body: string, status: number, names: string[] }
/** Sends bytes as they are on a connection of their own. @returns what came back, byte by byte; nothing when the server only closed */
async function raw (bytes: string | Buffer): Promise<Answer> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => { chunks.push(chunk) })
  socket.on('error', () => {})
  socket.write(bytes)
  await new Promise((resolve) => socket.on('close', resolve)) // also after a reset: the server need not read all of what it refuses
  const text = Buffer.concat(chunks).toString('latin1')
  const [head = '', body = ''] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)]
  return { head, body, status: Number(head.split(' ')[1]), names: head.split('\r\n').slice(1).map((line) => line.split(':', 1)[0]?.toLowerCase() as string) }
}
const request = (line: string, headers: string[] = [], body: string | Buffer = '') => Buffer.concat([
  Buffer.from([`${line} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, ...(body.length > 0 ? [`Content-Length: ${Buffer.byteLength(body)}`] : [])].join('\r\n') + '\r\n\r\n'),
  Buffer.from(body)
])

/** All that any answer here may have for a header. */
const expected = new Set(`accept-ranges access-control-allow-credentials access-control-allow-headers access-control-allow-methods access-control-allow-origin access-control-expose-headers access-control-max-age
  cache-control connection content-disposition content-encoding content-length content-security-policy content-type cross-origin-opener-policy cross-origin-resource-policy date etag idempotency-replayed keep-alive link location
  origin-agent-cluster ratelimit ratelimit-policy referrer-policy retry-after transfer-encoding vary www-authenticate x-content-type-options x-dns-prefetch-control x-download-options x-frame-options
  x-permitted-cross-domain-policies x-request-id x-total-count x-xss-protection`.trim().split(/\s+/))
/** What is wrong with the head of an answer: a header that none has, one that is there twice, or bytes that are no plain text. */
function wrongIn ({ head, names }: Answer): string[] {
  return [...names.filter((name, i) => !expected.has(name) || names.indexOf(name) !== i), ...(/^(?:[ -~]|\r\n)*$/.test(head) ? [] : [`bytes: ${JSON.stringify(head)}`])]
}

await t.test('no header comes out that is not ours, whatever the bytes of a request', async (t) => {
  t.same(wrongIn({ head: 'HTTP/1.1 200 OK\r\nX-Evil: \u001b', body: '', status: 200, names: ['x-evil'] }).length, 2, 'this test can fail')
  const statuses = new Set<number>()
  for (const [name, text] of Object.entries(hostile)) {
    const bytes = Buffer.from(text).toString('latin1') // each byte of its UTF-8 as it is
    const escaped = encodeURIComponent(whole(text))
    const requests = [
      ...[text, bytes, escaped, inJson(text)].flatMap((form) => [
        request(`GET /api/tasks?limit=1&q=task%20or%20${form}`, [me]),
        request(`GET /api/projects/${form}`, [me]),
        request(`GET /${form}`, [me]),
        request(`GET http://evil.example${form}/api/tasks?limit=1`, [me]),
        ...['X-Request-Id', 'User-Agent', 'Authorization', 'Origin', 'If-None-Match', 'Last-Event-ID', 'Range', 'Accept', 'Accept-Encoding', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'Cookie', 'X-Dev-Email']
          .map((header) => request('GET /api/tasks?limit=1', [...(header === 'X-Dev-Email' ? [] : [me]), `${header}: a${form}`])),
        request('OPTIONS /api/tasks', ['Origin: https://app.example.com', 'Access-Control-Request-Method: GET', `Access-Control-Request-Headers: x-a${form}`]),
        request('POST /api/projects', [me, 'Content-Type: application/json', `Idempotency-Key: k${form}`], '{}'),
        request('POST /api/projects', [me, `Content-Type: application/json; charset=${form}`], '{}'),
        request('GET /metrics', [`Authorization: Bearer ${form}`])
      ]),
      request('POST /api/auth/login', ['Content-Type: application/json', `User-Agent: ${escaped}`], `{"email":"a${inJson(text)}@example.com","password":"x${inJson(text)}"}`),
      request('POST /api/auth/login', ['Content-Type: application/json', 'X-Forwarded-For: 203.0.113.7'], '{"email":"nobody@example.com","password":"wrong"}'),
      request('POST /api/projects', [me, 'Content-Type: application/json'], `{"code":"X","name":"x${inJson(text)}","x${inJson(text)}":1}`)
    ]
    for (const one of requests) {
      const answer = await raw(one)
      statuses.add(answer.status)
      if (answer.head !== '') t.same(wrongIn(answer), [], `${name}: ${JSON.stringify(one.toString('latin1'))}`)
      if (answer.status >= 500) t.fail(`${name}: ${JSON.stringify(one.toString('latin1'))} is answered ${answer.status}`)
    }
  }
  for (const status of [200, 400, 401, 404]) t.ok(statuses.has(status), `there were answers with ${status}`)
})

await t.test('a page of tasks links to the next one by a path of here, however it was asked for', async (t) => {
  const LINK = /^link: <\/api\/tasks\?[\w.~!$'()*+,;=:@/?%&-]*cursor=[\w-]+>; rel="next"$/im
  for (const url of [
    '/api/tasks?limit=1', '/api/tasks?limit=1&q=task%20or%20%3E%3B%20rel%3D%22prev%22%2C%3Chttps%3A%2F%2Fevil.example%3E', '/api/tasks?limit=1&q=task%20or%20x>;rel="prev",<https://evil.example>',
    '/api/tasks?limit=1&q=task%20or%20%E5%98%8D%E5%98%8AX-Evil', 'http://evil.example/api/tasks?limit=1', 'https://evil.example:1/api/tasks?limit=1', 'http://evil.example//evil.example/api/tasks?limit=1', '//evil.example/api/tasks?limit=1', '/\\evil.example/api/tasks?limit=1'
  ]) {
    const { head, status } = await raw(request(`GET ${url}`, [me, 'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https', 'Forwarded: host=evil.example']))
    if (status === 200) t.match(head, LINK, url)
    else t.ok(status === 404 || status === 400, `${status} ${url}`)
    t.notMatch(head, /<(https?:)?\/\/|evil\.example[:/]/i, url)
  }
})

await t.test('the name of a file becomes one header when it is downloaded', async (t) => {
  const names = Object.values(hostile).flatMap((text) => [`filename="a${text}.txt"`, `filename="a${inJson(text)}.txt"`, `filename*=UTF-8''a${encodeURIComponent(whole(text))}.txt`])
  let taken = 0
  for (const name of [...names, 'filename="a\\"; filename=evil.html"', 'filename="a.txt"; filename*=UTF-8\'\'evil%0d%0aX-Evil%3a1.txt', 'filename="%0d%0aX-Evil: 1.txt"', 'filename="../../etc/passwd"', `filename="é${'x'.repeat(300)}\u202egpj.exe"`]) {
    const told = encodeURI(whole(name)) // as it is, it would be a line of the test's own output
    const form = Buffer.from(`--b\r\nContent-Disposition: form-data; name="file"; ${name}\r\nContent-Type: text/html\r\n\r\nSome text\r\n--b--\r\n`)
    const uploaded = await raw(request(`POST /api/tasks/${task.id}/attachments`, [me, 'Content-Type: multipart/form-data; boundary=b'], form))
    t.same(wrongIn(uploaded), [], told)
    t.ok([201, 400].includes(uploaded.status), `${uploaded.status} ${told}`)
    if (uploaded.status !== 201) continue
    taken++
    t.match(uploaded.head, /^location: \/api\/attachments\/[0-9a-f-]{36}$/im, told)
    const attachment = JSON.parse(Buffer.from(uploaded.body, 'latin1').toString())
    t.notMatch(attachment.name, /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}/\\"]/u, told)
    const content = await raw(request(`GET /api/attachments/${attachment.id}/content`, [me]))
    t.same([content.status, wrongIn(content), content.body], [200, [], 'Some text'], told)
    t.match(content.head, /^content-disposition: attachment; filename=("[^"\\]*"|[\w.-]+)(; filename\*=UTF-8''[\w.!#$&+^`|~%-]+)?$/im, told)
  }
  t.ok(taken > 10)
})

await t.test('no route sends anybody to where somebody else wants', async (t) => {
  const paths = Object.keys(s.app.swagger().paths ?? {}).map((path) => path.replaceAll(/\{\w+\}/g, task.id))
  const seen = new Map<number, number>()
  for (const path of [...new Set([...paths, '/', '/docs', '/docs/', '/docs/static', '/docs/static/', '/docs/json', '/docs/yaml', '/api', '/api/'])]) {
    if (path.endsWith('/stream')) continue // it never ends
    for (const url of [path, `${path}/`, `${path}/..//evil.example/%2e%2e`, `//evil.example${path}`, `//evil.example/..${path}`, `/\\evil.example${path}`, `/%2f%2fevil.example${path}`, `http://evil.example${path}`, `${path}//evil.example`, `${path}?next=https://evil.example&redirect=//evil.example&url=https://evil.example`]) {
      const answer = await s.app.inject({ url, headers: { 'x-dev-email': s.admin.email, host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-original-url': '//evil.example', referer: 'https://evil.example' } })
      seen.set(answer.statusCode, (seen.get(answer.statusCode) ?? 0) + 1)
      const { location } = answer.headers
      if (location !== undefined) t.ok(/^(\.\/|\/(?![/\\]))/.test(String(location)) && !/evil/.test(String(location)), `${url} leads to ${String(location)}`)
      else t.ok(answer.statusCode < 300 || answer.statusCode >= 400, url)
    }
  }
  t.ok((seen.get(200) ?? 0) > 50)
})

await t.test('a text is no formula in any file that a spreadsheet opens', async (t) => {
  const formula = /(^|,|\r\n)"?([=+@\t\uff1d\uff0b\uff0d\uff20]|\r(?!\n)|-\D)/
  const begins = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']
  const app = Fastify()
  app.get('/', (_request, reply) => sendCsv(reply, { name: 'x', columns: ['a', 'b'], batches: oneBatch(begins.map((begin) => ({ a: `${begin}cmd|' /C calc'!A0`, b: `${begin}"x",${begin}1\r\n${begin}2` }))) }))
  const { body } = await app.inject('/')
  for (const begin of begins) t.ok(body.includes(`'${begin}cmd`) && body.includes(`"'${begin}""x""`), JSON.stringify(begin))
  t.match('a,"=1', formula, 'this test can fail')

  const person = await s.addPerson('member', { email: '=cmd@example.com', name: '@cmd' })
  const company = await s.post('/api/companies', { name: '+cmd', kind: 'sub' })
  const { id } = await s.addProject({ name: '-cmd' })
  const fields = { assignee_id: person.id, department: 'Service', due_at: '2026-01-01T00:00:00Z' }
  await s.addTask(id, { title: '=cmd', ...fields, ball_in_court: person.id })
  await s.post(`/api/tasks/${(await s.addTask(id, { title: '=cmd', ...fields })).id}/ball`, { to_company_id: company.id })
  await s.app.events.settled()
  const reports = Object.entries<any>(s.app.swagger().paths ?? {}).filter(([, { get }]) => get?.responses[200]?.content?.['text/csv'] !== undefined)
  t.ok(reports.length >= 10)
  const found: string[] = []
  for (const [path] of reports) {
    const answer = await s.ask('GET', `${path}?format=csv`)
    t.equal(answer.statusCode, 200, path)
    t.notMatch(answer.body, formula, path)
    found.push(...['=', '+', '-', '@'].filter((begin) => answer.body.includes(`'${begin}cmd`)))
  }
  t.same([...new Set(found)].sort(), ['+', '-', '=', '@'], 'each was in some report, made harmless')
})

await t.test('all that was written to the log meanwhile is one JSON object a line, and nothing else', async (t) => {
  await eventually(() => written.some((line) => line.includes('"slow statement"')))
  t.ok(written.length > 500)
  for (const line of written) {
    // Also what JSON lets stand, and a terminal or a reader of lines may not.
    // eslint-disable-next-line no-control-regex
    if (/[\0-\u001f\u007f-\u009f\u2028\u2029]/.test(line.slice(0, -1)) || !line.endsWith('\n')) t.fail(JSON.stringify(line))
    if (JSON.parse(line).msg === 'forged' || /X-Evil/.test(line)) t.fail(line)
  }
  await s.app.auditTrail.written()
  t.equal((await s.app.inject({ url: '/metrics', headers: { authorization: 'Bearer a token of sixteen and more' } })).body.match(/^eden_audit_lost_total (\d+)$/m)?.[1], '0', 'and all of it could be put on record')
})
