/**
 * Sends secrets everywhere and looks for them: in every log line at every level, in error answers, and in what operators and
 * Prometheus are told. Each has a marker of its own, so that a leak says which.
 *
 * What an answer may repeat of what the caller itself sent: the path (`instance`, and the detail of a route that is not there),
 * the names of fields and parts that are not known, and its X-Request-Id, which is also logged. Never a value of a query, a header or a body.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import t from 'tap'
import { buildApp } from '../app.js'
import { parseConfig } from '../plugins/config.js'
import { errorForLog, messageForLog } from '../plugins/error-log.js'
import { createTestDatabase } from './database.js'
import { eventually, formWith, QUIET, startApp } from './helper.js'
import { takeLog } from './logs.js'
import { server } from './program.js'
import { startSmtp } from './smtp.js'

const markers = new Map<string, string>()
/** A secret that is told from all others: letters and digits, which no encoding of texts changes. */
function mark (what: string): string {
  const marker = `Mk${randomBytes(15).toString('hex')}`
  markers.set(what, marker)
  return marker
}
/** What of it is in a text: as it is, in any case of letters, or as a base64 somewhere begins with it. */
function leaksIn (text: string, allowed: string[] = []): string[] {
  const lower = text.toLowerCase()
  return [...markers].filter(([what, marker]) => !allowed.includes(what) && [marker.toLowerCase(), Buffer.from(marker).toString('base64').slice(0, 40).toLowerCase()].some((form) => lower.includes(form))).map(([what]) => what)
}

// An S3 server that refuses, and repeats the key as Amazon does.
const s3 = createServer((_request: IncomingMessage, response: ServerResponse) => {
  response.writeHead(403, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match</Message><AWSAccessKeyId>${markers.get('S3_ACCESS_KEY_ID')}</AWSAccessKeyId><StringToSign>AWS4 ${markers.get('S3_ACCESS_KEY_ID')}</StringToSign></Error>`)
}).listen(0, '127.0.0.1')
await once(s3, 'listening')
t.teardown(() => { s3.close(); s3.closeAllConnections() })

const variables = {
  JWT_SECRET: mark('JWT_SECRET'),
  METRICS_TOKEN: mark('METRICS_TOKEN'),
  SMTP_URL: `smtp://eden:${mark('password of SMTP_URL')}@127.0.0.1:1`,
  FILES_STORAGE: 's3',
  S3_ENDPOINT: `http://127.0.0.1:${(s3.address() as AddressInfo).port}`,
  S3_BUCKET: 'files',
  S3_ACCESS_KEY_ID: mark('S3_ACCESS_KEY_ID'),
  S3_SECRET_ACCESS_KEY: mark('S3_SECRET_ACCESS_KEY')
}
const s = await startApp(t, { environment: { ...variables, LOG_LEVEL: 'trace', DB_SLOW_QUERY_MS: '1', DB_SLOW_QUERY_PLANS: 'true', JOBS_ENABLED: 'true', JOBS_TICK_MS: '200' } })
const lines = takeLog(s.app)
const log = () => lines.map((line) => JSON.stringify(line)).join('\n')
const password = new URL(s.url).password
if (password.length >= 16) markers.set('password of DATABASE_URL', password)
const operations = ['/metrics', '/api/health', '/api/health/live', '/api/health/ready', '/api/health/quick', '/api/health/detailed', '/api/health/status', '/api/health/metrics', '/db/ping', '/api/debug/dbinfo', '/version', '/openapi.json']

/** What all operations endpoints tell. */
async function told (app = s.app): Promise<string> {
  const answers = await Promise.all(operations.map((url) => app.inject({ url, headers: { authorization: `Bearer ${variables.METRICS_TOKEN}` } })))
  return answers.map(({ body, headers }) => JSON.stringify(headers) + body).join('\n')
}

await t.test('a marker that is in the log on purpose is found: this test can fail', async (t) => {
  s.app.log.info({ deep: [{ inside: `x${mark('logged on purpose')}y` }] }, 'on purpose')
  s.app.log.error({ err: new Error(`with ${mark('thrown on purpose')}`) })
  t.same(leaksIn(log()), ['logged on purpose', 'thrown on purpose'])
  t.same(leaksIn(Buffer.from(markers.get('JWT_SECRET') as string).toString('base64')), ['JWT_SECRET'])
  lines.length = 0
  markers.delete('logged on purpose')
  markers.delete('thrown on purpose')
})

await t.test('what clients send is in no log line and in no refusal', async (t) => {
  // The statement is slow, and what it fails with repeats what was sent.
  await s.query(`create function drill() returns trigger language plpgsql as $$ begin
    perform pg_sleep(0.01);
    if new.name = 'cast' then perform new.description::int; end if;
    if new.name = 'date' then perform new.description::timestamptz; end if;
    return new; end $$`)
  await s.query('create trigger drill before insert on projects for each row execute function drill()')
  await s.query("alter table projects add constraint drill check (name <> 'check')")
  const project = await s.addProject()
  const task = await s.addTask(project.id)
  const code = mark('code that is taken')
  await s.addProject({ code, name: mark('name in a slow statement'), description: mark('description') })
  const signed = (claims: object, options = {}) => {
    const token = s.app.jwt.sign(claims, options)
    markers.set(`token ${JSON.stringify(claims)} ${JSON.stringify(options)}`, token.split('.')[2] as string)
    return `Bearer ${token}`
  }
  const headers: Record<string, string>[] = [
    { authorization: signed({ sub: s.admin.id }) },
    { authorization: signed({ sub: s.admin.id }, { expiresIn: 1, iss: 'elsewhere' }) },
    { authorization: `Bearer ${mark('malformed token')}` },
    { authorization: `Basic ${Buffer.from(`${mark('basic')}:x`).toString('base64')}` },
    { authorization: mark('no scheme') },
    { cookie: `session=${mark('cookie')}` },
    { 'x-dev-email': mark('development e-mail') },
    { 'x-dev-user-id': mark('development id') },
    { 'x-api-key': mark('unknown header'), 'x-dev-email': s.admin.email },
    { 'x-request-id': `${mark('X-Request-Id that is none')} and more` },
    { 'accept-encoding': mark('accept-encoding'), accept: mark('accept'), origin: `https://${mark('origin')}.example.com` },
    { 'content-type': `application/${mark('content-type')}` }
  ]
  const as = { 'x-dev-email': s.admin.email }
  const json = { ...as, 'content-type': 'application/json' }
  const form = (name: string) => {
    const { body, headers } = formWith('bytes', name)
    return { method: 'POST' as const, url: `/api/tasks/${task.id}/attachments`, headers: { ...as, ...headers }, payload: body }
  }
  const requests: { method?: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, headers?: Record<string, string>, payload?: string | Buffer | object }[] = [
    ...headers.flatMap((headers) => [{ url: '/api/projects', headers }, { method: 'POST' as const, url: '/api/projects', headers, payload: '{}' }, { url: '/metrics', headers }]),
    { url: `/api/projects?token=${mark('unknown query')}`, headers: as },
    { url: `/api/projects?limit=${mark('query of the wrong type')}`, headers: as },
    { url: `/api/projects?cursor=${mark('cursor')}`, headers: as },
    { url: `/api/tasks?search=${mark('search')}`, headers: as },
    { url: `/api/tasks?sort=${mark('sort')}`, headers: as },
    { url: `/api/nowhere?password=${mark('query of no route')}`, headers: as },
    { url: `/api/health/ready?x=${mark('query of a probe')}` },
    { url: `/%zz?x=${mark('query of a malformed URL')}` },
    { url: `/api/projects/${'x'.repeat(1001)}?x=${mark('query of a URL that is too long')}`, headers: as },
    { url: `/api/projects/${mark('path parameter')}`, headers: as },
    { url: `/${mark('path of no route')}/x`, headers: as },
    { method: 'POST', url: '/api/projects', headers: json, payload: { code: 'OK-1', name: mark('valid body') } },
    { method: 'POST', url: '/api/projects', headers: json, payload: { code: 'OK-2', name: 'x', [mark('name of an unknown field')]: mark('value of an unknown field') } },
    { method: 'POST', url: '/api/projects', headers: json, payload: { code: [mark('value of the wrong type')], name: 'x', status: mark('value of no enumeration') } },
    { method: 'POST', url: '/api/projects', headers: json, payload: `{ "password": "${mark('malformed JSON')}` },
    { method: 'POST', url: '/api/projects', headers: json, payload: `{ "__proto__": { "x": "${mark('poisoned JSON')}" } }` },
    { method: 'POST', url: '/api/projects', headers: { ...as, 'content-type': 'text/plain' }, payload: mark('plain body') },
    { method: 'POST', url: '/api/projects', headers: json, payload: { code, name: 'a unique violation' } },
    { method: 'POST', url: '/api/projects', headers: json, payload: { code: 'OK-3', name: 'check', description: mark('row of a check violation') } },
    { method: 'POST', url: '/api/projects', headers: json, payload: { code: 'OK-4', name: 'cast', description: `a "quoted"\n${mark('value of the wrong syntax')}` } },
    { method: 'POST', url: '/api/projects', headers: json, payload: { code: 'OK-5', name: 'date', description: mark('no date') } },
    { method: 'POST', url: '/api/projects', headers: { ...json, 'idempotency-key': mark('Idempotency-Key') }, payload: { code: 'OK-6', name: 'x' } },
    { method: 'POST', url: '/api/projects', headers: { ...json, 'idempotency-key': `${mark('Idempotency-Key that is none')} x` }, payload: { code: 'OK-7', name: 'x' } },
    { method: 'PATCH', url: `/api/tasks/${task.id}`, headers: { ...json, 'if-match': `"${mark('If-Match')}"` }, payload: { title: 'x' } },
    { method: 'PATCH', url: `/api/tasks/${task.id}`, headers: { ...json, 'if-match': mark('If-Match without quotes') }, payload: { title: 'x' } },
    { url: '/api/notifications/stream', headers: { ...as, 'last-event-id': mark('Last-Event-ID') } },
    form(`${mark('file name')}.txt`),
    form(`../${mark('file name that is a path')}\0`),
    { ...form('x.txt'), payload: `--the-boundary\r\nContent-Disposition: form-data; name="${mark('name of a part')}"\r\n\r\n${mark('value of a part')}\r\n--the-boundary--` },
    { ...form('x.txt'), payload: mark('no form at all') }
  ]
  /** See the head of this file. */
  const repeatable = ['path parameter', 'path of no route', 'name of an unknown field', 'name of a part']
  const statuses = new Map<number, number>()
  for (const request of requests) {
    const { statusCode, body, headers } = await s.app.inject(request as never)
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
    if (statusCode >= 400) t.same(leaksIn(body + JSON.stringify(headers), repeatable), [], `${statusCode} ${request.method ?? 'GET'} ${request.url.replace(/Mk\w+/g, '...')}`)
  }
  for (const status of [200, 201, 400, 401, 404, 409, 415, 422, 503]) t.ok(statuses.has(status), `there were answers with ${status}`)

  await s.app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((s.app.server.address() as AddressInfo).port, '127.0.0.1')
  socket.end(`${mark('no HTTP')} / HTTP/9.9\r\nauthorization: ${mark('header of no HTTP')}\r\n\r\n`)
  let unreadable = ''
  for await (const chunk of socket) unreadable += chunk
  t.match(unreadable, /^HTTP\/1\.1 400/)
  t.same(leaksIn(unreadable), [])

  const names = (msg: string) => lines.filter((line) => line.msg === msg)
  t.ok(names('request').length >= requests.length && names('slow statement').some(({ sql }) => /insert into/.test(sql)), 'statements were slow')
  await eventually(async () => names('plan of a slow statement').length > 0)
  t.ok(names('request failed').some(({ err }) => err !== undefined), 'errors were logged')
  t.same(leaksIn(log()), [])
  t.same(leaksIn(await told()), [])
})

await t.test('a job that fails keeps the data of rows out of the log, its record and the queue', async (t) => {
  await s.query(`create function drill_job() returns trigger language plpgsql as $$ begin perform E'a "quoted"\\n${mark('value in a job')}'::int; return null; end $$`)
  await s.query('create trigger drill_job before delete on idempotency_keys for each statement execute function drill_job()')
  await s.app.jobs.request(s.app.db, 'expire_idempotency_keys', s.admin.id)
  await eventually(async () => lines.some(({ job, err }) => job === 'expire_idempotency_keys' && err !== undefined) && lines.some(({ queue }) => /^Failed task/.test(queue ?? '')))
  await eventually(async () => (await s.query('select from graphile_worker.jobs where last_error is not null')).length > 0)
  const kept = JSON.stringify([await s.query('select error from job_runs'), await s.query('select last_error from graphile_worker.jobs'), await s.get('/api/admin/jobs')])
  t.match(kept, 'invalid input syntax for type integer')
  t.same(leaksIn(kept), [])
  t.same(leaksIn(log()), [])
})

await t.test('an error of the SMTP server does not repeat what it was sent', async (t) => {
  const { url } = await startSmtp(t)
  const address = new URL(url)
  address.password = mark('password that SMTP refuses')
  const app = await buildApp(parseConfig({ ...QUIET, DATABASE_URL: s.url, SMTP_URL: address.href }))
  t.teardown(() => app.close())
  await app.mailer.send({ to: { name: 'x', address: 'x@example.com' }, subject: 'x', text: 'x', html: 'x', messageId: 'x' }).then(() => t.fail('it was sent'), (error) => {
    t.match(messageForLog(error), /535/)
    t.same(leaksIn(JSON.stringify(errorForLog(error)) + messageForLog(error)), [])
  })
})

const away = { 'the password is refused': 'password', 'nothing listens': 'host', 'there is no such database': 'database' }
for (const [what, kind] of Object.entries(away)) {
  await t.test(`a database that cannot be used is told without its URL: ${what}`, async (t) => {
    const url = new URL(s.url)
    if (kind !== 'database') url.password = mark(`password in DATABASE_URL: ${what}`)
    if (kind === 'host') url.port = '1'
    if (kind === 'database') url.pathname = `/${mark('database in DATABASE_URL').toLowerCase()}`
    const app = await buildApp(parseConfig({ ...QUIET, ...variables, LOG_LEVEL: 'trace', JOBS_ENABLED: 'true', DATABASE_URL: url.href }))
    const log = takeLog(app)
    t.teardown(() => app.close())
    await app.ready()
    const answer = await app.inject({ url: '/api/projects', headers: { 'x-dev-email': s.admin.email } })
    t.equal(answer.statusCode, 503)
    await eventually(async () => log.some(({ msg }) => /^the job queue was lost|^jobs wait/.test(msg)))
    t.match((await app.inject('/api/health/ready')).json(), { ready: false, reason: /^database unreachable: / })
    t.ok(log.some(({ err }) => err !== undefined))
    t.same(leaksIn(answer.body), [])
    t.same(leaksIn(JSON.stringify(log)), [])
    // Where it leads is what this endpoint is for, the name of the database included.
    t.same(leaksIn(await told(app), ['database in DATABASE_URL']), [])
  })
}

await t.test('in production a process says JSON lines and nothing else, and no secret, from its start to its end', { timeout: 120_000 }, async (t) => {
  const url = new URL(await createTestDatabase(t as never))
  url.searchParams.set('application_name', mark('parameter of DATABASE_URL'))
  const start = (environment: Record<string, string>) => {
    const child = spawn(process.execPath, server, {
      cwd: tmpdir(),
      env: { PATH: process.env['PATH'], NODE_ENV: 'production', HOST: '127.0.0.1', PORT: '0', MAIL_FROM: 'x@example.com', LOG_LEVEL: 'trace', ...variables, FILES_STORAGE: 'local', FILES_DIR: s.app.config.FILES_DIR, DATABASE_URL: url.href, ...environment },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    t.teardown(() => { child.kill('SIGKILL') })
    const said = { out: '', err: '' }
    child.stdout.on('data', (chunk) => { said.out += chunk })
    child.stderr.on('data', (chunk) => { said.err += chunk })
    return { child, said, ended: once(child, 'close').then(([code]) => code as number) }
  }
  const { child, said, ended } = start({})
  await Promise.race([eventually(async () => said.out.includes('"Eden ERP is ready"'), 90), ended])
  const other = start({ PORT: /"address":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(said.out)?.[1] ?? '1' })
  t.equal(await other.ended, 1)
  child.kill('SIGTERM')
  t.equal(await ended, 0, said.err)
  const parsed = [said, other.said].map(({ out }) => out.trim().split('\n').map((line) => JSON.parse(line)))
  for (const line of parsed.flat()) t.ok(typeof line.level === 'number' && typeof line.time === 'number' && typeof line.msg === 'string', line.msg)
  t.match(parsed[0]?.find(({ msg }) => msg === 'Eden ERP is ready'), { level: 30, address: /^http:/ })
  t.match(parsed[1]?.find(({ level }) => level === 60), { level: 60, err: { code: 'EADDRINUSE' } }, 'also what ends it')
  t.equal(said.err + other.said.err, '')
  t.same(leaksIn(said.out + other.said.out), [])

  const short = mark('JWT_SECRET that is too short').slice(0, 20)
  markers.set('JWT_SECRET that is too short', short)
  const refused = start({ JWT_SECRET: short, METRICS_TOKEN: 'short', DATABASE_URL: `mysql://x:${mark('password of another database')}@localhost/x` })
  t.equal(await refused.ended, 1)
  t.same(refused.said.err.trim().split('\n').map((line) => line.split(' ')[0]).sort(), ['DATABASE_URL', 'JWT_SECRET', 'METRICS_TOKEN', 'see'], 'before there is a log: plain lines, one for each variable, and where help is')
  t.same(leaksIn(refused.said.err + refused.said.out), [])
})
