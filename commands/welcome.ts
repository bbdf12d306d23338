import type { Config } from '../plugins/config.js'

/** What a person wants to know when the service has started; outside production with a line to paste. */
export function welcome ({ NODE_ENV: environment, AUTH_DEV_HEADERS: devHeaders }: Config, address: string): string {
  const base = address.replace('0.0.0.0', 'localhost').replace('[::]', 'localhost')
  const lines = [
    '',
    'Eden ERP is ready.',
    `  API      ${base}/api`,
    `  Docs     ${base}/docs`,
    `  Health   ${base}/api/health/ready`,
    `  Metrics  ${base}/metrics`
  ]
  if (environment !== 'production' && devHeaders !== false) {
    lines.push('', 'Try it:', `  curl -H "X-Dev-Email: admin@edenmep.ca" "${base}/api/tasks?overdue=true&sort=due_at&limit=3"`)
  }
  return [...lines, ''].join('\n')
}
