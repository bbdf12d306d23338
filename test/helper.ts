import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import pg from 'pg'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { buildApp } from '../app.js'
import { parseConfig } from '../plugins/config.js'
import type { Clock } from '../plugins/settings.js'
import { createTestDatabase } from './database.js'

/** Signs the tokens of the tests; not a secret. */
export const JWT_SECRET = 'a secret for tests only, at least 32 long'

/** No test is limited, and no statement is sent that it did not ask for. */
const UNLIMITED = { RATE_LIMIT_STORE: 'memory', RATE_LIMIT_IDENTITY: '0', RATE_LIMIT_ADDRESS: '0', RATE_LIMIT_SIGN_IN: '0' }

/** An app that only does what a test asks of it: it logs nothing, sheds no load on a busy machine, limits nobody, and does no jobs. */
export const QUIET = { ...UNLIMITED, NODE_ENV: 'test', LOG_LEVEL: 'silent', PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0', JOBS_ENABLED: 'false' }

export interface Person { id: string, email: string, name: string }
type Method = NonNullable<InjectOptions['method']>
interface Ask { as?: Person | null, body?: unknown, headers?: Record<string, string> }

export interface TestApp {
  app: FastifyInstance
  url: string
  admin: Person
  manager: Person
  member: Person
  viewer: Person
  /** One request through the whole app, as the administrator unless said otherwise; `as: null` is nobody. */
  ask: (method: Method, path: string, options?: Ask) => Promise<LightMyRequestResponse>
  /** The same, for the JSON of an answer that must succeed. */
  get: <T = any>(path: string, options?: Ask) => Promise<T>
  post: <T = any>(path: string, body?: unknown, options?: Ask) => Promise<T>
  patch: <T = any>(path: string, body?: unknown, options?: Ask) => Promise<T>
  /** Rows straight from the database. */
  query: <T extends pg.QueryResultRow = any>(text: string, values?: unknown[]) => Promise<T[]>
  /** Someone more, with one of the system's roles. */
  addPerson: (role: string | null, fields?: Partial<Person> & { timezone?: string, is_active?: boolean }) => Promise<Person>
  /** A project with a code of its own. */
  addProject: (fields?: object, as?: Person) => Promise<any>
  addTask: (projectId: string, fields?: object, as?: Person) => Promise<any>
}

/** The whole app on a database of its own, with a person of each role; closed when the test ends. */
export async function startApp (t: Test, { clock, environment = {} }: { clock?: Clock, environment?: Record<string, string> } = {}): Promise<TestApp> {
  const url = await createTestDatabase(t as never)
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  pool.on('error', () => {}) // a test may take the server's connections away
  const query = async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows
  const filesDir = path.join(tmpdir(), `eden-test-files-${process.pid}-${randomBytes(6).toString('hex')}`)
  const config = parseConfig({ ...UNLIMITED, NODE_ENV: 'test', FILES_DIR: filesDir, LOG_LEVEL: 'silent', PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0', DB_POOL_MAX: '5', JOBS_ENABLED: 'false', DATABASE_URL: url, JWT_SECRET, ...environment })
  const app = await buildApp(config, { clock })
  await app.ready()
  t.teardown(async () => {
    await app.close()
    await pool.end()
    await rm(filesDir, { recursive: true, force: true })
  })

  async function addPerson (role: string | null, { id = uuidv7(), email = `${role ?? 'nobody'}.${randomBytes(3).toString('hex')}@example.com`, name = `A ${role}`, timezone = 'America/Toronto', is_active: isActive = true }: Partial<Person> & { timezone?: string, is_active?: boolean } = {}): Promise<Person> {
    await query('insert into users (id, email, name, timezone, is_active) values ($1, $2, $3, $4, $5)', [id, email, name, timezone, isActive])
    if (role !== null) await query('insert into user_roles select $1, id from roles where slug = $2', [id, role])
    return { id, email, name }
  }
  const admin = await addPerson('admin', { email: 'admin@example.com', name: 'Ada Min' })
  const manager = await addPerson('manager', { email: 'mona.ger@example.com', name: 'Mona Ger' })
  const member = await addPerson('member', { email: 'mem.ber@example.com', name: 'Mem Ber' })
  const viewer = await addPerson('viewer', { email: 'vi.ewer@example.com', name: 'Vi Ewer' })

  const ask: TestApp['ask'] = (method, path, { as = admin, body, headers } = {}) => app.inject({
    method,
    url: path,
    headers: { ...(as === null ? {} : { 'x-dev-email': as.email }), ...headers },
    ...(body === undefined ? {} : { payload: body as object })
  })
  const json = (method: Method) => async (path: string, body?: unknown, options: Ask = {}) => {
    const answer = await ask(method, path, { body, ...options })
    if (answer.statusCode >= 300) throw new Error(`${method} ${path} answered ${answer.statusCode}: ${answer.body}`)
    return answer.json()
  }
  return {
    app,
    url,
    admin,
    manager,
    member,
    viewer,
    ask,
    query,
    addPerson,
    get: (path, options) => json('GET')(path, undefined, options),
    post: json('POST'),
    patch: json('PATCH'),
    addProject: (fields = {}, as = admin) => json('POST')('/api/projects', { code: `T-${randomBytes(4).toString('hex')}`, name: 'A project', ...fields }, { as }),
    addTask: (projectId, fields = {}, as = admin) => json('POST')(`/api/projects/${projectId}/tasks`, { title: 'A task', ...fields }, { as })
  }
}

/** Another instance on the database of an app, with its clock; it logs nothing. */
export async function anotherInstance (t: Test, { app }: TestApp): Promise<TestApp['app']> {
  const other = await buildApp({ ...app.config, LOG_LEVEL: 'silent' }, { clock: app.clock })
  await other.ready()
  t.teardown(() => other.close())
  return other
}

/**
 * Looks again and again, until something is found.
 * @returns what was found: anything but undefined and false
 * @throws Error when nothing is within `seconds`
 */
export async function eventually<T> (look: () => Promise<T | undefined | false> | T | undefined | false, seconds = 60): Promise<T> {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${look.toString()}`)
    await delay(10)
  }
}

/** One file as a form, to be sent by inject or fetch; the name goes as it is. */
export function formWith (bytes: Buffer | string, name: string, part = 'file'): { body: Buffer, headers: Record<string, string> } {
  const head = `--the-boundary\r\nContent-Disposition: form-data; name="${part}"; filename="${name}"\r\nContent-Type: image/whatever\r\n\r\n`
  return { body: Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from('\r\n--the-boundary--\r\n')]), headers: { 'content-type': 'multipart/form-data; boundary=the-boundary' } }
}

/** The path of the next page, from a `Link` header. */
export function nextPage (answer: LightMyRequestResponse): string | undefined {
  return /<([^>]+)>; rel="next"/.exec(String(answer.headers.link ?? ''))?.[1]
}
