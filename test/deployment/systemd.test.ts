import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseEnv, promisify } from 'node:util'
import t, { type Test } from 'tap'
import { ConfigError, ConfigSchema, parseConfig } from '../../plugins/config.js'

const folder = path.join(import.meta.dirname, '..', '..', 'deploy', 'systemd')
const unit = await readFile(path.join(folder, 'eden-erp.service'), 'utf8')
const given = parseEnv(await readFile(path.join(folder, 'eden-erp.env.example'), 'utf8')) as Record<string, string>
const run = promisify(execFile)

/** Every directive of the unit, those of one name together. */
const directives = new Map<string, string[]>()
for (const [, name, value] of unit.matchAll(/^([A-Za-z]+)=(.*)$/gm)) directives.set(name as string, [...directives.get(name as string) ?? [], value as string])
const one = (name: string) => directives.get(name)?.[0] ?? ''
const seconds = (name: string) => Number(/^(\d+)s$/.exec(one(name))?.[1])

/** Why what needs systemd-analyze is skipped; false where it is there. */
const skip = await run('systemd-analyze', ['--version']).then(() => false as const, () => 'systemd-analyze is missing: apt-get install systemd')

/** What systemd-analyze says of a unit; Node is where it is on this machine. */
async function analyze (t: Test, text: string, ...argv: string[]): Promise<{ code: number, output: string }> {
  const place = await mkdtemp(path.join(tmpdir(), 'eden-unit-'))
  t.teardown(() => rm(place, { recursive: true, force: true }))
  const file = path.join(place, 'eden-erp.service')
  await writeFile(file, text.replaceAll('/usr/bin/node', process.execPath))
  return run('systemd-analyze', [...argv, file])
    .then(({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }), (error) => ({ code: error.code, output: `${error.stdout}${error.stderr}` }))
}

await t.test('systemd takes every line of the unit, and would say if it did not', { skip }, async (t) => {
  const verdict = await analyze(t, unit, 'verify', '--man=no')
  t.same(verdict, { code: 0, output: '' })
  const broken = await analyze(t, unit.replace('PrivateTmp', 'PrivatTmp').replace(/TimeoutStopSec=.*/, 'TimeoutStopSec=soon'), 'verify', '--man=no')
  t.match(broken.output, /Unknown key.*PrivatTmp/)
  t.match(broken.output, /Failed to parse.*soon/)
})

await t.test('by the measure of systemd it is little exposed', { skip }, async (t) => {
  // 0 is shut up in itself, 10 may do anything. An ordinary service has 9.6.
  const verdict = await analyze(t, unit, 'security', '--offline=true', '--no-pager', '--threshold=20')
  t.equal(verdict.code, 0, verdict.output)
  const open = await analyze(t, unit.replaceAll(/^(Protect|Private|Restrict|Dynamic|SystemCall|Capability).*$/gm, ''), 'security', '--offline=true', '--no-pager', '--threshold=20')
  t.not(open.code, 0, 'an open one is refused')
})

await t.test('it may write to its state alone, and ends before systemd loses patience', async (t) => {
  t.equal(one('DynamicUser'), 'yes')
  t.equal(one('ProtectSystem'), 'strict')
  t.match(one('Environment'), `FILES_DIR=%S/${one('StateDirectory')}/`)
  t.equal(one('KillSignal'), 'SIGTERM')
  t.equal(one('Restart'), 'on-failure')
  t.match(one('ExecStart'), /^\/\S+\/node dist\/server\.js$/, 'Node itself gets the signal')
  const { SHUTDOWN_DELAY_MS: delay, SHUTDOWN_TIMEOUT_MS: timeout } = parseConfig({ SHUTDOWN_DELAY_MS: given.SHUTDOWN_DELAY_MS, SHUTDOWN_TIMEOUT_MS: given.SHUTDOWN_TIMEOUT_MS })
  t.ok(seconds('TimeoutStopSec') * 1000 >= delay + timeout + 10_000)
  t.notOk(directives.has('MemoryDenyWriteExecute'), 'Node could not run with it')
})

await t.test('heap, shedding and limit of memory are in order', async (t) => {
  const heap = Number(/=(\d+)$/.exec(given.NODE_OPTIONS ?? '')?.[1])
  const limit = Number(/^(\d+)G$/.exec(one('MemoryMax'))?.[1]) * 1024
  const shed = Number(given.PRESSURE_MAX_RSS_BYTES) / 1024 ** 2
  t.ok(heap <= limit * 0.75 && heap < shed && shed < limit, `${heap}, ${shed}, ${limit} MiB`)
})

await t.test('the example names known variables, and its placeholders do not start', async (t) => {
  t.same(Object.keys(given).filter((name) => !(name in ConfigSchema.properties) && name !== 'NODE_OPTIONS'), [])
  const production = { NODE_ENV: 'production', ...given }
  t.throws(() => parseConfig(production), ConfigError)
  t.match(parseConfig({ ...production, DATABASE_URL: 'postgresql://db/eden', JWT_SECRET: 'x'.repeat(32), METRICS_TOKEN: 'x'.repeat(16), SMTP_URL: 'smtps://mail.example.com' }), { HOST: '127.0.0.1', MAIL_FROM: 'Eden ERP <erp@your-app.example.com>' })
})
