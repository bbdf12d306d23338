import { setTimeout as pause } from 'node:timers/promises'
import type { PrometheusAlert } from './prometheus.js'

/** Alerts by their name in the table of thresholds, as `error_rate critical`; only the worse of two, as Alertmanager does it. */
export type Names = string[]

/** What is said at one look. `service` is undefined while it does not answer. */
export interface Look { pending: Names, firing: Names, causes: Names, service: Names | undefined }

/** When something was first and last seen, in milliseconds of performance.now(). */
interface Seen { first: number, last: number }
export interface Sightings { pending: Map<string, Seen>, firing: Map<string, Seen>, service: Map<string, Seen> }

const severities = ['critical', 'warning']

function worst (found: { name: string, severity: string }[]): Names {
  return found
    .filter(({ name, severity }) => severity === 'critical' || !found.some((other) => other.name === name && other.severity === 'critical'))
    .map(({ name, severity }) => `${name} ${severity}`).sort()
}

/** The alerts that the service itself tells; undefined when it does not answer soon. */
async function askService (address: string): Promise<Names | undefined> {
  try {
    const answer = await fetch(`http://${address}/api/health/status`, { signal: AbortSignal.timeout(2000) })
    return worst(((await answer.json()) as { alerts: { name: string, severity: string }[] }).alerts)
  } catch {
    return undefined
  }
}

/**
 * Looks at what Prometheus and the service say, again and again, until both are as wanted.
 * @param ask.alerts those of Prometheus
 * @param ask.address where the service is
 * @returns when each alert was seen
 * @throws after `withinMs` with what was said last
 */
export async function watch (
  ask: { alerts: () => Promise<PrometheusAlert[]>, address: string },
  wanted: (look: Look) => boolean,
  { what, withinMs, sightings = { pending: new Map(), firing: new Map(), service: new Map() } }: { what: string, withinMs: number, sightings?: Sightings }
): Promise<Sightings> {
  const note = (seen: Map<string, Seen>, names: Names, at: number) => {
    for (const name of names) seen.set(name, { first: seen.get(name)?.first ?? at, last: at })
  }
  const start = performance.now()
  for (;;) {
    const [alerts, service] = await Promise.all([ask.alerts(), askService(ask.address)])
    const at = performance.now()
    const ofTable = (state: string) => alerts.filter((alert) => alert.state === state && severities.includes(alert.labels.severity ?? ''))
      .flatMap(({ labels: { name, severity = '' } }) => name === undefined ? [] : [{ name, severity }])
    const look: Look = {
      pending: ofTable('pending').map(({ name, severity }) => `${name} ${severity}`),
      firing: worst(ofTable('firing')),
      causes: alerts.filter(({ state, labels }) => state === 'firing' && labels.name === undefined).map(({ labels }) => labels.alertname ?? ''),
      service
    }
    note(sightings.pending, look.pending, at)
    note(sightings.firing, ofTable('firing').map(({ name, severity }) => `${name} ${severity}`), at)
    note(sightings.service, service ?? [], at)
    if (wanted(look)) return sightings
    if (at - start > withinMs) throw new Error(`${what}: not within ${withinMs / 1000} s; last seen ${JSON.stringify(look)}`)
    await pause(150)
  }
}
