import fp from 'fastify-plugin'
import { Gauge } from 'prom-client'
import { readMemory } from '../metrics/system.js'
import { thresholds, type AlertName } from './thresholds.js'

/** A threshold that is exceeded; `value` and `threshold` in the unit of the table. */
export interface Alert { name: AlertName, severity: 'warning' | 'critical', value: number, threshold: number, since: string }

declare module 'fastify' {
  interface FastifyInstance {
    /** The thresholds of the runbook that are exceeded now. */
    alerts: () => Promise<Alert[]>
  }
}

/** How often this instance looks by itself, so that `since` is true although nobody asked. */
const LOOK_MS = 5000
const rounded = (value: number) => Math.round(value * 1000) / 1000
const percent = (part: number, whole: number) => whole === 0 ? 0 : 100 * part / whole

/** Compares what this instance measures, over the window of METRICS_WINDOW_SECONDS, with the runbook's table of thresholds. */
export default fp(async function alerts (app) {
  const { recorder, clock } = app
  const firing = new Map<AlertName, { severity: Alert['severity'], since: string }>()
  let downSince: number | undefined

  async function minutesDown (): Promise<number> {
    if (await app.notReadyReason() === undefined) downSince = undefined
    else downSince ??= clock().getTime()
    return downSince === undefined ? 0 : (clock().getTime() - downSince) / 60_000
  }
  async function measure (): Promise<Record<AlertName, number>> {
    const { requests, errors, queries, queryErrors } = recorder.lately()
    const { avg, p95 } = recorder.durationsLately()
    return {
      response_time_avg: avg,
      response_time_p95: p95,
      error_rate: percent(errors, requests),
      memory_usage: readMemory().usagePercent,
      database_errors: percent(queryErrors, queries),
      service_downtime: await minutesDown()
    }
  }
  async function evaluate (): Promise<Alert[]> {
    const values = await measure()
    const found = thresholds.flatMap(({ name, warning, critical }): Alert[] => {
      const value = values[name]
      const severity = value > critical ? 'critical' : value > warning ? 'warning' : undefined
      if (severity === undefined) return []
      const before = firing.get(name)
      const since = before?.severity === severity ? before.since : clock().toISOString()
      return [{ name, severity, value: rounded(value), threshold: severity === 'critical' ? critical : warning, since }]
    })
    firing.clear()
    for (const { name, severity, since } of found) firing.set(name, { severity, since })
    return found
  }
  app.decorate('alerts', evaluate)

  const gauge = new Gauge({
    name: 'eden_alert',
    help: '1 while a threshold of the runbook is exceeded, as this instance sees it',
    labelNames: ['name', 'severity'],
    registers: [app.registry],
    async collect () {
      const found = await evaluate()
      for (const { name } of thresholds) {
        for (const severity of ['warning', 'critical']) gauge.set({ name, severity }, found.some((alert) => alert.name === name && alert.severity === severity) ? 1 : 0)
      }
    }
  })
  const timer = setInterval(() => { evaluate().catch((err: unknown) => app.log.warn({ err }, 'alerts could not be evaluated')) }, LOOK_MS)
  timer.unref()
  app.addHook('onClose', async () => clearInterval(timer))
}, { name: 'alerts', dependencies: ['settings', 'metrics', 'health'] })
