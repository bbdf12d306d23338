/** What the service and its monitoring watch, each at two thresholds. */
export type AlertName = 'response_time_avg' | 'response_time_p95' | 'error_rate' | 'memory_usage' | 'database_errors' | 'service_downtime'

/** One row of the table of thresholds: a value above `warning` is worth a look, one above `critical` a call at night. */
export interface Threshold {
  name: AlertName
  /** Of both thresholds, and of the value that is compared with them. */
  unit: 'ms' | 'percent' | 'minutes'
  warning: number
  critical: number
  /** What the value is, for whoever reads the alert. */
  description: string
  /** The section that says what to do. */
  runbook: string
}

/**
 * The alert thresholds of the runbook (docs/runbook.md#alert-thresholds). `/api/health/status` evaluates them; the rules
 * in docs/monitoring/alerts.yml repeat them for Prometheus, and a test holds those to these.
 */
export const thresholds: readonly Threshold[] = [
  { name: 'response_time_avg', unit: 'ms', warning: 1000, critical: 2000, description: 'average response time', runbook: 'docs/runbook.md#issue-high-response-times' },
  { name: 'response_time_p95', unit: 'ms', warning: 2000, critical: 5000, description: 'response time that 95 % of the requests stay below', runbook: 'docs/runbook.md#issue-high-response-times' },
  { name: 'error_rate', unit: 'percent', warning: 1, critical: 5, description: 'share of the requests that failed with a status of 500 or above', runbook: 'docs/runbook.md#troubleshooting-guide' },
  { name: 'memory_usage', unit: 'percent', warning: 75, critical: 90, description: 'memory in use, of the limit that kills the process', runbook: 'docs/runbook.md#issue-memory-leak' },
  { name: 'database_errors', unit: 'percent', warning: 0.1, critical: 1, description: 'share of the database statements that failed', runbook: 'docs/runbook.md#issue-database-connection-failed' },
  { name: 'service_downtime', unit: 'minutes', warning: 1, critical: 5, description: 'time for which the service has not been ready', runbook: 'docs/runbook.md#issue-service-is-down' }
]
