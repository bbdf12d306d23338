/**
 * Debian's sqlmap on what becomes part of a query: searches, filters, orders and cursors, over a real socket. It must find
 * nothing; and it must find what a server that is open on purpose leaves to find, or it would prove nothing.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import t from 'tap'
import { nextPage, startApp } from '../helper.js'
import { findProgram } from '../monitoring/prometheus.js'

const program = findProgram('sqlmap')
if (program === undefined && process.env['CI'] === 'true') throw new Error('sqlmap is not here: apt-get install sqlmap')
const skip = program === undefined && 'sqlmap is not here: apt-get install sqlmap'

/** What it says at its end. */
const NOTHING = 'all tested parameters do not appear to be injectable'
const FOUND = 'identified the following injection point'

/** Attacks parameters of a URL by their names. @returns what it says */
async function attack (url: string, parameters: string[], { technique = 'BEUS', headers = {} }: { technique?: string, headers?: Record<string, string> } = {}): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-sqlmap-'))
  try {
    return await new Promise((resolve) => {
      execFile(program as string, [
        // Not by time: it takes minutes, and on a busy machine it finds what is not there.
        '--url', url, '-p', parameters.join(','), '--batch', '--level', '2', '--risk', '1', '--technique', technique, '--dbms', 'postgresql',
        '--flush-session', '--output-dir', folder, '--disable-coloring', '--skip-waf', '--ignore-stdin', '--threads', '4', '--ignore-code', '400',
        ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`])
      ], { timeout: 200_000, maxBuffer: 20_000_000, env: { ...process.env, HOME: folder } }, (_error, stdout, stderr) => resolve(stdout + stderr))
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

t.test('sqlmap', { skip, timeout: 280_000 }, async (t) => {
  const s = await startApp(t)
  const project = await s.addProject({ name: 'A hospital' })
  for (const title of ['A pump', 'A valve', 'A pump with a valve', 'A duct']) await s.addTask(project.id, { title, tags: ['pump'] })
  const base = await s.app.listen({ host: '127.0.0.1', port: 0 })
  const authorization = `Bearer ${s.app.jwt.sign({ sub: s.admin.id })}`
  /** How many answers there were of each status. */
  const statuses = new Map<number, number>()
  s.app.server.on('request', (_request, response) => response.on('finish', () => statuses.set(response.statusCode, (statuses.get(response.statusCode) ?? 0) + 1)))
  /** A server of one's own on a free port. */
  async function serve (listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1')
    t.teardown(() => { server.close(); server.closeAllConnections() })
    await new Promise((resolve) => server.once('listening', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  await t.test('it finds the parameter of a server that puts texts into its SQL: this test can fail', async (t) => {
    const pool = new pg.Pool({ connectionString: s.url, max: 4 })
    t.teardown(() => pool.end())
    const open = await serve((request, response) => {
      const title = new URL(request.url as string, base).searchParams.get('title')
      pool.query(`select title from tasks where title = '${title}'`).then(({ rows }) => response.end(JSON.stringify(rows)), () => { response.writeHead(400).end('{}') })
    })
    const said = await attack(`${open}/tasks?title=A%20pump`, ['title'], { technique: 'BEU' })
    t.match(said, FOUND)
    t.match(said, 'Parameter: title (GET)')
  })

  // A cursor is JSON in base64: sqlmap attacks what is in it, and this puts it in.
  const next = new URL(nextPage(await s.ask('GET', '/api/tasks?limit=1&sort=-created_at')) as string, base)
  const [sort, key, id] = JSON.parse(Buffer.from(next.searchParams.get('cursor') as string, 'base64url').toString())
  const wrapping = await serve((request, response) => {
    const given = new URL(request.url as string, base).searchParams
    const cursor = Buffer.from(JSON.stringify(['sort', 'key', 'id'].map((name) => given.get(name)))).toString('base64url')
    fetch(`${base}/api/tasks?${new URLSearchParams({ limit: '1', sort, cursor })}`, { headers: { authorization } })
      .then(async (answer) => response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') as string }).end(await answer.text()), () => response.writeHead(502).end())
  })
  for (const [name, url, parameters] of [
    ['the search', `${base}/api/search?q=pump&type=task`, ['q', 'type']],
    ['filters and orders of tasks', `${base}/api/tasks?q=pump&status=todo&tag=pump&project=${project.id}&sort=-created_at`, ['q', 'status', 'tag', 'project', 'sort']],
    ['the parts of a cursor', `${wrapping}/?${new URLSearchParams({ sort, key, id })}`, ['sort', 'key', 'id']]
  ] as const) {
    await t.test(`it finds nothing in ${name}`, async (t) => {
      t.equal((await fetch(url, { headers: { authorization } })).status, 200, 'what it begins with is good')
      statuses.clear()
      const said = await attack(url, [...parameters], { headers: { authorization } })
      t.match(said, NOTHING)
      t.notMatch(said, FOUND)
      for (const parameter of parameters) t.match(said, `GET parameter '${parameter}' does not seem to be injectable`)
      const answered = [...statuses.entries()].map(([status, times]) => `${times} × ${status}`).join(', ')
      t.same([...statuses.keys()].filter((status) => status !== 200 && status !== 400), [], answered)
      t.ok([...statuses.values()].reduce((sum, times) => sum + times) > 50 * parameters.length, answered)
      t.comment(`${name}: ${answered}`)
    })
  }
})
