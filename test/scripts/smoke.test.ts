import { spawn } from 'node:child_process'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { adminUrl, execute } from '../database.js'
import { startApp } from '../helper.js'
import { hashRows } from '../rows.js'

const script = path.join(import.meta.dirname, '..', '..', 'scripts', 'prod-smoke-test.js')

/** Runs the script as an operator does, with patience for a busy machine. */
async function smoke (url: string, environment: Record<string, string> = {}, ...argv: string[]): Promise<{ code: number | null, text: string }> {
  const child = spawn(process.execPath, [script, ...argv], { cwd: '/', env: { PATH: process.env.PATH, TEST_BASE_URL: url, SMOKE_TIMEOUT_MS: '30000', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => { text += part })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })))
}
const outcomes = (text: string, word: string): string[] => [...text.matchAll(new RegExp(`^${word} +(.+?) +\\d+ ms`, 'gm'))].map(([, name]) => name!)

async function listen (t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

await t.test('a healthy service passes every check, and not a row is another afterwards', async (t) => {
  const s = await startApp(t, { environment: { METRICS_TOKEN: 'the token of the scraper' } })
  await s.addTask((await s.addProject()).id, { title: 'Is read only' })
  await s.app.events.settled()
  const url = await s.app.listen({ port: 0, host: '127.0.0.1' })
  const rows = async () => {
    const { 'public.audit_events': _refused, ...others } = await hashRows(s.url) // that it asked without an identity is on record
    return others
  }
  const before = await rows()

  const { code, text } = await smoke(url, { SMOKE_EMAIL: s.admin.email, SMOKE_METRICS_TOKEN: 'the token of the scraper' }, '--require-sign-in')
  t.equal(code, 0, text)
  t.match(text, /^ok {4}sign-in by header/m)
  t.match(text, /^ok {4}write: stale +\d+ ms$/m)
  t.match(text, /\n\n25 ok, 0 failed, 0 skipped\n$/)
  t.same(await rows(), before)

  const byToken = await smoke(`${url}/`, { SMOKE_TOKEN: s.app.jwt.sign({ sub: s.admin.id }) })
  t.match(byToken, { code: 0, text: /^ok {4}sign-in by token/m })
  t.match(byToken.text, /^skip {2}prometheus +\d+ ms: wants a token: set SMOKE_METRICS_TOKEN$/m)
  t.match(await smoke(url, { SMOKE_TOKEN: 'not a token' }), { code: 1, text: /^FAIL {2}sign-in by token.*SMOKE_TOKEN is refused$/m })
})

await t.test('where the development header is ignored, what needs an identity is skipped aloud, or fails when it is required', async (t) => {
  const s = await startApp(t, { environment: { AUTH_DEV_HEADERS: 'false' } })
  const url = await s.app.listen({ port: 0, host: '127.0.0.1' })
  t.match(await smoke(url), { code: 0, text: /^skip {2}sign-in by header.*admin@edenmep\.ca is not taken.*nothing that needs an identity is checked$/m })
  t.match(await smoke(url, {}, '--require-sign-in'), { code: 1, text: /^FAIL {2}sign-in by header/m })
})

await t.test('a service without its database fails the checks that need it, by name', async (t) => {
  const s = await startApp(t)
  const url = await s.app.listen({ port: 0, host: '127.0.0.1' })
  const name = new URL(s.url).pathname.slice(1)
  await execute(adminUrl(), `drop database ${name} with (force)`)
  const { code, text } = await smoke(url, { SMOKE_EMAIL: s.admin.email })
  t.equal(code, 1)
  for (const check of ['ready', 'quick', 'detailed', 'db/ping']) t.ok(outcomes(text, 'FAIL').includes(check), `${check} fails:\n${text}`)
  t.ok(outcomes(text, 'ok').includes('live'), 'it lives nevertheless')
})

await t.test('another server, none, and one that never answers fail, within the time', async (t) => {
  const other = await smoke(await listen(t, (_request, reply) => { reply.end('<h1>It works!</h1>') }))
  t.equal(other.code, 1)
  t.ok(outcomes(other.text, 'FAIL').includes('live'))
  t.same(outcomes(other.text, 'ok'), [])

  const silent = await smoke(await listen(t, () => {}), { SMOKE_TIMEOUT_MS: '100' })
  t.match(silent, { code: 1, text: /^FAIL {2}live +\d+ ms: no answer within 100 ms$/m })

  const gone = createServer()
  const url = await new Promise<string>((resolve) => gone.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(gone.address() as AddressInfo).port}`)))
  await new Promise((resolve) => gone.close(resolve))
  t.match(await smoke(url), { code: 1, text: /^FAIL {2}live +\d+ ms: ECONNREFUSED$/m })
  t.match(await smoke('erp.example.com'), { code: 2, text: /TEST_BASE_URL is a URL/ })
})
