/** What the service asks of addresses that somebody gave it: never anything behind its own walls. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { makeCertificate, withCertificates } from '../certificates.js'
import { isPublic } from '../../plugins/outgoing/addresses.js'
import { checkOutgoingUrl, fetchOutside, OutgoingFailed, OutgoingRefused, type OutgoingRules } from '../../plugins/outgoing/index.js'

const asked: { url: string, host: string, headers: IncomingMessage['headers'], body: string }[] = []
const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/ok': (_, response) => response.end('fine'),
  '/large': (_, response) => { response.write('x'.repeat(2000)); response.end('x'.repeat(2000)) },
  '/endless': (_, response) => { const more = setInterval(() => response.write('x'.repeat(100_000)), 1); response.on('close', () => clearInterval(more)) },
  '/silent': () => {},
  '/drip': (_, response) => { const more = setInterval(() => response.write('x'), 20); response.on('close', () => clearInterval(more)) },
  '/broken': (_, response) => { response.writeHead(200, { 'content-length': '100' }); response.write('x'); setTimeout(() => response.destroy(), 20) }
}
const server = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x')
  asked.push({ url: String(request.url), host: String(request.headers.host), headers: request.headers, body })
  if (pathname === '/to') response.writeHead(Number(searchParams.get('status') ?? 302), { location: String(searchParams.get('url')) }).end()
  else answers[pathname]?.(request, response)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
t.teardown(() => { server.closeAllConnections(); server.close() })
const { port } = server.address() as AddressInfo

/** The internet of the test: `good.example.com` is this server, and whatever is called `inside` leads inside. */
let lookups: string[] = []
const names: Record<string, string[]> = { 'good.example.com': ['127.0.0.1'], 'other.example.com': ['127.0.0.1'], 'inside.example.com': ['10.0.0.1'], 'mixed.example.com': ['127.0.0.1', '10.0.0.1'], 'meta.example.com': ['169.254.169.254'], 'nowhere.example.com': [] }
const rules: OutgoingRules = {
  httpsOnly: false,
  lookup: async (host) => { lookups.push(host); return names[host] ?? Promise.reject(new Error('ENOTFOUND')) },
  mayConnect: (address) => address === '127.0.0.1' || isPublic(address)
}
const get = (path: string, request = {}, others = {}) => fetchOutside(path.startsWith('http') ? path : `http://good.example.com:${port}${path}`, request, { ...rules, ...others })
t.beforeEach(() => { lookups = []; asked.length = 0 })

const inside = [
  '127.0.0.1', '127.8.8.8', '0.0.0.0', '0.1.2.3', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1', '100.127.255.255', '192.0.0.1', '192.0.2.1', '198.51.100.1', '203.0.113.1',
  '198.18.0.1', '198.19.255.255', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '192.88.99.1',
  '::', '::1', '::127.0.0.1', '::a00:1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::ffff:0:10.0.0.1', '64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b:1::1', '2002:7f00:1::', '2002:a00:1::1', '2001::1', '2001:0:5ef5:79fd::1', '2001:20::1', '2001:db8::1', '3fff::1',
  'fe80::1', 'febf::1', 'fec0::1', 'fc00::1', 'fdff::1', 'ff02::1', '100::1', '5f00::1', 'localhost', '', '1', '127.1', '0x7f000001', '2130706433', '8.8.8.8.', ' 8.8.8.8'
]
await t.test('addresses that are set aside are not of the public internet; others are', async (t) => {
  for (const address of inside) t.equal(isPublic(address), false, address)
  for (const address of ['8.8.8.8', '1.1.1.1', '99.255.255.255', '100.128.0.1', '172.32.0.1', '192.167.1.1', '198.20.0.1', '223.255.255.255', '2606:4700::1111', '2a00:1450:4001::1']) t.equal(isPublic(address), true, address)
})

await t.test('a URL that leads inside is refused however it is written, before anything is looked up', async (t) => {
  const written = [
    'http://127.0.0.1/', 'http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://127.1/', 'http://0/', 'http://0x7f000001/', 'http://017700000001/', 'http://127.0.0.1./', 'http://127.000.000.001/',
    'http://[::1]/', 'http://[::ffff:127.0.0.1]/', 'http://[::ffff:7f00:1]/', 'http://[0:0:0:0:0:0:0:1]/', 'http://[fe80::1]/', 'http://[64:ff9b::a00:1]/', 'http://[::127.0.0.1]/',
    'http://localhost/', 'http://localhost./', 'http://LOCALHOST/', 'http://a.localhost/', 'http://printer.local/', 'http://db.internal/', 'http://eden-erp/', 'http://metadata.google.internal/',
    'http://１２７.０.０.１/', 'http://127。0。0。1/', 'http://①②⑦.⓪.⓪.①/', 'http://ⓛocalhost/', 'http://%31%32%37.0.0.1/', 'http://127.0.0.1%2f@good.example.com/', 'http://good.example.com@127.0.0.1/', 'http://169.254.169.254/latest/meta-data', 'http://10.0.0.1:8080/', 'http:127.0.0.1', 'http:\\\\127.0.0.1\\', 'http://127.0.0.1\t/'
  ]
  for (const url of written) await t.rejects(fetchOutside(url, {}, { httpsOnly: false, lookup: rules.lookup }), OutgoingRefused, url)
  t.same(lookups, [])
})

await t.test('only http and https, without a user, and without the ports of other services; in production only https', async (t) => {
  for (const url of ['ftp://good.example.com/', 'file:///etc/passwd', 'gopher://good.example.com/', 'data:text/plain,x', 'javascript:alert(1)', 'http://user:secret@good.example.com/', 'http://user@good.example.com/', 'http://good.example.com:22/', 'http://good.example.com:25/', 'nothing', '', '//good.example.com/', 'http://']) {
    t.throws(() => checkOutgoingUrl(url, rules), OutgoingRefused, url)
  }
  t.throws(() => checkOutgoingUrl('http://good.example.com/', { httpsOnly: true }), { message: 'the URL must begin with https://' })
  t.equal(checkOutgoingUrl('https://good.example.com/hook?x=1', { httpsOnly: true }).href, 'https://good.example.com/hook?x=1')
})

await t.test('a name that leads inside is refused, also when it does so only with one of its addresses', async (t) => {
  for (const name of ['inside', 'mixed', 'meta']) await t.rejects(get(`http://${name}.example.com:${port}/ok`), { name: 'OutgoingRefused', message: 'the URL must not lead into a private network' }, name)
  for (const name of ['nowhere', 'unknown']) await t.rejects(get(`http://${name}.example.com:${port}/ok`), { name: 'OutgoingFailed', message: 'the host is not found' }, name)
  t.same(asked, [])
})

await t.test('a name is looked up once, and the connection goes where that led', async (t) => {
  let times = 0
  const rebinding = async () => [['127.0.0.1'], ['10.0.0.1']][times++] as string[]
  const answer = await get('/ok', {}, { lookup: rebinding })
  t.match(answer, { status: 200, url: `http://good.example.com:${port}/ok` })
  t.equal(answer.body.toString(), 'fine')
  t.equal(times, 1)
  t.match(asked, [{ host: `good.example.com:${port}`, url: '/ok' }], 'the server still hears the name')
  await t.rejects(get('/ok', {}, { lookup: rebinding }), OutgoingRefused, 'the next request looks again')
})

await t.test('each redirect is checked like the first address', async (t) => {
  const to = (url: string, status = 302) => `/to?status=${status}&url=${encodeURIComponent(url)}`
  for (const url of ['http://127.0.0.2/', 'http://[::1]/', `http://inside.example.com:${port}/`, 'http://2130706434/', 'file:///etc/passwd', 'http://a:b@good.example.com/', '//10.0.0.1/', 'http://']) {
    for (const status of [301, 302, 303, 307, 308]) await t.rejects(get(to(url, status), { redirects: 3 }), OutgoingRefused, `${status} ${url}`)
  }
  asked.length = 0
  t.match(await get(to('/ok'), { redirects: 1 }), { status: 200 })
  t.match(await get(to('/ok')), { status: 302 }, 'none is followed unless asked for')
  await t.rejects(get(to(to(to('/ok'))), { redirects: 2 }), { name: 'OutgoingFailed', message: 'more than 2 redirects' })
  t.match(await get(to('/ok', 307), { method: 'POST', body: 'x', redirects: 3 }), { status: 307 }, 'what is sent is not sent on')
  await t.rejects(fetchOutside(`http://good.example.com:${port}${to('/ok')}`, { redirects: 1 }, { ...rules, httpsOnly: true }), OutgoingRefused)
})

await t.test('headers for one host are not for another that it redirects to', async (t) => {
  await get(`/to?url=${encodeURIComponent(`http://other.example.com:${port}/ok`)}`, { redirects: 1, headers: { authorization: 'Bearer hunter2', 'x-signature': 's' } })
  t.equal(asked[0]?.headers['authorization'], 'Bearer hunter2')
  t.notHas(asked[1]?.headers, { authorization: String })
  t.notHas(asked[1]?.headers, { 'x-signature': String })
  await t.rejects(get('/ok', { headers: { 'x-a': 'b\r\nx-c: d' } }), /Invalid character in header/)
})

await t.test('a body is sent as it is, with its signature', async (t) => {
  await get('/ok', { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json', 'x-signature': 'abc' } })
  t.match(asked, [{ body: '{"a":1}', headers: { 'x-signature': 'abc', 'content-type': 'application/json', connection: 'close' } }])
})

await t.test('an answer that is too large, too slow or broken is none', async (t) => {
  t.equal((await get('/large', { maxBytes: 4000 })).body.length, 4000)
  for (const path of ['/large', '/endless']) await t.rejects(get(path, { maxBytes: 3999 }), { name: 'OutgoingFailed', message: 'the answer is larger than 3999 bytes' })
  for (const path of ['/silent', '/drip']) await t.rejects(get(path, { timeoutMs: 200 }), { name: 'OutgoingFailed', message: /^(it took too long|the answer broke off)$/ }, path)
  await t.rejects(get('/broken'), OutgoingFailed)
  await t.rejects(get('/ok', { timeoutMs: 100 }, { lookup: () => new Promise(() => {}) }), OutgoingFailed, 'nor may a resolver take for ever')
  server.closeAllConnections()
  await t.rejects(get('http://good.example.com:1025/ok'), { name: 'OutgoingFailed', message: 'it cannot be reached' })
})

await t.test('over TLS the certificate is that of the name, though the connection goes to an address', withCertificates, async (t) => {
  const certificate = await makeCertificate(t, 'DNS:good.example.com')
  const served: { name: unknown, host: unknown, url: unknown }[] = []
  const secure = createSecureServer(certificate, (request, response) => {
    const { servername: name } = request.socket as { servername?: string }
    served.push({ name, host: request.headers.host, url: request.url })
    const to = new URL(String(request.url), 'https://x').searchParams.get('to')
    response.writeHead(to === null ? 200 : 302, to === null ? {} : { location: to }).end()
  })
  secure.listen(0, '127.0.0.1')
  await once(secure, 'listening')
  t.teardown(() => { secure.closeAllConnections(); secure.close() })
  const { port: securePort } = secure.address() as AddressInfo
  const ask = (host: string, path = '/hook', authorities: string | undefined = certificate.cert) =>
    fetchOutside(`https://${host}:${securePort}${path}`, { method: 'GET', redirects: 2 }, { ...rules, httpsOnly: true, authorities })

  t.equal((await ask('good.example.com')).status, 200)
  t.same(served, [{ name: 'good.example.com', host: `good.example.com:${securePort}`, url: '/hook' }])
  const untrusted = { name: 'OutgoingFailed', message: 'it cannot be reached' }
  await t.rejects(ask('other.example.com'), untrusted, 'it is not this one\'s')
  await t.rejects(ask('127.0.0.1'), untrusted, 'nor the address\'s')
  await t.rejects(fetchOutside(`https://good.example.com:${securePort}/hook`, {}, { ...rules, httpsOnly: true }), untrusted, 'and nobody knows who signed it')
  await t.rejects(fetchOutside(`https://good.example.com:${port}/ok`, {}, rules), untrusted, 'what speaks no TLS is not spoken to without')
  for (const to of [`http://good.example.com:${port}/ok`, 'https://inside.example.com/', 'https://169.254.169.254/latest/meta-data']) {
    await t.rejects(ask('good.example.com', `/hook?to=${encodeURIComponent(to)}`), OutgoingRefused, to)
  }
  t.equal(asked.length, 0, 'a redirect leads out of TLS to nobody')
})
