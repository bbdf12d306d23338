import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import t from 'tap'
import { startApp } from './helper.js'

const s = await startApp(t)
await s.app.listen({ host: '127.0.0.1', port: 0 })
const { port } = s.app.server.address() as AddressInfo

/** Sends bytes as they are, and returns what came back until the server closed. */
async function raw (bytes: string): Promise<{ status: number, head: string, body: string }> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => { text += chunk })
  socket.write(bytes)
  await once(socket, 'close')
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, body }
}

const bad: Record<string, [bytes: string, status: number, code: string]> = {
  'what is no HTTP': ['hello\r\n\r\n', 400, 'EDEN_MALFORMED_REQUEST'],
  'NUL in a header': ['GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-Dev-Email: a\0b\r\n\r\n', 400, 'EDEN_MALFORMED_REQUEST'],
  'two lengths': ['POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400, 'EDEN_MALFORMED_REQUEST'],
  'a length and chunks': ['POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400, 'EDEN_MALFORMED_REQUEST'],
  'a URL of 20 KB': [`GET /api/tasks?q=${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'EDEN_HEADERS_TOO_LARGE']
}
for (const [name, [bytes, status, code]] of Object.entries(bad)) {
  await t.test(`${name} is answered with a problem, and the connection closed`, async (t) => {
    const answer = await raw(bytes)
    t.equal(answer.status, status)
    t.match(answer.head, /content-type: application\/problem\+json/i)
    const problem = JSON.parse(answer.body)
    t.match(problem, { status, code, type: `urn:eden-erp:problem:${code}`, title: String, detail: String, request_id: String })
    t.match(answer.head.toLowerCase(), `x-request-id: ${problem.request_id}`)
  })
}
