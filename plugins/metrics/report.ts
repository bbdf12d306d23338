import type { Counter, Histogram, Registry } from 'prom-client'
import { Type, type Static } from 'typebox'
import { createCpuReader, readMemory } from './system.js'
import type { Recorder } from './window.js'

const Count = (description?: string) => Type.Integer({ minimum: 0, ...description === undefined ? {} : { description } })
const Counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })
const Milliseconds = Type.Number({ minimum: 0 })
const durations = { avg: Milliseconds, min: Milliseconds, max: Milliseconds, p50: Milliseconds, p95: Milliseconds, p99: Milliseconds }

export const MemorySchema = Type.Object({
  heapUsed: Count(), heapTotal: Count(), heapLimit: Count(), rss: Count(), external: Count(), usagePercent: Type.Number({ description: 'of the limit that ends the process' })
}, { description: 'bytes' })
export const CpuSchema = Type.Object({ user: Milliseconds, system: Milliseconds, percent: Type.Number() }, { description: 'milliseconds since the start; percent of one core, lately' })

const RecentError = Type.Object({
  timestamp: Type.String({ format: 'date-time' }),
  type: Type.String({ description: 'the code of the problem' }),
  message: Type.String(),
  route: Type.String({ description: 'the template' }),
  requestId: Type.String({ description: 'as in the log' })
})
export type RecentError = Static<typeof RecentError>

/** The answer of `/api/health/metrics`; the names and units are the runbook's. */
export const Metrics = Type.Object({
  timestamp: Type.String({ format: 'date-time' }),
  uptime: Type.Number({ description: 'seconds' }),
  windowSeconds: Type.Number({ description: 'how far back rates and times look' }),
  requests: Type.Object({
    total: Count('answers since the start, to probes too'),
    rate: Type.Number({ description: 'per second, over the window' }),
    byMethod: Counts('since the start'),
    byStatus: Counts('since the start'),
    topPaths: Type.Array(Type.Object({ path: Type.String({ description: 'the template' }), count: Count(), avg: Milliseconds }), { description: 'the ten that are asked most' })
  }),
  responseTime: Type.Object({ ...durations, sinceStart: Type.Object(durations) }, { description: 'milliseconds, over the window; without probes, files and streams' }),
  errors: Type.Object({
    total: Count('answers of 500 and above since the start, without probes'),
    rate: Type.Number({ description: 'per second, over the window' }),
    percent: Type.Number({ description: 'of what was asked in the window, without probes' }),
    byType: Counts('by problem code, since the start'),
    recent: Type.Array(RecentError, { description: 'the newest first' })
  }),
  database: Type.Object({
    queries: Count('statements since the start'),
    errors: Count('of these failed; what a client asked for and cannot be does not count'),
    avgQueryTime: Type.Number({ description: 'milliseconds, over the window' }),
    errorRate: Type.Number({ description: 'percent of the statements in the window' }),
    slowQueries: Count('slower than DB_SLOW_QUERY_MS, since the start'),
    connections: Type.Object({ active: Count(), idle: Count(), waiting: Count(), max: Count() })
  }),
  system: Type.Object({ memory: MemorySchema, cpu: CpuSchema, uptime: Type.Number(), nodeVersion: Type.String() })
})
export type Metrics = Static<typeof Metrics>

interface Sources {
  registry: Registry
  recorder: Recorder
  recent: readonly RecentError[]
  connections: () => Metrics['database']['connections']
  errors: Counter<'type'>
  statements: Histogram
  slow: Counter
}

const TOP = 10
const rounded = (value: number) => Math.round(value * 1000) / 1000
const percent = (part: number, whole: number) => whole === 0 ? 0 : rounded(100 * part / whole)

interface Sample { metricName?: string, labels: Record<string, string | number>, value: number }

/** The `_count` or `_sum` of each label set of a histogram. */
async function samplesOf (histogram: Pick<Histogram, 'get'>, suffix: 'count' | 'sum'): Promise<Sample[]> {
  const { values } = await histogram.get()
  return (values as Sample[]).filter(({ metricName }) => metricName?.endsWith(`_${suffix}`))
}

function addUp (samples: Sample[], label: string): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { labels, value } of samples) sums[String(labels[label])] = (sums[String(labels[label])] ?? 0) + value
  return sums
}
const sum = (samples: Sample[]) => samples.reduce((all, { value }) => all + value, 0)

/** Reads the counters that Prometheus reads, in the shape that people read. */
export function createReport ({ registry, recorder, recent, connections, errors, statements, slow }: Sources): () => Promise<Metrics> {
  const readCpu = createCpuReader()
  const routes = registry.getSingleMetric('http_request_duration_seconds') as unknown as Histogram
  return async () => {
    const lately = recorder.lately()
    const answers = await samplesOf(routes, 'count')
    const times = addUp(await samplesOf(routes, 'sum'), 'route')
    const queries = await samplesOf(statements, 'count')
    const failures = ((await errors.get()).values as Sample[]).filter(({ value }) => value > 0)
    const uptime = rounded(process.uptime())
    return {
      timestamp: new Date().toISOString(),
      uptime,
      windowSeconds: recorder.seconds,
      requests: {
        total: sum(answers),
        rate: rounded(lately.answers / lately.seconds),
        byMethod: addUp(answers, 'method'),
        byStatus: addUp(answers, 'status_code'),
        topPaths: Object.entries(addUp(answers, 'route')).sort(([, a], [, b]) => b - a).slice(0, TOP)
          .map(([path, count]) => ({ path, count, avg: rounded(1000 * (times[path] ?? 0) / count) }))
      },
      responseTime: { ...recorder.durationsLately(), sinceStart: recorder.durationsSinceStart() },
      errors: {
        total: sum(failures),
        rate: rounded(lately.errors / lately.seconds),
        percent: percent(lately.errors, lately.requests),
        byType: addUp(failures, 'type'),
        recent: [...recent]
      },
      database: {
        queries: sum(queries),
        errors: sum(queries.filter(({ labels }) => labels['outcome'] === 'error')),
        avgQueryTime: lately.queries === 0 ? 0 : rounded(lately.queryMilliseconds / lately.queries),
        errorRate: percent(lately.queryErrors, lately.queries),
        slowQueries: sum((await slow.get()).values as Sample[]),
        connections: connections()
      },
      system: { memory: readMemory(), cpu: readCpu(), uptime, nodeVersion: process.version }
    }
  }
}
