/** What is too long, too deep, too slow or too much, over real connections where it is about these. */
import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { MAX_JSON_DEPTH, MAX_URL_LENGTH } from '../../plugins/limits.js'
import { eventually, formWith, startApp, type TestApp } from '../helper.js'
import { takeLog } from '../logs.js'

const s = await startApp(t, { environment: { LOG_LEVEL: 'warn', HEADERS_TIMEOUT_MS: '500', BODY_TIMEOUT_MS: '500', KEEP_ALIVE_TIMEOUT_MS: '500', ANSWER_SILENCE_MS: '1000', MAX_CONNECTIONS: '50' } })
const lines = takeLog(s.app)
await s.app.listen({ host: '127.0.0.1', port: 0 })
const { port } = s.app.server.address() as AddressInfo

/** A connection, and what came over it. */
async function open (t: Test): Promise<{ socket: Socket, text: () => string, closed: Promise<unknown> }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  let text = ''
  socket.on('data', (chunk) => { text += chunk })
  socket.on('error', () => {}) // being cut off is what they are here for
  socket.on('end', () => socket.end())
  const closed = new Promise((resolve) => socket.once('close', resolve))
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return { socket, text: () => text, closed }
}
const problemOf = (text: string) => JSON.parse(text.split('\r\n\r\n')[1] ?? '')
const connections = () => new Promise<number>((resolve) => { s.app.server.getConnections((_error, count) => resolve(count)) })

await t.test('a URL is as long as it may be, and not one character longer, wherever it leads', async (t) => {
  const long = (start: string, length: number) => start + 'x'.repeat(length - start.length)
  t.match((await s.ask('GET', long('/api/tasks?q=', MAX_URL_LENGTH))).json(), { status: 400, code: 'EDEN_VALIDATION' })
  for (const start of ['/api/tasks?q=', '/health?x=', '/nothing?x=', '/docs?x=']) {
    const answer = await s.ask('GET', long(start, MAX_URL_LENGTH + 1), { as: null })
    t.match(answer.json(), { status: 414, code: 'EDEN_URL_TOO_LONG', title: 'URI Too Long' }, start)
    t.ok(answer.headers['x-request-id'])
  }
  t.match((await s.ask('GET', `/api/tasks/${'x'.repeat(1001)}`)).json(), { status: 414, code: 'EDEN_URL_TOO_LONG' })
})

await t.test('headers of more than 16 KB are a 431', async (t) => {
  const { socket, text, closed } = await open(t)
  socket.write(`GET /health HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(17_000)}\r\n\r\n`)
  await closed
  t.match(problemOf(text()), { status: 431, code: 'EDEN_HEADERS_TOO_LARGE' })
})

await t.test('JSON is as deep as it may be; brackets in texts do not count', async (t) => {
  const post = (payload: string) => s.app.inject({ method: 'POST', url: '/api/companies', headers: { 'x-dev-email': s.admin.email, 'content-type': 'application/json' }, payload })
  const nest = (depth: number) => '{"a":['.repeat(depth / 2) + ']}'.repeat(depth / 2)
  t.match((await post(nest(MAX_JSON_DEPTH))).json(), { code: 'EDEN_VALIDATION' })
  t.match((await post(nest(MAX_JSON_DEPTH + 2))).json(), { status: 400, code: 'EDEN_JSON_TOO_DEEP' })
  t.match((await post(`{"name":"\\"${'[{'.repeat(40)}\\\\","kind":"vendor"}`)).json(), { name: `"${'[{'.repeat(40)}\\` })
  t.equal((await post(JSON.stringify({ name: 'Wide', kind: 'vendor', surprise: Array.from({ length: 1000 }, () => ({})) }))).json().code, 'EDEN_VALIDATION', 'beside each other is not within each other')
})

await t.test('a prototype in a body or a query never gets through', async (t) => {
  for (const payload of ['{"name":"x","kind":"vendor","__proto__":{"is_admin":true}}', '{"name":"x","kind":"vendor","\\u005f_proto__":{"a":1}}', '{"name":"x","kind":"vendor","constructor":{"prototype":{"a":1}}}']) {
    const answer = await s.app.inject({ method: 'POST', url: '/api/companies', headers: { 'x-dev-email': s.admin.email, 'content-type': 'application/json' }, payload })
    t.match(answer.json(), { status: 400, code: 'EDEN_MALFORMED_BODY' })
  }
  t.match((await s.ask('GET', '/api/tasks?__proto__[x]=1&__proto__=1')).json(), { status: 400, code: 'EDEN_VALIDATION' })
  t.notOk('is_admin' in {} || 'a' in {} || 'x' in {})
})

await t.test('every list and every text that a body may hold has an end', async (t) => {
  const document = s.app.swagger() as any
  const endless: string[] = []
  const walk = (schema: any, at: string): void => {
    if (schema.$ref !== undefined) return walk(document.components.schemas[schema.$ref.split('/').at(-1)], at)
    for (const one of [...schema.anyOf ?? [], ...schema.oneOf ?? [], ...schema.allOf ?? []]) walk(one, at)
    if (schema.type === 'array') {
      if (schema.maxItems === undefined) endless.push(`${at}[]`)
      walk(schema.items, `${at}[]`)
    }
    if (schema.type === 'string' && schema.maxLength === undefined && schema.enum === undefined && schema.const === undefined && schema.format === undefined && schema.pattern === undefined) endless.push(at)
    for (const [name, property] of Object.entries(schema.properties ?? {})) walk(property, `${at}.${name}`)
  }
  for (const [path, methods] of Object.entries<any>(document.paths)) {
    for (const [method, { requestBody }] of Object.entries<any>(methods)) {
      const schema = requestBody?.content['application/json']?.schema
      if (schema !== undefined) walk(schema, `${method} ${path} `)
    }
  }
  t.same(endless, [])
})

await t.test('who sends headers slowly, or none at all, is cut off, however steadily the bytes come', async (t) => {
  const silent = await open(t)
  const slow = await open(t)
  slow.socket.write('GET /health HTTP/1.1\r\nHost: x\r\n')
  const drip = setInterval(() => slow.socket.write('X-A: b\r\n'), 50)
  await Promise.all([silent.closed, slow.closed])
  clearInterval(drip)
  t.match(problemOf(slow.text()), { status: 408, code: 'EDEN_REQUEST_TIMEOUT' })
})

await t.test('who sends a body slowly is cut off too', async (t) => {
  const { socket, text, closed } = await open(t)
  socket.write(`POST /api/companies HTTP/1.1\r\nHost: x\r\nX-Dev-Email: ${s.admin.email}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{`)
  const drip = setInterval(() => socket.write(' '), 50)
  await closed
  clearInterval(drip)
  t.match(problemOf(text()), { status: 408, code: 'EDEN_REQUEST_TIMEOUT' })
})

await t.test('a request that breaks off in the middle is a 400 or nothing, and its connection ends', async (t) => {
  for (const part of ['GET /health HT', 'GET /health HTTP/1.1\r\nHost: x\r\nX-A', 'POST /api/companies HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{']) {
    const { socket, text, closed } = await open(t)
    socket.end(part) // a FIN: this side can still be written to
    await closed
    t.match(text(), /^(HTTP\/1\.1 4\d\d |$)/)
  }
})

await t.test('many connections that stand idle keep nobody out for long, and none stays', async (t) => {
  const idle = await Promise.all(Array.from({ length: 120 }, () => open(t)))
  await eventually(async () => idle.filter(({ socket }) => socket.destroyed).length >= 70) // beyond MAX_CONNECTIONS: at once
  t.ok(await connections() <= 50)
  await Promise.all(idle.map(({ closed }) => closed))
  await eventually(async () => await connections() === 0)
  const { socket, text, closed } = await open(t)
  socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
  await eventually(() => text().includes('{"status":"ok"}'))
  await closed // kept alive, and then no longer than KEEP_ALIVE_TIMEOUT_MS, and the second that Node adds
  t.match(text(), /^HTTP\/1\.1 200 OK\r\n/)
})

await t.test('who takes nothing of an answer is cut off; who takes it slowly gets it whole', async (t) => {
  const SIZE = 16_000_000 // more than the system takes over for a client that does not read
  const task = await s.addTask((await s.addProject()).id)
  const { id } = (await s.ask('POST', `/api/tasks/${task.id}/attachments`, formWith(Buffer.alloc(SIZE, 'x'), 'long.txt'))).json()
  const request = `GET /api/attachments/${id}/content HTTP/1.1\r\nHost: x\r\nX-Dev-Email: ${s.admin.email}\r\nConnection: close\r\n\r\n`

  const { socket: idle } = await open(t)
  idle.pause()
  idle.write(request)
  await eventually(async () => await connections() === 0)

  const { socket: slow, closed } = await open(t)
  let taken = 0
  slow.on('data', (chunk: Buffer) => {
    taken += chunk.length
    slow.pause()
  })
  const sips = setInterval(() => slow.resume(), 10)
  const since = performance.now()
  slow.write(request)
  await closed
  clearInterval(sips)
  t.ok(taken > SIZE, `${taken} bytes`)
  t.ok(performance.now() - since > 1000, 'longer than it may stand still')
})

await t.test('none of it was a failure of the service', async (t) => {
  t.same(lines.filter(({ level }) => level >= 50), [])
  t.equal((await s.ask('GET', '/api/me')).statusCode, 200)
})

await t.test('where a request comes from is the address of its connection, unless trusted proxies stand there', async (t) => {
  const trusting = await startApp(t, { environment: { LOG_LEVEL: 'warn', TRUST_PROXY: '10.0.0.0/8,127.0.0.1' } })
  const logs = new Map([[s.app, lines], [trusting.app, takeLog(trusting.app)]])
  const ipOf = async ({ app }: TestApp, headers: Record<string, string>, remoteAddress: string) => {
    const answer = await app.inject({ url: '/api/me', headers, remoteAddress })
    return logs.get(app)?.find(({ security, request_id: id }) => security === 'sign_in_refused' && id === answer.headers['x-request-id'])?.['ip']
  }
  const spoofed = { 'x-forwarded-for': '1.2.3.4', 'x-real-ip': '1.2.3.4', forwarded: 'for=1.2.3.4', 'true-client-ip': '1.2.3.4', 'x-client-ip': '1.2.3.4' }
  t.equal(await ipOf(s, spoofed, '203.0.113.9'), '203.0.113.9', 'no proxy: nothing is believed')
  t.equal(await ipOf(s, spoofed, '127.0.0.1'), '127.0.0.1', 'nor when it comes from here')
  t.equal(await ipOf(trusting, { 'x-forwarded-for': '198.51.100.7' }, '10.0.0.5'), '198.51.100.7')
  t.equal(await ipOf(trusting, { 'x-forwarded-for': '1.2.3.4, 198.51.100.7' }, '10.0.0.5'), '198.51.100.7', 'what the client wrote in front is not looked at')
  t.equal(await ipOf(trusting, { 'x-forwarded-for': '1.2.3.4, 198.51.100.7, 10.9.9.9, 127.0.0.1' }, '10.0.0.5'), '198.51.100.7', 'a chain of proxies is followed to its end')
  t.equal(await ipOf(trusting, { 'x-forwarded-for': '127.0.0.1, 10.0.0.1, 198.51.100.7' }, '::ffff:10.0.0.5'), '198.51.100.7', 'nor does it help to name proxies')
  t.equal(await ipOf(trusting, spoofed, '203.0.113.9'), '203.0.113.9', 'who comes past the proxy is believed nothing')
})
