import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, open, readFile, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { buildApp } from '../app.js'
import { findProgram } from '../commands/backup/programs.js'
import { migrateToLatest } from '../commands/migrate.js'
import { seedDatabase } from '../demo/index.js'
import { startThrowawayCluster } from '../embedded/index.js'
import { ConfigSchema, parseConfig } from '../plugins/config.js'
import { causes } from '../plugins/database/causes.js'
import { securityEvents } from '../plugins/security.js'
import { createTestDatabase, databaseUrl, emptyDatabase, execute } from './database.js'
import { eventually, JWT_SECRET, QUIET } from './helper.js'
import { server } from './program.js'
import { anchorsOf, blocksOf, commandsOf, differs, proseOf, rowsOf, sectionOf, statementsOf, type Block } from './runbook-blocks.js'

const root = path.join(import.meta.dirname, '..')
const debian = '/usr/lib/postgresql/15/bin'
const HOST = 'https://your-app.example.com'
const METRICS_TOKEN = 'the token of the scraper'
const read = (file: string) => readFile(path.join(root, file), 'utf8')
const [runbook, checklist] = await Promise.all([read('docs/runbook.md'), read('docs/post-deploy-checklist.md')])
const isThere = (file: string) => access(file).then(() => true, () => false)

const missing: string[] = []
for (const program of ['bash', 'curl', 'jq', 'psql']) {
  const places = (process.env.PATH ?? '').split(path.delimiter).map((folder) => isThere(path.join(folder, program)))
  if (!(await Promise.all(places)).includes(true)) missing.push(program)
}
const withoutPrograms = missing.length > 0 && `${missing.join(', ')}: not here; apt-get install bash curl jq postgresql-client`

/** Runs a script of bash in a folder, with this environment and no other. */
async function bash (script: string, { cwd, env }: { cwd: string, env: NodeJS.ProcessEnv }): Promise<void> {
  const child = spawn('bash', ['-c', script], { cwd, env: { HOME: process.env.HOME, LC_ALL: 'C.UTF-8', ...env }, stdio: 'ignore' })
  await once(child, 'close')
}

interface Place { cwd: string, base: string, env: NodeJS.ProcessEnv }

/** Runs the commands of a block one after the other in one shell, and checks what each said. */
async function runCommands (t: Test, block: Block, { cwd, base, env }: Place): Promise<void> {
  const commands = commandsOf(block)
  const results = await mkdtemp(path.join(cwd, 'results-'))
  const texts = commands.map(({ text }) => text.replaceAll(HOST, base))
  await bash([
    'set -uo pipefail', // a variable that nobody has set ends it
    // Not found is a failure, unless the status is what is asked for.
    'curl () { if [[ "$*" == *http_code* ]]; then command curl -sS "$@"; else command curl -sS --fail "$@"; fi; }',
    ...texts.map((text, i) => `{\n${text}\n} > "${results}/${i}.out" 2> "${results}/${i}.err"; echo $? > "${results}/${i}.code"`)
  ].join('\n'), { cwd, env })
  for (const [i, { text, expected }] of commands.entries()) {
    const [code, out, err] = await Promise.all(['code', 'out', 'err'].map((name) => readFile(path.join(results, `${i}.${name}`), 'utf8').catch(() => '')))
    const problem = code?.trim() !== '0' ? `exit code ${code?.trim() || 'unknown'}` : problemOf(text, out ?? '', err ?? '', expected)
    const title = text.replace(/\\\n\s*/g, '')
    t.equal(problem, undefined, `${title}\n${problem === undefined ? '' : `line ${block.line}: ${problem}\n${out}\n${err}`}`)
    t.comment(`${problem === undefined ? 'ok' : 'FAILED'} ${title}`)
  }
}

function problemOf (text: string, out: string, err: string, expected: string | undefined): string | undefined {
  if (/<[a-z][^<>\n]*>|\.\.\.|example\.com/i.test(text.replaceAll(HOST, ''))) return 'it has a placeholder'
  if (/^(psql: )?(ERROR|FATAL)/m.test(err)) return 'it reports an error'
  if (text.includes('http_code') && expected === undefined) return 'it does not say which status it expects'
  const isAssignment = /^[A-Z_]+="\$\(/.test(text)
  if (/\bjq\b/.test(text) && !isAssignment && /^(null)?$/m.test(out.trim())) return 'there is nothing of that name'
  if (/\bcurl\b/.test(text) && !isAssignment && out.trim() === '') return 'it prints nothing'
  return expected === undefined ? undefined : differs(expected, out.trim())
}

/** Runs a block of SQL in psql, as someone would who pastes it. */
async function runSql (t: Test, block: Block, { cwd, env }: Place): Promise<void> {
  const results = await mkdtemp(path.join(cwd, 'results-'))
  await bash(`psql -X -v ON_ERROR_STOP=1 "$DATABASE_URL" > "${results}/out" 2> "${results}/err" <<'END_OF_SQL'; echo $? > "${results}/code"\n${block.text}\nEND_OF_SQL\n`, { cwd, env })
  const [code, out, err] = await Promise.all(['code', 'out', 'err'].map((name) => readFile(path.join(results, name), 'utf8')))
  t.equal(code?.trim(), '0', `SQL of line ${block.line}\n${err}`)
  const statements = statementsOf(block)
  t.equal([...(out ?? '').matchAll(/^\(\d+ rows?\)$|^(ANALYZE|VACUUM)$/gm)].length, statements.length, `SQL of line ${block.line}: each statement answers\n${out}`)
  for (const statement of statements) t.comment(`ok ${statement}`)
}

/** A folder that looks like the project's to npm, and where what commands write is nobody's loss. */
async function projectFolder (t: Test): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-runbook-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const name of ['package.json', 'scripts', 'node_modules']) await symlink(path.join(root, name), path.join(folder, name))
  return folder
}

/** A running service of this database, whose log is in a file of the folder as an operator would have it. */
async function serve (t: Test, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const file = path.join(cwd, 'eden-erp.log')
  const log = await open(file, 'w')
  const child = spawn(process.execPath, server, { cwd, env, stdio: ['ignore', log.fd, log.fd] })
  await log.close()
  t.teardown(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
  })
  let base: string | undefined
  await eventually(async () => {
    const text = await readFile(file, 'utf8')
    if (child.exitCode !== null) throw new Error(`it never listened: ${text}`)
    base = /^ {2}API +(http:\S+)\/api$/m.exec(text)?.[1]
    return base !== undefined
  }, 90)
  return base as string
}

/** Databases that may be restored and emptied, on a server for which there is a pg_dump; undefined where there is none. */
async function databasesToRestore (t: Test, url: string): Promise<{ source: string, empty: string, bin: string } | undefined> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows: [row] } = await client.query<{ num: number }>("select current_setting('server_version_num')::int as num")
  await client.end()
  const program = await findProgram('pg_dump', Math.floor((row?.num ?? 0) / 10000)).catch(() => undefined)
  if (program !== undefined) return { source: await createTestDatabase(t as never), empty: await emptyDatabase(t as never), bin: path.dirname(program.file) }
  if (!await isThere(path.join(debian, 'pg_dump'))) return undefined
  const cluster = await startThrowawayCluster({ env: { ...process.env, PG_BIN: debian } })
  t.teardown(cluster.stop)
  await execute(cluster.url, "create database source template template0 encoding 'UTF8'", "create database empty template template0 encoding 'UTF8'")
  await migrateToLatest(databaseUrl(cluster.url, 'source'))
  return { source: databaseUrl(cluster.url, 'source'), empty: databaseUrl(cluster.url, 'empty'), bin: debian }
}

/** Something of everything that is looked for, in the log and in the audit log: a failure, a refusal, a guest, a slow statement and its plan. */
async function goWrong (url: string, base: string, logFile: string): Promise<void> {
  const headers = { 'x-dev-email': 'admin@edenmep.ca' }
  await execute(url, 'alter table companies rename to companies_away')
  await fetch(`${base}/api/companies`, { headers })
  await execute(url, 'alter table companies_away rename to companies')
  await fetch(`${base}/api/projects`)
  const [project] = await (await fetch(`${base}/api/projects?limit=1`, { headers })).json() as { id: string }[]
  const link = { name: 'The architect', project_id: project?.id, expires_at: new Date(Date.now() + 3_600_000).toISOString() }
  const { token } = await (await fetch(`${base}/api/guest-links`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(link) })).json() as { token: string }
  t.equal((await fetch(`${base}/api/guest/${token}`)).status, 200)
  await eventually(async () => (await fetch(`${base}/api/health/ready`)).status === 200)
  await eventually(async () => {
    await fetch(`${base}/api/reports/tasks/status`, { headers })
    const log = await readFile(logFile, 'utf8')
    return ['request failed', 'slow statement', 'plan of a slow statement', '"security"'].every((what) => log.includes(what))
  })
}

/** What a block says that must not be done to the database of the service that runs. */
const changes = /db:rollback|db:push|db:backup|db:restore|\bpg_dump |data_backup\.sql/
const commandBlocks = (page: string) => blocksOf(page).filter(({ language }) => language === 'bash' || language === 'sql')

await t.test('every command of the runbook and of the checklist does what it says', { skip: withoutPrograms, timeout: 290_000 }, async (t) => {
  const cwd = await projectFolder(t)
  const url = await createTestDatabase(t as never)
  await seedDatabase(url, { tasks: 200, seed: 1 })
  const files = path.join(cwd, 'files')
  const common = { PATH: process.env.PATH, DATABASE_URL: url, JWT_SECRET, METRICS_TOKEN, FILES_DIR: files }
  const base = await serve(t, cwd, { ...common, NODE_ENV: 'development', HOST: '127.0.0.1', PORT: '0', JOBS_ENABLED: 'false', PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0', DB_SLOW_QUERY_MS: '1', DB_SLOW_QUERY_PLANS: 'true' })
  await goWrong(url, base, path.join(cwd, 'eden-erp.log'))
  const env = { ...common, PORT: new URL(base).port, SMOKE_TIMEOUT_MS: '60000', SMOKE_METRICS_TOKEN: METRICS_TOKEN, npm_config_update_notifier: 'false' }

  await t.test('every endpoint of its table answers', async (t) => {
    const rows = rowsOf(sectionOf(runbook, 'key-endpoints'), 'Endpoint')
    t.ok(rows.length >= 8)
    for (const [cell = ''] of rows) {
      const { status } = await fetch(base + cell.replaceAll('`', ''), { headers: { authorization: `Bearer ${METRICS_TOKEN}` } })
      t.equal(status, 200, cell)
    }
  })

  // Nothing in one of these is seen by another: they take turns on the processors only.
  t.jobs = 3
  await Promise.all([
    t.test('the runbook', { buffered: true, timeout: 270_000 }, async (t) => {
      for (const block of commandBlocks(runbook).filter((block) => !changes.test(block.text))) await (block.language === 'sql' ? runSql : runCommands)(t, block, { cwd, base, env })
    }),

    t.test('what of the runbook rolls back, backs up and restores, on databases of its own', { buffered: true, timeout: 270_000 }, async (t) => {
      const trial = await createTestDatabase(t as never)
      const toRestore = await databasesToRestore(t, url)
      if (toRestore !== undefined) await seedDatabase(toRestore.source, { tasks: 60, seed: 1 })
      for (const block of commandBlocks(runbook).filter((block) => changes.test(block.text))) {
        if (/db:rollback|db:push/.test(block.text)) await runCommands(t, block, { cwd, base, env: { ...env, DATABASE_URL: trial } })
        else if (toRestore === undefined) t.pass(`line ${block.line}`, { skip: 'there is no pg_dump as new as the server: apt-get install postgresql-15' })
        else {
          const { source, empty, bin } = toRestore
          const putsBackTables = /^psql .*< data_backup\.sql/m.test(block.text)
          if (putsBackTables) await execute(source, 'drop table users, projects, tasks cascade')
          await runCommands(t, block, { cwd, base, env: { ...env, PATH: `${bin}:${env.PATH}`, DATABASE_URL: source, RESTORE_URL: empty } })
          if (putsBackTables) await execute(source, "do $$ begin assert (select count(*) from tasks) = 60, 'the tasks are back'; end $$")
        }
      }
    }),

    t.test('the checklist, on a service in production', { buffered: true, timeout: 270_000 }, async (t) => {
      const app = await buildApp(parseConfig({ ...QUIET, ...common, NODE_ENV: 'production', DB_POOL_MAX: '3' }))
      t.teardown(() => app.close())
      const address = await app.listen({ host: '127.0.0.1', port: 0 })
      for (const block of commandBlocks(checklist)) await runCommands(t, block, { cwd, base: address, env })
    })
  ])
})

await t.test('a block is run, or names what is there', async (t) => {
  const manifest = await read('deploy/kubernetes/deployment.yaml')
  const blocks = blocksOf(runbook)
  t.same([...new Set(blocks.map(({ language }) => language))].sort(), ['bash', 'console', 'sql'])
  for (const line of blocks.filter(({ language }) => language === 'console').flatMap(({ text }) => text.trim().split('\n'))) {
    t.match(line, /^(systemctl|journalctl|kubectl -n eden-erp|docker) .*\beden-erp\b|component=server/)
    for (const [, name] of line.matchAll(/deployment\/(\S+)/g)) t.match(manifest, new RegExp(`kind: Deployment\\nmetadata:\\n +name: ${name}\\n`), line)
    for (const [, key, value] of line.matchAll(/ -l (\S+)=(\S+)/g)) t.ok(manifest.includes(`${key}: ${value}`), line)
    if (/^(systemctl|journalctl)/.test(line)) t.ok(await isThere(path.join(root, 'deploy/systemd/eden-erp.service')), line)
  }
})

await t.test('a command is judged by its output', async (t) => {
  t.equal(differs('{"alive": true, "timestamp": "..."}', '{"alive":true,"timestamp":"2026-11-28"}'), undefined)
  t.equal(differs('{"alive": true, "timestamp": "..."}', '{"alive":false,"timestamp":"2026-11-28"}'), '.alive is false, not true')
  t.equal(differs('{"alive": true, "timestamp": "..."}', '{"alive":true}'), '.timestamp is missing')
  t.equal(differs('{"alive": true}', '{"alive":true,"more":1}'), '.more is not expected')
  t.equal(differs('{"alive": true}', 'Bad Gateway'), '"Bad Gateway" is not JSON')
  t.equal(differs('[]', '[1]'), '.0 is not expected')
  t.equal(differs('... ok, 0 failed', '3 ok, 1 failed'), '"3 ok, 1 failed" is not "... ok, 0 failed"')
  t.equal(differs('401', '200'), 'it is 200, not 401')
  t.equal(problemOf("curl x | jq '.nothing'", 'null\n', '', undefined), 'there is nothing of that name')
  t.equal(problemOf('npm run job -- <name>', '', '', undefined), 'it has a placeholder')
  t.equal(problemOf('psql x < y', '', 'ERROR:  relation "tasks" already exists', undefined), 'it reports an error')
})

await t.test('links and sections lead somewhere', async (t) => {
  const pages = ['docs/runbook.md', 'docs/deployment.md', 'docs/post-deploy-checklist.md']
  for (const page of pages) {
    const text = await read(page)
    for (const [, link = ''] of proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? page : path.join(path.dirname(page), file)
      if (!t.ok(await isThere(path.join(root, target)), `${page}: ${link}`) || anchor === undefined) continue
      t.ok(anchorsOf(await read(target)).has(anchor), `${page}: ${link}`)
    }
  }
  const anchors = anchorsOf(runbook)
  const folders = ['plugins', 'commands', 'docs/monitoring']
  const files = (await Promise.all(folders.map(async (folder) => (await readdir(path.join(root, folder), { recursive: true })).map((file) => path.join(folder, file))))).flat().filter((file) => /\.(ts|yml|json|md)$/.test(file))
  const named = new Set((await Promise.all(files.map(read))).flatMap((text) => [...text.matchAll(/docs\/runbook\.md#([\w-]+)/g)].map(([, anchor]) => anchor as string)))
  t.ok(named.size >= 8, `${named.size} sections are named`)
  for (const anchor of named) t.ok(anchors.has(anchor), `docs/runbook.md#${anchor}`)
})

await t.test('every cause, event, message, variable and script that the runbook names is there, and each cause in its section', async (t) => {
  const own = [...(await read('plugins/errors.ts')).matchAll(/code: '(\w+)', runbook: 'docs\/runbook\.md#([\w-]+)'/g)]
  for (const section of new Set(causes.map(({ runbook }) => runbook.split('#')[1] as string))) {
    const rows = rowsOf(sectionOf(runbook, section), 'cause')
    const inCode = causes.filter((cause) => cause.runbook.endsWith(`#${section}`))
    t.same(rows.map(([code]) => code).sort(), [...inCode.map(({ code }) => `\`${code}\``), ...own.filter(([, , at]) => at === section).map(([, code]) => `\`${code}\``)].sort(), section)
    for (const { code, message } of inCode) t.equal(rows.find(([cell]) => cell === `\`${code}\``)?.[1], message, code)
  }
  t.same(Object.fromEntries(rowsOf(sectionOf(runbook, 'security-monitoring'), '`security`').map(([event = '', when]) => [event.replaceAll('`', ''), when])), securityEvents)

  const sources = (await Promise.all((await readdir(path.join(root, 'plugins'), { recursive: true })).filter((file) => file.endsWith('.ts')).map((file) => read(path.join('plugins', file))))).join('\n')
  const said = [...rowsOf(sectionOf(runbook, 'issue-authentication-failures'), 'reason'), ...rowsOf(sectionOf(runbook, '5-review-application-logs'), '`msg`'), ...rowsOf(sectionOf(runbook, 'issue-service-is-down'), '`reason` of `/api/health/ready`')]
    .flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, text = '']) => text === 'security' ? [] : text.replace('under pressure: ', '').split('...').map((part) => part.trim()).filter(Boolean)))
  t.ok(said.length > 20)
  for (const text of new Set(said)) t.ok(sources.includes(text.replace(/:$/, '')), `"${text}" is said`)

  const smoke = await read('scripts/prod-smoke-test.js')
  const errors = await read('docs/errors.md')
  const set = new Set(['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'RESTORE_URL', ...blocksOf(runbook).flatMap(({ text }) => [...text.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name))])
  for (const name of new Set(runbook.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g))) {
    t.ok(name in ConfigSchema.properties || set.has(name) || smoke.includes(name) || errors.includes(`\`${name}\``), name)
  }
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
  for (const [, name = ''] of `${runbook}${checklist}`.matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)) t.ok(name in scripts, `npm run ${name}`)
})
