import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { thresholds } from '../../plugins/alerts/thresholds.js'
import { check, folder, withoutPrometheus } from './prometheus.js'

interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number, y: number, w: number, h: number }
  fieldConfig?: { defaults: { unit: string, thresholds: { steps: { value: number | null }[] } } }
  targets?: { refId: string, expr: string, datasource: { uid: string } }[]
}
interface Dashboard {
  panels: Panel[]
  templating: { list: { name: string, type: string, query: unknown }[] }
  annotations: { list: { expr: string }[] }
}

const dashboard = JSON.parse(await readFile(path.join(folder, 'dashboard.json'), 'utf8')) as Dashboard
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const expressions = [...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)), ...dashboard.annotations.list.map(({ expr }) => expr)]

await t.test('panels have ids of their own and do not lie on each other', async (t) => {
  t.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
  const cells = new Map<string, string>()
  for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
    t.ok(x >= 0 && x + w <= 24, `${title} is within the 24 columns`)
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const cell = `${column},${line}`
        if (cells.has(cell)) t.fail(`${title} lies on ${cells.get(cell)}`)
        cells.set(cell, title)
      }
    }
  }
})

await t.test('every panel has a title, a unit and something to show, from the chosen Prometheus and instance', async (t) => {
  t.same(dashboard.templating.list.map(({ name, type }) => [name, type]), [['datasource', 'datasource'], ['instance', 'query']])
  for (const { title, fieldConfig, targets = [] } of panels) {
    t.ok(title)
    t.ok(fieldConfig?.defaults.unit, `${title}: unit`)
    t.ok(targets.length > 0, `${title}: a query`)
    t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, `${title}: queries have names of their own`)
    for (const { expr, datasource } of targets) {
      t.equal(datasource.uid, '${datasource}') // eslint-disable-line no-template-curly-in-string -- Grafana's
      // Alerts are of instances that may be gone.
      if (!expr.includes('ALERTS')) t.match(expr, 'instance=~"$instance"', title)
    }
  }
})

await t.test('promtool accepts every query', { skip: withoutPrometheus }, async (t) => {
  const plain = (expr: string) => expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m')
  const rules = expressions.map((expr, number) => ({ record: `query:${number}`, expr: plain(expr) }))
  const own = t.testdir({ 'queries.yml': stringify({ groups: [{ name: 'queries', rules }] }) })
  const { code, output } = await check('promtool', 'check', 'rules', path.join(own, 'queries.yml'))
  t.equal(code, 0, output)
  t.match(output, `SUCCESS: ${expressions.length} rules found`)
})

await t.test('colours change at the thresholds of the alerts', async (t) => {
  const titles: Record<string, string[]> = {
    response_time_avg: ['Average response time'],
    response_time_p95: ['P95 response time', 'P95 against its thresholds'],
    error_rate: ['Error rate', 'Error rate against its thresholds'],
    memory_usage: ['Memory usage', 'Memory usage against its thresholds'],
    database_errors: ['Database errors', 'Database errors against their thresholds'],
    service_downtime: [] // a time, not a value
  }
  for (const { name, unit, warning, critical } of thresholds) {
    for (const title of titles[name] ?? []) {
      const defaults = panels.find((panel) => panel.title === title)?.fieldConfig?.defaults
      t.same(defaults?.thresholds.steps.map(({ value }) => value), [null, warning, critical], title)
      t.equal(defaults?.unit, unit, title)
    }
  }
})

await t.test('everything that the runbook asks to watch has a panel', async (t) => {
  const titles = panels.map(({ title }) => title)
  for (const title of [
    'Requests since start', 'Requests per second', 'Requests by method', 'Requests by status',
    'Average response time', 'P95 response time', 'Response time',
    'Errors since start', 'Errors per second', 'Error rate', 'Errors by type',
    'Statements per second', 'Average time of a statement', 'Database errors', 'Connections', 'Slow statements per minute',
    'Memory', 'Memory usage', 'CPU', 'Uptime', 'Node.js',
    'Health checks', 'Ready', 'Alerts of the service itself', 'Jobs whose newest run failed', 'Security events per minute'
  ]) t.ok(titles.includes(title), title)
  const times = panels.find(({ title }) => title === 'Response time')?.targets?.map(({ expr }) => /statistic="(\w+)", over="window"/.exec(expr)?.[1])
  t.same(times, ['avg', 'p50', 'p95', 'p99', 'min', 'max'])
})
