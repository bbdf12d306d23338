import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { startApp } from '../helper.js'
import { folder, read, type Rules } from './prometheus.js'
import { finds, samplesOf, selectorsOf } from './promql.js'

/** What Prometheus itself adds to what it scrapes. */
const ofPrometheus = new Set(['up', 'ALERTS'])

const rules = (await read<Rules>('alerts.yml')).groups.flatMap((group) => group.rules)
const dashboard = JSON.parse(await readFile(path.join(folder, 'dashboard.json'), 'utf8')) as { panels: { targets?: { expr: string }[] }[], annotations: { list: { expr: string }[] } }
const expressions = [
  ...rules.map(({ expr }) => expr),
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr)
].map((expr) => expr.replaceAll('$instance', '.*'))

await t.test('whatever alerts and the dashboard ask for is at /metrics after a little use', async (t) => {
  const s = await startApp(t)
  await s.addProject()
  await s.app.inject('/api/health/ready')
  await s.ask('GET', '/api/projects', { as: null })
  await s.app.jobs.runNow('fold_task_counts')
  await s.app.jobs.tick()
  // A statement that fails, and with it a request.
  await s.query('alter table projects rename to projects_away')
  t.equal((await s.ask('GET', '/api/projects')).statusCode, 500)
  await s.query('alter table projects_away rename to projects')

  const samples = samplesOf((await s.app.inject('/metrics')).body)
  const selectors = expressions.flatMap(selectorsOf).filter(({ metric }) => !ofPrometheus.has(metric))
  t.ok(selectors.length > expressions.length / 2)
  for (const selector of new Map(selectors.map((one) => [JSON.stringify(one), one])).values()) {
    t.ok(samples.some((sample) => finds(selector, sample)), `${selector.metric} ${selector.matchers.map(({ label, operator, value }) => label + operator + value).join(', ')}`)
  }
})

await t.test('selectors are found wherever they stand in an expression', async (t) => {
  t.same(selectorsOf('sum by (job) (rate(a_total{x="1", y=~"b|c"}[5m])) / on (job) group_left () (b_total > 0) and time() - c unless d offset 5m'), [
    { metric: 'a_total', matchers: [{ label: 'x', operator: '=', value: '1' }, { label: 'y', operator: '=~', value: 'b|c' }] },
    ...['b_total', 'c', 'd'].map((metric) => ({ metric, matchers: [] }))
  ])
})
