/**
 * The alerts of docs/monitoring with a real Prometheus over the real service, which is broken in one way after another: each
 * alert fires, in Prometheus and in `/api/health/status`, and clears. Minutes are hurried; thresholds are as they are.
 */
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { createTestDatabase } from '../database.js'
import { withoutPrometheus } from '../monitoring/prometheus.js'
import { startPrometheus } from './prometheus.js'
import { startProxy } from './proxy.js'
import { serve } from './served.js'
import { watch, type Look } from './watch.js'

/** Ranges and `for` are divided by this, and the clock of the service runs so many times faster: a minute takes a second. */
const TIMES = 60
const WITHIN_MS = 30_000
/** It takes less than a minute; a busy machine takes its time. */
const LONGEST_MS = 200_000
const METRICS_TOKEN = 'a token of the drill'
const ADMIN = '01900000-0000-7000-8000-000000000001'
const headers = { 'x-dev-email': 'admin@example.com', 'content-type': 'application/json' }

t.setTimeout(LONGEST_MS)
await t.test('every alert fires and clears, and Prometheus and the service name the same ones', { skip: withoutPrometheus, timeout: LONGEST_MS }, async (t) => {
  const url = await createTestDatabase(t)
  const database = new pg.Client({ connectionString: url, application_name: 'eden-test' })
  await database.connect()
  t.teardown(() => database.end())
  await database.query(`
    insert into users (id, email, name) values ('${ADMIN}', 'admin@example.com', 'Ada Min');
    insert into user_roles select '${ADMIN}', id from roles where slug = 'admin';
    create schema drill;
    create table drill.delay (seconds numeric);
    create function drill.wait () returns trigger language plpgsql as $$ begin perform pg_sleep(coalesce(max(seconds), 0)) from drill.delay; return new; end $$;
    create trigger drill_wait before insert on projects for each row execute function drill.wait()`)

  const target = new URL(url)
  const proxy = await startProxy({ host: target.hostname, port: Number(target.port) })
  t.teardown(() => proxy.close())
  target.host = `127.0.0.1:${proxy.port}`
  const service = await serve({
    heapMebibytes: 320,
    environment: {
      DATABASE_URL: target.href,
      JWT_SECRET: 'a secret for tests only, at least 32 long', // without one it is degraded
      METRICS_TOKEN,
      METRICS_WINDOW_SECONDS: '5',
      PROBE_TIMEOUT_MS: '500',
      JOBS_ENABLED: 'false',
      LOG_LEVEL: 'fatal',
      PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0',
      PRESSURE_MAX_HEAP_BYTES: '0',
      DRILL_CLOCK_TIMES: String(TIMES)
    }
  })
  t.teardown(() => service.end())
  const prometheus = await startPrometheus({ address: service.address, token: METRICS_TOKEN, times: TIMES })
  t.teardown(() => prometheus.end())

  // People at work: one after the other, as fast as they are answered but not faster than twenty a second.
  let mode: 'read' | 'write' = 'read'
  const evening = new AbortController()
  const api = (path: string, init: RequestInit = {}) => fetch(`http://${service.address}${path}`, { headers, ...init, signal: AbortSignal.timeout(20_000) })
  const requests = {
    read: () => api('/api/projects?limit=1'),
    write: (number: number) => api('/api/projects', { method: 'POST', body: JSON.stringify({ code: `D-${number}`, name: 'A drill' }) })
  }
  let count = 0
  const work = Promise.all([1, 2, 3, 4].map(async () => {
    while (!evening.signal.aborted) {
      await requests[mode](++count).then((answer) => answer.arrayBuffer()).catch(() => {}) // answers are counted over there
      await pause(mode === 'write' ? 0 : 200)
    }
  }))
  t.teardown(async () => { evening.abort(); service.signal('SIGKILL'); await work })

  const ask = { alerts: prometheus.alerts, address: service.address }
  const same = ({ firing, service }: Look) => JSON.stringify(firing) === JSON.stringify(service)
  const quiet = ({ pending, firing, causes, service }: Look) => pending.length + firing.length + causes.length + (service?.length ?? 1) === 0
  await watch(ask, quiet, { what: 'nothing is wrong yet', withinMs: WITHIN_MS })

  const table = [['alert', 'fault', 'Prometheus: pending, fired, cleared after', 'service: said, cleared after']]
  interface Drill {
    fault: string
    begin: () => unknown
    end: () => unknown
    /** What both say of it in the end. */
    alerts: string[]
    /** What Prometheus says beside it. */
    causes?: string[]
    /** The service cannot say it: it is the service that is gone. */
    isMute?: boolean
  }
  async function drill ({ fault, begin, end, alerts, causes = [], isMute = false }: Drill): Promise<void> {
    const began = performance.now()
    await begin()
    const sightings = await watch(ask, (look) => alerts.every((name) => look.firing.includes(name)) &&
      causes.every((name) => look.causes.includes(name)) && (isMute ? look.service === undefined : same(look)), { what: `${fault}: ${alerts.join(', ')}`, withinMs: WITHIN_MS })
    const ended = performance.now()
    await end()
    await watch(ask, quiet, { what: `${fault}: over`, withinMs: WITHIN_MS, sightings })
    const after = (at: number | undefined, from: number) => at === undefined ? '-' : `${(Math.max(0, at - from) / 1000).toFixed(1)} s`
    const isOfFault = (name: string) => alerts.some((alert) => alert.split(' ')[0] === name.split(' ')[0])
    for (const name of [...sightings.firing.keys()].filter(isOfFault).sort()) {
      const [pending, firing, said] = [sightings.pending.get(name), sightings.firing.get(name), sightings.service.get(name)]
      table.push([name, fault, `${after(pending?.first, began)}, ${after(firing?.first, began)}, ${after(firing?.last, ended)}`, `${after(said?.first, began)}, ${after(said?.last, ended)}`])
    }
    t.pass(`${fault}: ${alerts.join(', ')}, and over`)
  }

  await drill({
    fault: 'writes take 5.3 s, the heap is full',
    begin: async () => {
      await database.query('insert into drill.delay values (5.3)')
      mode = 'write'
      service.request({ heapShare: 0.93 })
    },
    end: async () => {
      service.request({ heapShare: 0 })
      mode = 'read'
      await database.query('delete from drill.delay')
    },
    alerts: ['memory_usage critical', 'response_time_avg critical', 'response_time_p95 critical']
  })
  await drill({
    fault: 'a table is missing',
    begin: () => database.query('alter table projects rename to projects_drill'),
    end: () => database.query('alter table projects_drill rename to projects'),
    alerts: ['database_errors critical', 'error_rate critical', 'service_downtime critical'],
    causes: ['EdenNotReady', 'EdenSchemaMismatch']
  })
  await drill({
    fault: 'the database is gone',
    begin: () => proxy.cut(),
    end: () => proxy.restore(),
    alerts: ['database_errors critical', 'error_rate critical', 'service_downtime critical'],
    causes: ['EdenNotReady', 'EdenQuickHealthFailing']
  })
  await drill({
    fault: 'the process stands still',
    begin: () => service.signal('SIGSTOP'),
    end: () => service.signal('SIGCONT'),
    alerts: ['service_downtime critical'],
    isMute: true
  })

  const widths = (table[0] ?? []).map((_cell, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  t.comment(table.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')).join('\n'))
})
