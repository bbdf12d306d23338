import t from 'tap'
import { buildApp } from '../../app.js'
import { parseConfig } from '../../plugins/config.js'
import { createTestDatabase, execute } from '../database.js'
import { eventually, QUIET } from '../helper.js'
import { startProxy } from './proxy.js'

/** How long a probe may wait for the database in these drills, and how long its answer may take on a busy machine. */
const PROBE_TIMEOUT_MS = 900
const PATIENCE_MS = 5000

const url = await createTestDatabase(t)
const target = new URL(url)
const proxy = await startProxy({ host: target.hostname, port: Number(target.port) })
t.teardown(() => proxy.close())
target.host = `127.0.0.1:${proxy.port}`
const app = await buildApp(parseConfig({
  ...QUIET,
  DATABASE_URL: target.href,
  JWT_SECRET: 'a secret for drills only, at least 32 long',
  DB_POOL_MAX: '2',
  PROBE_TIMEOUT_MS: String(PROBE_TIMEOUT_MS),
  DB_SLOW_QUERY_MS: '400',
  PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '500'
}))
t.teardown(() => app.close())
await app.ready()

const ask = async (path: string) => {
  const began = performance.now()
  const { statusCode, body } = await app.inject(path)
  return { status: statusCode, took: performance.now() - began, body: JSON.parse(body) }
}
const probes = async () => {
  const [live, ready, quick, detailed, status, ping] = await Promise.all(['/api/health/live', '/api/health/ready', '/api/health/quick', '/api/health/detailed', '/api/health/status', '/db/ping'].map(ask))
  return { live, ready, quick, detailed, status, ping } as Record<'live' | 'ready' | 'quick' | 'detailed' | 'status' | 'ping', Awaited<ReturnType<typeof ask>>>
}
type Probes = Awaited<ReturnType<typeof probes>>
const isWell = ({ ready, detailed }: Probes) => ready.status === 200 && detailed.body.status === 'healthy'
const checksOf = (found: Probes) => found.detailed.body.checks

interface Drill {
  fault: string
  begin: () => Promise<unknown> | unknown
  end: () => Promise<unknown> | unknown
  /** When the fault has come through: an answer is kept for a second. */
  until: (found: Probes) => boolean
  /** What `ready` says, or undefined while it stays ready. */
  reason?: RegExp
  /** The check that is not healthy, and what it says. */
  check: 'database' | 'schema' | 'api'
  says: RegExp
  degraded?: boolean
  patience?: number
}

const drills: Drill[] = [
  {
    fault: 'the database is gone',
    begin: () => proxy.cut(),
    end: () => proxy.restore(),
    until: ({ ready }) => ready.status === 503,
    reason: /^database unreachable: .+see docs\/runbook\.md#issue-/,
    check: 'database',
    says: /see docs\/runbook\.md#issue-/
  },
  {
    fault: 'the database hangs',
    begin: () => proxy.pause(),
    end: () => proxy.restore(),
    until: ({ ready }) => ready.status === 503,
    reason: /^database unreachable: (no answer in time|every connection of the pool)/,
    check: 'database',
    says: /^(no answer in time|every connection of the pool)/
  },
  {
    fault: 'the database is slow',
    begin: () => proxy.slow(250),
    end: () => proxy.restore(),
    until: ({ detailed }) => detailed.body.checks.database.status === 'degraded',
    check: 'database',
    says: /^slow: it took \d+ ms to answer/,
    degraded: true
  },
  (() => {
    const held: { release: () => void }[] = []
    return {
      fault: 'the pool is full',
      begin: async () => { for (let i = 0; i < 2; i++) held.push(await app.pool.connect()) },
      end: () => { for (const client of held) client.release() },
      until: ({ ready }: Probes) => ready.status === 503,
      reason: /^database unreachable: every connection of the pool is in use/,
      check: 'database' as const,
      says: /^every connection of the pool is in use.+see docs\/runbook\.md#issue-high-response-times/
    }
  })(),
  {
    fault: 'a table is missing',
    begin: () => execute(url, 'alter table contacts rename to contacts_elsewhere'),
    end: () => execute(url, 'alter table contacts_elsewhere rename to contacts'),
    until: ({ ready }) => ready.status === 503,
    reason: /^missing tables: contacts: run npm run db:push; see docs\/runbook\.md#issue-database-schema-mismatch$/,
    check: 'schema',
    says: /^missing tables: contacts/
  },
  {
    fault: 'a column is missing',
    begin: () => execute(url, 'alter table contacts rename column phone to telephone'),
    end: () => execute(url, 'alter table contacts rename column telephone to phone'),
    until: ({ ready }) => ready.status === 503,
    reason: /^missing columns: contacts\.phone: run npm run db:push/,
    check: 'schema',
    says: /^missing columns: contacts\.phone/
  },
  {
    fault: 'a migration is pending',
    begin: () => execute(url, 'create table kept as select * from kysely_migration', "delete from kysely_migration where name like '%_task_notices'"),
    end: () => execute(url, 'insert into kysely_migration select * from kept on conflict do nothing', 'drop table kept'),
    until: ({ ready }) => ready.status === 503,
    reason: /^migrations pending: \d{14}_task_notices$/,
    check: 'schema',
    says: /^migrations pending: \d{14}_task_notices: run npm run db:push/
  },
  (() => {
    let isBlocking = false
    /** Works for so long again and again, with one turn of the loop for everybody else in between. */
    function block () {
      const end = performance.now() + 800
      while (performance.now() < end);
      if (isBlocking) setImmediate(block)
    }
    return {
      fault: 'the event loop is blocked',
      begin: () => { isBlocking = true; setImmediate(block) },
      end: () => { isBlocking = false },
      // It is measured once a second: the probes of one round may see two measures.
      until: ({ ready, quick, detailed, status }: Probes) => quick.status === 503 &&
        [ready.body.reason, detailed.body.checks.api.message, status.body.health.checks.api.message].every((text) => String(text).startsWith('under pressure')),
      reason: /^under pressure: the event loop is .+ late, of 500 ms allowed/,
      check: 'api' as const,
      says: /^under pressure: the event loop is/,
      patience: 20_000 // nothing answers while the loop is not free
    }
  })()
]

for (const { fault, begin, end, until, reason, check, says, degraded = false, patience = PATIENCE_MS } of drills) {
  await t.test(fault, async (t) => {
    await eventually(async () => isWell(await probes()))
    await begin()
    let found: Probes | undefined
    const began = performance.now()
    try {
      await eventually(async () => { found = await probes(); return until(found) })
      const came = performance.now() - began
      const { live, ready, quick, detailed, status, ping } = found as Probes
      t.same([live.status, live.body.alive], [200, true], 'it lives')
      t.same([ready.status, quick.status, detailed.status], degraded ? [200, 200, 200] : [503, 503, 503])
      if (reason !== undefined) t.match(ready.body.reason, reason)
      t.match(quick.body, degraded ? { healthy: true, status: 'healthy' } : { healthy: false, status: 'unhealthy' })
      t.match(detailed.body, { healthy: degraded, status: degraded ? 'degraded' : 'unhealthy' })
      t.match(checksOf(found as Probes)[check], { healthy: degraded, status: degraded ? 'degraded' : 'unhealthy', message: says })
      t.match(status.body.health.checks[check].message, says, 'status says the same')
      t.equal(ping.status, check === 'database' && !degraded ? 503 : 200)
      for (const { took } of [live, ready, quick, detailed, status, ping]) t.ok(took < patience, `within the time of a probe: ${Math.round(took)} ms`)
      t.comment(`${fault}: after ${Math.round(came)} ms live 200, ready ${ready.status} ${JSON.stringify(ready.body.reason ?? 'ready')}, detailed ${detailed.status} ${check}: ${JSON.stringify(checksOf(found as Probes)[check].message)}`)
    } finally {
      await end()
    }
    const ended = performance.now()
    await eventually(async () => isWell(await probes()))
    t.comment(`${fault}: well again after ${Math.round(performance.now() - ended)} ms`)
  })
}
